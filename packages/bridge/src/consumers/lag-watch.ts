/** Looks the ends of partitions up that consumers here read: they advance, too, when a client stops polling. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import { type IsolationLevel, listOffsets } from '../kafka/client/list-offsets.ts';
import { partitionKey, type TopicPartition } from '../records.ts';
import type { Session } from './session.ts';

const INTERVAL_MS = 5_000;

export interface LagWatchDependencies {
  sessions: () => Iterable<Session>;
  requestTimeoutMs: number;
}

export class LagWatch {
  readonly #dependencies: LagWatchDependencies;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(dependencies: LagWatchDependencies) {
    this.#dependencies = dependencies;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#round().finally(() => {
        this.#running = undefined;
      });
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Never throws: the next round asks for what this one did not get. */
  async #round(): Promise<void> {
    const byAccount = Map.groupBy(this.#dependencies.sessions(), ({ account }) => account.cluster);
    await Promise.allSettled(
      Array.from(byAccount).flatMap(([cluster, ofAccount]) =>
        Array.from(
          Map.groupBy(ofAccount, ({ options }) => options.isolationLevel),
          ([isolationLevel, sessions]) => this.#look(cluster, isolationLevel, sessions),
        ),
      ),
    );
  }

  /** Errors: as {@link listOffsets}. */
  async #look(cluster: Cluster, isolationLevel: IsolationLevel, sessions: readonly Session[]): Promise<void> {
    const partitions = partitionsOf(cluster, sessions);
    if (partitions.length === 0) return;
    const limits = within(this.#dependencies.requestTimeoutMs);
    const found = await listOffsets(cluster, partitions, { spec: 'latest', isolationLevel, limits });
    const ends = new Map(found.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]));
    for (const session of sessions) session.noteEnds(ends);
  }
}

/** Each partition once, and none without a leader, which would hold up all others. */
function partitionsOf(cluster: Cluster, sessions: readonly Session[]): TopicPartition[] {
  const byKey = new Map<string, TopicPartition>();
  for (const session of sessions) {
    for (const { topic, partition } of session.positioned) {
      if ((cluster.knownTopic(topic)?.partitions[partition]?.leader ?? -1) < 0) continue;
      byKey.set(partitionKey(topic, partition), { topic, partition });
    }
  }
  return [...byKey.values()];
}
