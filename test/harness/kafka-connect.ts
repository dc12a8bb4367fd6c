/** A worker of Apache Kafka Connect as a process, beside a Kafka cluster. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JavaRuntime, javaArguments } from '@causeway/lab/stack/kafka-runtime.ts';
import { LAB_HOST } from '@causeway/lab/stack/ports.ts';
import { LabProcess, type Reaper } from '@causeway/lab/stack/process.ts';
import { propertiesText } from '@causeway/lab/stack/properties-text.ts';

const START_TIMEOUT_MS = 120_000;
const JVM = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export interface KafkaConnectOptions {
  /** Of the cluster: part of the names of its topics and of its group. */
  name: string;
  bootstrap: string;
  port: number;
  directory: string;
  runtime: JavaRuntime;
  reaper: Reaper;
  properties?: Readonly<Record<string, string>>;
}

export class KafkaConnect {
  readonly url: string;
  readonly #options: KafkaConnectOptions;
  #process: LabProcess | undefined;

  private constructor(options: KafkaConnectOptions) {
    this.#options = options;
    this.url = `http://${LAB_HOST}:${options.port}`;
  }

  /** Starts it, and waits until it lists its connectors. */
  static async start(options: KafkaConnectOptions): Promise<KafkaConnect> {
    const connect = new KafkaConnect(options);
    await connect.restart();
    return connect;
  }

  async restart(): Promise<void> {
    const { name, directory, runtime, reaper } = this.#options;
    const file = join(directory, `connect-${name}.properties`);
    writeFileSync(file, propertiesText(workerProperties(this.#options)));
    this.#process = await LabProcess.start({
      name: `Kafka Connect (${name})`,
      command: runtime.command,
      args: [
        ...[...JVM, runtime.loggingOption, ...javaArguments(runtime)],
        ...['org.apache.kafka.connect.cli.ConnectDistributed', file],
      ],
      logFile: join(directory, `connect-${name}.log`),
      reaper,
    });
    await this.#process.waitUntilReady(() => this.#isReady(), { timeoutMs: START_TIMEOUT_MS });
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async request(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }

  async #isReady(): Promise<boolean> {
    return (await fetch(`${this.url}/connectors`).catch(() => undefined))?.ok === true;
  }
}

function workerProperties({ name, bootstrap, port, properties = {} }: KafkaConnectOptions): Record<string, string> {
  return {
    'bootstrap.servers': bootstrap,
    'group.id': `connect-${name}`,
    listeners: `http://${LAB_HOST}:${port}`,
    'key.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
    'value.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
    'header.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
    // MirrorMaker leaves out topics with such an ending.
    'offset.storage.topic': `connect-${name}-offsets-internal`,
    'config.storage.topic': `connect-${name}-configs-internal`,
    'status.storage.topic': `connect-${name}-status-internal`,
    'offset.storage.replication.factor': '-1',
    'config.storage.replication.factor': '-1',
    'status.storage.replication.factor': '-1',
    'offset.flush.interval.ms': '200',
    'scheduled.rebalance.max.delay.ms': '0',
    'plugin.discovery': 'service_load',
    ...properties,
  };
}
