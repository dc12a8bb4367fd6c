/** Looks the ends of partitions up that consumers here read: they advance, too, when a client stops polling. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import { partitionKey, type TopicPartition } from '../records.ts';
import type { Session } from './session.ts';

const INTERVAL_MS = 5_000;

export interface LagWatchDependencies {
  cluster: Cluster;
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
    const bySessions = Map.groupBy(this.#dependencies.sessions(), ({ options }) => options.isolationLevel);
    await Promise.allSettled(
      Array.from(bySessions, async ([isolationLevel, sessions]) => {
        const { cluster, requestTimeoutMs } = this.#dependencies;
        const partitions = this.#partitionsOf(sessions);
        if (partitions.length === 0) return;
        const limits = within(requestTimeoutMs);
        const found = await listOffsets(cluster, partitions, { spec: 'latest', isolationLevel, limits });
        const ends = new Map(found.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]));
        for (const session of sessions) session.noteEnds(ends);
      }),
    );
  }

  /** Each partition once, and none without a leader, which would hold up all others. */
  #partitionsOf(sessions: readonly Session[]): TopicPartition[] {
    const { cluster } = this.#dependencies;
    const byKey = new Map<string, TopicPartition>();
    for (const session of sessions) {
      for (const { topic, partition } of session.positioned) {
        if ((cluster.knownTopic(topic)?.partitions[partition]?.leader ?? -1) < 0) continue;
        byKey.set(partitionKey(topic, partition), { topic, partition });
      }
    }
    return [...byKey.values()];
  }
}
