/** A real Apache Kafka in KRaft mode on loopback (one broker, or three with replication factor 3), or an existing one. */
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { LabError } from '../errors.ts';
import type { Credentials } from '../secure/credentials.ts';
import { BRIDGE_USERS } from '../secure/names.ts';
import { makeClassData } from './class-data.ts';
import { type BrokerProperties, KAFKA_VERSION, KafkaBroker, START_TIMEOUT_MS } from './kafka-broker.ts';
import { bootstrapOf, independentClient, type KafkaAccess } from './kafka-client.ts';
import { grantRights } from './kafka-rights.ts';
import { type OtherRelease, type RuntimeCommands, resolveKafkaRuntime } from './kafka-runtime.ts';
import { adminAccess } from './kafka-security.ts';
import { allOrNone } from './parallel.ts';
import { acceptsConnections, LAB_HOST } from './ports.ts';
import type { ProcessEvent, Reaper } from './process.ts';

/** How often the start checks whether the brokers know each other. */
const MEMBERS_POLL_MS = 100;

export interface KafkaOptions {
  brokerCount: 1 | 3;
  /** For people and in names of logs. Default: `Kafka`. */
  clusterName?: string | undefined;
  /** Default: one for all clusters that do not know of each other. */
  clusterId?: string | undefined;
  /** Two for each broker: clients, then controller. */
  ports: readonly number[];
  /** For data; its owner empties it. */
  directory: string;
  /** Default: `directory`. */
  logDirectory?: string | undefined;
  reaper: Reaper;
  /** Reports steps before the process starts: `isUpdate` for a line that replaces the previous one. */
  onProgress: (text: string, isUpdate: boolean) => void;
  onEvent?: ((event: ProcessEvent) => void) | undefined;
  /** Broker properties on top of the lab's, for all or by a broker's id; for tests. */
  properties?: BrokerProperties | ((id: number) => BrokerProperties) | undefined;
  /** Given: clients and brokers authenticate themselves over TLS, and bridges have only the rights that they need. Java only. */
  credentials?: Credentials | undefined;
  /** For high throughput after a warm-up; without it, Java starts quickly and stays small. */
  isSustained?: boolean | undefined;
  /** Default: the lab's own release. Java only. */
  release?: OtherRelease | undefined;
  signal?: AbortSignal | undefined;
  /** Default: `RUNTIME_COMMANDS`. */
  commands?: RuntimeCommands | undefined;
}

export interface KafkaCluster {
  /** `host:port,…` of every broker. */
  readonly bootstrap: string;
  /** The lab's own access to it. */
  readonly access: KafkaAccess;
  /** Empty for a Kafka that the lab did not start. */
  readonly brokers: readonly KafkaBroker[];
  /** SIGKILL of one broker. */
  killBroker(id: number): Promise<void>;
  /** Starts a broker that was killed, on its port and with its data. */
  restartBroker(id: number): Promise<void>;
  /** SIGTERM to every broker, then SIGKILL. */
  stop(): Promise<void>;
  /** SIGKILL to every broker: fast, when the data is no longer needed. */
  kill(): Promise<void>;
}

/** Starts the brokers and waits until each knows all others. Errors: see {@link resolveKafkaRuntime} and `LabProcess`. */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { brokerCount, onProgress, reaper, signal, commands, credentials, release } = options;
  const runtime = await resolveKafkaRuntime({ onProgress, reaper, signal, commands, release });
  if (runtime.kind === 'docker' && brokerCount > 1) {
    throw new LabError('noKafkaRuntime', 'Three brokers need Java 17 and Maven; with Docker the lab runs one.');
  }
  if (runtime.kind === 'docker' && credentials !== undefined) {
    throw new LabError(
      'noKafkaRuntime',
      'A Kafka with TLS needs Java 17 and Maven; with Docker the lab runs one without.',
    );
  }
  onProgress(
    `starting ${options.clusterName ?? 'Apache Kafka'} ${release ?? KAFKA_VERSION} (${brokerCount === 1 ? 'one broker' : 'three brokers'})`,
    false,
  );
  const brokers = Array.from(
    { length: brokerCount },
    (_, index) => new KafkaBroker({ ...options, runtime, id: index + 1 }),
  );
  const bootstrap = brokers.map((broker) => `${LAB_HOST}:${broker.port}`).join(',');
  const access = credentials === undefined ? bootstrap : adminAccess(bootstrap, credentials);
  const endAll = async (end: (broker: KafkaBroker) => Promise<void>): Promise<void> => {
    await Promise.all(brokers.map(end));
    for (const broker of brokers) broker.remove();
  };
  const brokerById = (id: number): KafkaBroker => {
    const broker = brokers.find((candidate) => candidate.id === id);
    if (broker === undefined) throw new LabError('badArguments', `There is no broker ${id}.`);
    return broker;
  };
  const cluster: KafkaCluster = {
    bootstrap,
    access,
    brokers,
    killBroker: (id) => brokerById(id).kill(),
    restartBroker: (id) => brokerById(id).start(),
    stop: () => endAll((broker) => broker.stop()),
    kill: () => endAll((broker) => broker.kill()),
  };
  try {
    await allOrNone(
      brokers.map((broker) => (brokerSignal) => broker.start(brokerSignal)),
      signal,
    );
    await untilDone(() => waitForMembers(access, brokerCount, signal), signal);
    if (credentials !== undefined) await untilDone(() => grantRights(access, BRIDGE_USERS), signal);
  } catch (error) {
    await cluster.kill();
    throw error;
  }
  // Beside the work: the next start profits.
  void makeClassData(runtime, reaper);
  return cluster;
}

/** An existing Kafka, which the lab does not stop. Errors: `kafkaUnreachable`. */
export async function useKafka(bootstrap: string): Promise<KafkaCluster> {
  const answers = await Promise.all(
    bootstrap.split(',').map((address) => {
      const colon = address.lastIndexOf(':');
      return acceptsConnections(Number(address.slice(colon + 1)), address.slice(0, colon));
    }),
  );
  if (!answers.includes(true)) throw new LabError('kafkaUnreachable', `No Kafka responds at ${bootstrap}.`);
  const refuse = async (): Promise<never> => {
    throw new LabError('badArguments', `The lab did not start the Kafka at ${bootstrap}, and does not stop it.`);
  };
  return {
    bootstrap,
    access: bootstrap,
    brokers: [],
    killBroker: refuse,
    restartBroker: refuse,
    stop: async () => {},
    kill: async () => {},
  };
}

/** Brokers that have just started may not know their users or their controller yet. Errors: the last one, after the time limit. */
async function untilDone(work: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (performance.now() > deadlineMs) throw error;
      await delay(MEMBERS_POLL_MS);
    }
  }
}

async function waitForMembers(
  access: KafkaAccess,
  brokerCount: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const admin = independentClient(access).admin();
  await admin.connect();
  try {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while ((await admin.describeCluster()).brokers.length < brokerCount) {
      signal?.throwIfAborted();
      if (performance.now() > deadlineMs) {
        throw new LabError('startTimedOut', 'The Kafka brokers did not find each other.');
      }
      await delay(MEMBERS_POLL_MS);
    }
  } finally {
    await admin.disconnect();
  }
}

/** Creates topics that do not exist yet, with the cluster's default replication. Errors: `kafkaUnreachable`. */
export async function ensureTopics(
  access: KafkaAccess,
  topics: readonly { name: string; partitionCount: number }[],
): Promise<void> {
  const admin = independentClient(access).admin();
  try {
    await admin.connect();
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topic.name));
    if (missing.length > 0) {
      await createTopics(
        admin,
        missing.map(({ name, partitionCount }) => ({
          topic: name,
          numPartitions: partitionCount,
          replicationFactor: -1,
        })),
      );
    }
  } catch (cause) {
    const names = topics.map((topic) => topic.name).join(', ');
    const address = bootstrapOf(access);
    throw new LabError('kafkaUnreachable', `The topics ${names} could not be created in the Kafka at ${address}.`, {
      cause,
    });
  } finally {
    await admin.disconnect();
  }
}

/** How long a new topic may take to be known by every broker, and how often this is checked. */
const TOPIC_TIMEOUT_MS = 10_000;
const TOPIC_POLL_MS = 20;

/**
 * Creates topics and waits until each partition's leader responds. kafkajs's own `waitForLeaders` gives up when a broker
 * does not know the topic yet, and a new leader may need a moment more. Errors: those of kafkajs.
 */
export async function createTopics(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  await admin.createTopics({ topics, waitForLeaders: false });
  const deadlineMs = performance.now() + TOPIC_TIMEOUT_MS;
  for (const { topic } of topics) {
    while (!(await leadersAnswer(admin, topic, deadlineMs))) await delay(TOPIC_POLL_MS);
  }
}

/** Whether every partition's leader returns its end offset. Errors: permanent ones, and any error after the deadline. */
async function leadersAnswer(admin: Admin, topic: string, deadlineMs: number): Promise<boolean> {
  try {
    await admin.fetchTopicOffsets(topic);
    return true;
  } catch (error) {
    const mayPass = error instanceof kafkajs.KafkaJSProtocolError && error.retriable;
    if (!mayPass || performance.now() > deadlineMs) throw error;
    return false;
  }
}
