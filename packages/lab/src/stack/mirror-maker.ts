/** Apache Kafka's MirrorMaker 2 as a process: fills one cluster from another, in one direction. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import { LabError } from '../errors.ts';
import { independentClient } from './kafka-client.ts';
import { type JavaRuntime, javaArguments } from './kafka-runtime.ts';
import { LabProcess, type ProcessEvent, type Reaper } from './process.ts';
import { propertiesText } from './properties-text.ts';

/** It takes 2 s, and took more than 60 s beside 50 processes that computed on two cores. */
const START_TIMEOUT_MS = 120_000;
/** It waits for its last writes, and for its clusters if one is away: once that is back, it would copy what is left behind newer records. */
const GRACE_MS = 2_000;
const GROUP_ID_BYTES = 4;
const KAFKA_STABLE_GROUP = 'Stable';
const JVM = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** One of two clusters, in plain text. */
export interface NamedCluster {
  name: string;
  /** `host:port,…` */
  bootstrap: string;
}

export interface Direction {
  source: NamedCluster;
  target: NamedCluster;
}

export interface MirrorMakerOptions extends Direction {
  /** For its properties file. */
  directory: string;
  /** Default: `directory`. */
  logDirectory?: string | undefined;
  /** Regular expressions for topics that are not mirrored. MirrorMaker never mirrors those that begin with `__`. */
  excludedTopics?: readonly string[] | undefined;
  runtime: JavaRuntime;
  reaper: Reaper;
  onEvent?: ((event: ProcessEvent) => void) | undefined;
}

export class MirrorMaker {
  readonly #options: MirrorMakerOptions;
  #process: LabProcess | undefined;

  constructor(options: MirrorMakerOptions) {
    this.#options = options;
  }

  get direction(): Direction {
    const { source, target } = this.#options;
    return { source, target };
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** The process that runs now or ran last. Errors: `startFailed` before the first start. */
  get process(): LabProcess {
    if (this.#process === undefined) throw new LabError('startFailed', 'MirrorMaker was never started.');
    return this.#process;
  }

  /** Starts it, and waits until its worker has joined its group. Needs both clusters. Errors: see `LabProcess`. */
  async start(signal?: AbortSignal | undefined): Promise<void> {
    if (this.isRunning) return;
    const { source, target, directory, logDirectory, runtime, reaper, onEvent } = this.#options;
    mkdirSync(directory, { recursive: true });
    const pair = `${source.name}-${target.name}`;
    const file = join(directory, `mirror-maker-${pair}.properties`);
    // A group of its own for each start: the member of a killed process would hold up the next one for 10 s.
    const groupId = `mirror-maker-${pair}-${randomBytes(GROUP_ID_BYTES).toString('hex')}`;
    writeFileSync(file, propertiesText(mirrorMakerProperties(this.#options, groupId)));
    const child = await LabProcess.start({
      name: `MirrorMaker (${source.name} to ${target.name})`,
      command: runtime.command,
      args: [
        ...[...JVM, runtime.loggingOption, ...javaArguments(runtime)],
        ...['org.apache.kafka.connect.mirror.MirrorMaker', file],
      ],
      logFile: join(logDirectory ?? directory, `mirror-maker-${pair}.log`),
      reaper,
      isRestart: this.#process !== undefined,
      onEvent,
    });
    this.#process = child;
    const admin = independentClient(target.bootstrap).admin();
    try {
      await child.waitUntilReady(() => hasMember(admin, groupId), { timeoutMs: START_TIMEOUT_MS, signal });
    } catch (error) {
      await child.kill();
      throw error;
    } finally {
      await admin.disconnect();
    }
  }

  /** SIGTERM: what it has read is written, and its positions, too. */
  async stop(): Promise<void> {
    await this.#process?.stop(GRACE_MS);
  }

  /** SIGKILL: what it has written since it last kept its positions is written once more by the next start. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }
}

async function hasMember(admin: Admin, groupId: string): Promise<boolean> {
  try {
    await admin.connect();
    const { groups } = await admin.describeGroups([groupId]);
    return groups.some(({ state, members }) => state === KAFKA_STABLE_GROUP && members.length > 0);
  } catch {
    return false;
  }
}

/**
 * The settings that `docs/disaster-recovery.md` explains. Those of the Connect worker count with the target's name as prefix only, and
 * are ignored without it.
 */
export function mirrorMakerProperties(
  { source, target, excludedTopics = [] }: MirrorMakerOptions,
  groupId: string,
): Record<string, string> {
  const toTarget = `${source.name}->${target.name}`;
  return {
    clusters: `${source.name}, ${target.name}`,
    [`${source.name}.bootstrap.servers`]: source.bootstrap,
    [`${target.name}.bootstrap.servers`]: target.bootstrap,
    [`${toTarget}.enabled`]: 'true',
    [`${target.name}->${source.name}.enabled`]: 'false',
    // Heartbeats would start a second worker, for the other direction.
    'emit.heartbeats.enabled': 'false',
    // The same names in both clusters.
    'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
    topics: '.*',
    'topics.exclude': ['.*[\\-\\.]internal', '__.*', ...excludedTopics].join(','),
    groups: '.*',
    // What is aborted in the source would be a record like any other in the target.
    [`${source.name}.consumer.isolation.level`]: 'read_committed',
    // A write that is repeated, because the target died before it answered, counts once.
    [`${target.name}.producer.enable.idempotence`]: 'true',
    // The default is the source: there, they die with it.
    'offset-syncs.topic.location': 'target',
    'offset.lag.max': '0',
    'emit.checkpoints.interval.seconds': '1',
    'sync.group.offsets.enabled': 'true',
    'sync.group.offsets.interval.seconds': '1',
    'refresh.topics.interval.seconds': '1',
    'refresh.groups.interval.seconds': '1',
    'sync.topic.acls.enabled': 'false',
    'tasks.max': '1',
    // The broker's own default.
    'replication.factor': '-1',
    'checkpoints.topic.replication.factor': '-1',
    'offset-syncs.topic.replication.factor': '-1',
    'offset.storage.replication.factor': '-1',
    'status.storage.replication.factor': '-1',
    'config.storage.replication.factor': '-1',
    'offset.storage.partitions': '1',
    'status.storage.partitions': '1',
    [`${target.name}.group.id`]: groupId,
    [`${target.name}.offset.flush.interval.ms`]: '200',
    [`${target.name}.scheduled.rebalance.max.delay.ms`]: '0',
    // Searching every class for plugins takes 4 s.
    'plugin.discovery': 'service_load',
    [`${target.name}.plugin.discovery`]: 'service_load',
  };
}
