/** One Apache Kafka broker as a process: properties, storage, and the Java or Docker command. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { LabError } from '../errors.ts';
import type { Credentials } from '../secure/credentials.ts';
import { javaArguments, type KafkaRuntime } from './kafka-runtime.ts';
import { securityProperties, userArguments } from './kafka-security.ts';
import { acceptsConnections, LAB_HOST } from './ports.ts';
import { LabProcess, type ProcessEvent, type Reaper } from './process.ts';

export const KAFKA_VERSION = '4.3.1';
export const DOCKER_IMAGE = `apache/kafka:${KAFKA_VERSION}`;
/** Kafka takes a UUID in base64: `causeway-lab-001`. Clusters that know of each other have different ones. */
export const DEFAULT_CLUSTER_ID = 'Y2F1c2V3YXktbGFiLTAwMQ';
/** A broker that ends is reported at once. A start takes some seconds, and on two cores with forty other busy processes a minute. */
export const START_TIMEOUT_MS = 120_000;
const BROKER_SESSION_TIMEOUT_MS = 1500;
const CONTROLLER_FETCH_TIMEOUT_MS = 1000;
const CONTROLLER_ELECTION_TIMEOUT_MS = 500;
/** The most time that Kafka takes to replace a dead broker that was also the controller. */
export const BROKER_DETECTION_MS =
  CONTROLLER_FETCH_TIMEOUT_MS + CONTROLLER_ELECTION_TIMEOUT_MS + BROKER_SESSION_TIMEOUT_MS;
/** A broker that stops in order transfers its partitions first. */
const GRACE_MS = 10_000;
const PROPERTIES_MODE = 0o600;

/** Only the simple compiler: half the processor time of a start. */
const QUICK_JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** The options of Kafka's own scripts. */
const SUSTAINED_JVM = ['-XX:+UseG1GC'];

export type BrokerProperties = Readonly<Record<string, string>>;

export interface BrokerOptions {
  id: number;
  brokerCount: 1 | 3;
  /** Two for each broker: clients, then controller. */
  ports: readonly number[];
  /** The cluster's, for people and in names of logs. Default: `Kafka`. */
  clusterName?: string | undefined;
  /** Default: {@link DEFAULT_CLUSTER_ID}. */
  clusterId?: string | undefined;
  /** For its data and its properties file. */
  directory: string;
  /** Default: `directory`. */
  logDirectory?: string | undefined;
  /** Broker properties on top of the lab's, for all or by a broker's id; Java only. */
  properties?: BrokerProperties | ((id: number) => BrokerProperties) | undefined;
  /** Given: clients and brokers authenticate themselves over TLS. Java only. */
  credentials?: Credentials | undefined;
  /** For high throughput after a warm-up; without it, Java starts quickly and stays small. Java only. */
  isSustained?: boolean | undefined;
  /** Of the broker's Java, not of the format's. */
  jvmOptions?: readonly string[] | undefined;
  runtime: KafkaRuntime;
  reaper: Reaper;
  onEvent?: ((event: ProcessEvent) => void) | undefined;
}

/** A broker that can be killed and started again, on its port and with its data. */
export class KafkaBroker {
  readonly id: number;
  /** For clients. */
  readonly port: number;
  readonly #options: BrokerOptions;
  #process: LabProcess | undefined;

  constructor(options: BrokerOptions) {
    this.id = options.id;
    this.port = portsOf(options, options.id).clientPort;
    this.#options = options;
  }

  /** The process that runs now or ran last. Errors: `startFailed` before the first start. */
  get process(): LabProcess {
    if (this.#process === undefined) throw new LabError('startFailed', `${this.#name} was never started.`);
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** Formats the storage if necessary, starts the broker, and waits until it accepts connections. */
  async start(signal?: AbortSignal | undefined): Promise<void> {
    if (this.isRunning) return;
    const isRestart = this.#process !== undefined;
    if (!isRestart) await this.#format(signal);
    signal?.throwIfAborted();
    const child = await LabProcess.start({
      ...this.#command(isRestart),
      name: this.#name,
      logFile: this.#logFile,
      reaper: this.#options.reaper,
      onEvent: this.#options.onEvent,
      isRestart,
    });
    this.#process = child;
    try {
      await child.waitUntilReady(() => acceptsConnections(this.port), { timeoutMs: START_TIMEOUT_MS, signal });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    await this.#process?.stop(GRACE_MS);
  }

  /** Removes the container, which outlives the process. */
  remove(): void {
    const { runtime } = this.#options;
    if (runtime.kind !== 'docker' || this.#process === undefined) return;
    spawnSync(runtime.command, ['rm', '--force', this.#containerName], { stdio: 'ignore' });
  }

  get #name(): string {
    const { brokerCount, clusterName = 'Kafka' } = this.#options;
    return brokerCount === 1 ? clusterName : `${clusterName} broker ${this.id}`;
  }

  get #logFile(): string {
    const { logDirectory, directory, clusterName = 'kafka' } = this.#options;
    return join(logDirectory ?? directory, `${clusterName.toLowerCase().replaceAll(' ', '-')}-${this.id}.log`);
  }

  get #propertiesFile(): string {
    return join(this.#options.directory, `broker-${this.id}.properties`);
  }

  get #containerName(): string {
    return `causeway-kafka-${process.pid}-${this.port}`;
  }

  async #format(signal: AbortSignal | undefined): Promise<void> {
    mkdirSync(this.#options.directory, { recursive: true });
    const { runtime, credentials, clusterId = DEFAULT_CLUSTER_ID } = this.#options;
    if (runtime.kind === 'docker') return; // The image formats its storage itself.
    const properties = Object.entries(brokerProperties(this.#options));
    const text = properties.map(([key, value]) => `${key}=${value}\n`).join('');
    // A secure broker's has a password.
    writeFileSync(this.#propertiesFile, text, { mode: PROPERTIES_MODE });
    const formatter = await LabProcess.start({
      name: `${this.#name} (format)`,
      command: runtime.command,
      args: [
        ...[...QUICK_JVM, runtime.loggingOption],
        ...[...javaArguments(runtime), 'kafka.tools.StorageTool'],
        ...['format', '--cluster-id', clusterId, '--config', this.#propertiesFile, '--ignore-formatted'],
        ...(credentials === undefined ? [] : userArguments(credentials)),
      ],
      logFile: this.#logFile,
      reaper: this.#options.reaper,
    });
    const { exitCode } = await formatter.runToEnd(signal);
    if (exitCode !== 0) {
      throw new LabError('startFailed', `Kafka's storage could not be formatted.\n${formatter.logTail()}`);
    }
  }

  #command(isRestart: boolean): { command: string; args: string[]; killCommand?: string[] } {
    const { runtime, reaper, isSustained = false } = this.#options;
    const { command } = runtime;
    if (runtime.kind === 'java') {
      return {
        command,
        args: [
          ...['-Xms256m', '-Xmx768m', ...(isSustained ? SUSTAINED_JVM : QUICK_JVM)],
          runtime.loggingOption,
          ...(this.#options.jvmOptions ?? []),
          ...[...javaArguments(runtime), 'kafka.Kafka', this.#propertiesFile],
        ],
      };
    }
    const name = this.#containerName;
    // The process is Docker's client: it forwards SIGTERM, but SIGKILL would leave the container running.
    const killCommand = [command, 'kill', name];
    if (isRestart) return { command, args: ['start', '--attach', name], killCommand };
    reaper.atEnd([command, 'rm', '--force', name]);
    return { command, args: ['run', '--name', name, ...dockerArguments(this.port), DOCKER_IMAGE], killCommand };
  }
}

function portsOf(
  { ports, brokerCount }: BrokerOptions,
  id: number,
): {
  clientPort: number;
  controllerPort: number;
} {
  const clientPort = ports[2 * (id - 1)];
  const controllerPort = ports[2 * (id - 1) + 1];
  if (clientPort === undefined || controllerPort === undefined) {
    throw new LabError('badArguments', `${brokerCount} brokers need ${2 * brokerCount} ports.`);
  }
  return { clientPort, controllerPort };
}

function brokerProperties(options: BrokerOptions): Record<string, string> {
  const { id, brokerCount, properties, credentials } = options;
  const { clientPort, controllerPort } = portsOf(options, id);
  const ids = Array.from({ length: brokerCount }, (_, index) => index + 1);
  const replicas = String(brokerCount);
  const minInSync = brokerCount === 1 ? '1' : '2';
  return {
    'node.id': String(id),
    'process.roles': 'broker,controller',
    'controller.quorum.voters': ids
      .map((voter) => `${voter}@${LAB_HOST}:${portsOf(options, voter).controllerPort}`)
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${LAB_HOST}:${clientPort},CONTROLLER://${LAB_HOST}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${LAB_HOST}:${clientPort}`,
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(options.directory, `broker-${id}`),
    'num.partitions': '3',
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '6',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'transaction.state.log.num.partitions': '3',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    'group.initial.rebalance.delay.ms': '0',
    // A misspelt topic must be an error, not a new topic.
    'auto.create.topics.enable': 'false',
    // The time until a dead broker is replaced as leader. A single broker has no replacement, and must not lose its partitions
    // because the machine is busy: Kafka's default, 9 s.
    ...(brokerCount === 1 ? {} : { 'broker.session.timeout.ms': String(BROKER_SESSION_TIMEOUT_MS) }),
    'broker.heartbeat.interval.ms': '250',
    // A dead controller is replaced sooner; Kafka's defaults are 2 s, 1 s and 1 s.
    'controller.quorum.fetch.timeout.ms': String(CONTROLLER_FETCH_TIMEOUT_MS),
    'controller.quorum.election.timeout.ms': String(CONTROLLER_ELECTION_TIMEOUT_MS),
    'controller.quorum.election.backoff.max.ms': '200',
    ...(credentials === undefined ? {} : securityProperties(credentials, { id, clientPort, controllerPort })),
    ...(typeof properties === 'function' ? properties(id) : properties),
  };
}

/** Inside the container the broker listens on every address, and advertises loopback to clients. One broker only. */
function dockerArguments(clientPort: number): string[] {
  const variables: Record<string, string> = {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: `PLAINTEXT://:${clientPort},CONTROLLER://:9093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${LAB_HOST}:${clientPort}`,
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_NUM_PARTITIONS: '3',
  };
  const environment = Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  return ['--publish', `${LAB_HOST}:${clientPort}:${clientPort}`, ...environment];
}
