/** A real Apache Kafka in KRaft mode on loopback: one broker, or three with replication factor 3. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { LabError } from '../errors.ts';
import { type KafkaRuntime, resolveKafkaRuntime } from './kafka-runtime.ts';
import { LabProcess, type Reaper } from './process.ts';

const LOG4J_FILE = fileURLToPath(new URL('../../kafka/log4j2.properties', import.meta.url));
const DOCKER_IMAGE = 'apache/kafka:4.3.1';
/** Any fixed id will do: every cluster of the lab lives on its own ports and directory. */
const CLUSTER_ID = 'Y2F1c2V3YXktbGFiLTAwMQ';
const START_TIMEOUT_MS = 60_000;

export interface KafkaOptions {
  brokerCount: 1 | 3;
  /** Two a broker: clients, then controller. */
  ports: number[];
  /** Logs and data; emptied by whoever owns it. */
  directory: string;
  reaper: Reaper;
  onProgress: (text: string) => void;
  /** Broker properties on top of the lab's, for tests. */
  properties?: Record<string, string>;
  signal?: AbortSignal;
}

export interface KafkaBroker {
  id: number;
  port: number;
  process: LabProcess;
}

export interface KafkaCluster {
  /** `host:port,…` of every broker. */
  bootstrap: string;
  brokers: KafkaBroker[];
  /** SIGKILL of one broker. */
  killBroker(id: number): Promise<void>;
  /** Starts a broker that was killed, on its port and with its data. */
  restartBroker(id: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the brokers and waits until each knows all others. Errors: see {@link resolveKafkaRuntime} and `LabProcess`. */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const runtime = await resolveKafkaRuntime({ onProgress: options.onProgress });
  const specs = brokerSpecs(options);
  if (runtime.kind === 'docker' && specs.length > 1) {
    throw new LabError('noKafkaRuntime', 'Three brokers need Java 17 and Maven; with Docker the lab runs one.');
  }
  const bootstrap = specs.map((spec) => `127.0.0.1:${spec.clientPort}`).join(',');
  const brokers: KafkaBroker[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(brokers.map((broker) => broker.process.stop(KAFKA_GRACE_MS)));
  };
  try {
    options.onProgress(`starting Apache Kafka 4.3.1 (${specs.length === 1 ? 'one broker' : 'three brokers'})`);
    await Promise.all(
      specs.map(async (spec) => {
        await formatStorage(runtime, spec, options);
        brokers.push({ id: spec.id, port: spec.clientPort, process: await startBroker(runtime, spec, options) });
      }),
    );
    brokers.sort((a, b) => a.id - b.id);
    await Promise.all(brokers.map((broker) => waitForBroker(broker, options)));
    await waitForMembers(bootstrap, specs.length, options.signal);
  } catch (error) {
    await Promise.all(brokers.map((broker) => broker.process.kill()));
    throw error;
  }

  const brokerById = (id: number): KafkaBroker => {
    const broker = brokers.find((candidate) => candidate.id === id);
    if (broker === undefined) throw new LabError('badArguments', `There is no broker ${id}.`);
    return broker;
  };
  return {
    bootstrap,
    brokers,
    stop,
    async killBroker(id) {
      await brokerById(id).process.kill();
    },
    async restartBroker(id) {
      const broker = brokerById(id);
      const spec = specs.find((candidate) => candidate.id === id);
      if (spec === undefined) return;
      broker.process = await startBroker(runtime, spec, options);
      await waitForBroker(broker, options);
    },
  };
}

/** A broker that stops in order hands its partitions over first. */
const KAFKA_GRACE_MS = 10_000;

interface BrokerSpec {
  id: number;
  clientPort: number;
  propertiesFile: string;
}

function brokerSpecs(options: KafkaOptions): BrokerSpec[] {
  const ids = Array.from({ length: options.brokerCount }, (_, index) => index + 1);
  const portsOf = (id: number): { clientPort: number; controllerPort: number } => {
    const clientPort = options.ports[2 * (id - 1)];
    const controllerPort = options.ports[2 * (id - 1) + 1];
    if (clientPort === undefined || controllerPort === undefined) {
      throw new LabError('badArguments', `${options.brokerCount} brokers need ${2 * options.brokerCount} ports.`);
    }
    return { clientPort, controllerPort };
  };
  const voters = ids.map((id) => `${id}@127.0.0.1:${portsOf(id).controllerPort}`).join(',');
  const replicas = String(options.brokerCount);
  const minInSync = options.brokerCount === 1 ? '1' : '2';
  return ids.map((id) => {
    const { clientPort, controllerPort } = portsOf(id);
    const properties: Record<string, string> = {
      'node.id': String(id),
      'process.roles': 'broker,controller',
      'controller.quorum.voters': voters,
      'controller.listener.names': 'CONTROLLER',
      listeners: `PLAINTEXT://127.0.0.1:${clientPort},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${clientPort}`,
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
      // A topic that is misspelt must be an error, not a new topic.
      'auto.create.topics.enable': 'false',
      // A broker that died is replaced as leader this soon; Kafka's default is 9 s.
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
      ...options.properties,
    };
    mkdirSync(options.directory, { recursive: true });
    const propertiesFile = join(options.directory, `broker-${id}.properties`);
    writeFileSync(
      propertiesFile,
      Object.entries(properties)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    return { id, clientPort, propertiesFile };
  });
}

function brokerLogFile(options: KafkaOptions, id: number): string {
  return join(options.directory, `broker-${id}.log`);
}

async function formatStorage(runtime: KafkaRuntime, spec: BrokerSpec, options: KafkaOptions): Promise<void> {
  if (runtime.kind === 'docker') return; // The image formats its storage itself.
  const formatter = await LabProcess.start({
    name: `Kafka broker ${spec.id} (format)`,
    command: 'java',
    args: [
      ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Dlog4j2.configurationFile=${LOG4J_FILE}`],
      ...['-cp', runtime.classPath, 'kafka.tools.StorageTool'],
      ...['format', '--cluster-id', CLUSTER_ID, '--config', spec.propertiesFile, '--ignore-formatted'],
    ],
    logFile: brokerLogFile(options, spec.id),
    reaper: options.reaper,
  });
  const { exitCode } = await formatter.exited;
  if (exitCode !== 0) {
    throw new LabError('startFailed', `Kafka's storage could not be formatted.\n${formatter.logTail()}`);
  }
}

async function startBroker(runtime: KafkaRuntime, spec: BrokerSpec, options: KafkaOptions): Promise<LabProcess> {
  const common = {
    name: options.brokerCount === 1 ? 'Kafka' : `Kafka broker ${spec.id}`,
    logFile: brokerLogFile(options, spec.id),
    reaper: options.reaper,
  };
  if (runtime.kind === 'java') {
    return await LabProcess.start({
      ...common,
      command: 'java',
      args: [
        ...['-Xms256m', '-Xmx768m', '-XX:+UseG1GC', `-Dlog4j2.configurationFile=${LOG4J_FILE}`],
        ...['-cp', runtime.classPath, 'kafka.Kafka', spec.propertiesFile],
      ],
    });
  }
  const containerName = `causeway-kafka-${process.pid}-${spec.id}`;
  options.reaper.atEnd(['docker', 'rm', '--force', containerName]);
  return await LabProcess.start({
    ...common,
    command: 'docker',
    args: ['run', '--rm', '--name', containerName, ...dockerArguments(spec), DOCKER_IMAGE],
  });
}

/** Inside the container the broker listens on every address; clients outside are told loopback. */
function dockerArguments(spec: BrokerSpec): string[] {
  const variables: Record<string, string> = {
    KAFKA_NODE_ID: String(spec.id),
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: `PLAINTEXT://:${spec.clientPort},CONTROLLER://:9093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${spec.clientPort}`,
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    KAFKA_CONTROLLER_QUORUM_VOTERS: `${spec.id}@localhost:9093`,
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_NUM_PARTITIONS: '3',
  };
  const environment = Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  return ['--publish', `127.0.0.1:${spec.clientPort}:${spec.clientPort}`, ...environment];
}

async function waitForBroker(broker: KafkaBroker, options: KafkaOptions): Promise<void> {
  await broker.process.waitUntilReady(() => acceptsConnections(broker.port), {
    timeoutMs: START_TIMEOUT_MS,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A kafkajs client: the independent reader that the lab and the tests check the bridge against. */
export function independentClient(bootstrap: string): Kafka {
  return new Kafka({
    clientId: 'causeway-lab',
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 20 },
  });
}

async function waitForMembers(bootstrap: string, brokerCount: number, signal?: AbortSignal): Promise<void> {
  const admin = independentClient(bootstrap).admin();
  await admin.connect();
  try {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while ((await admin.describeCluster()).brokers.length < brokerCount) {
      signal?.throwIfAborted();
      if (performance.now() > deadline)
        throw new LabError('startTimedOut', 'The Kafka brokers did not find each other.');
    }
  } finally {
    await admin.disconnect();
  }
}

/** Creates topics that do not exist yet, with the cluster's default replication. */
export async function ensureTopics(
  bootstrap: string,
  topics: { name: string; partitionCount: number }[],
): Promise<void> {
  const admin = independentClient(bootstrap).admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topic.name));
    if (missing.length > 0) {
      await admin.createTopics({
        topics: missing.map(({ name, partitionCount }) => ({
          topic: name,
          numPartitions: partitionCount,
          replicationFactor: -1,
        })),
        waitForLeaders: true,
      });
    }
  } finally {
    await admin.disconnect();
  }
}
