/** The topics of a cluster that replication copies, and where their partitions end. */

import type { Cluster } from '../kafka/client/cluster.ts';
import { REPLICATED_SESSION_TOPIC } from '../kafka/client/internal-topics.ts';
import type { Limits } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';
import { isNeverMirrored } from './mirror-maker.ts';

export interface EndsQuestion {
  /** Topics that are listed again if the list is older. */
  maxAgeMs: number;
  /** Whether partitions without a leader are left out; otherwise they are an error. */
  isPartial: boolean;
}

/** Partitions of one question. */
const MOST_AT_ONCE = 2000;

export class SourceTopics {
  readonly #cluster: Cluster;
  readonly #isMirrored: (topic: string) => boolean;
  #names: string[] = [];
  #listedAtMs = Number.NEGATIVE_INFINITY;
  /** Where partitions began when that was asked last. */
  readonly #beginnings = new Map<string, number>();

  /** `isMirrored`: whether MirrorMaker's filters let it copy a topic. */
  constructor(cluster: Cluster, isMirrored: (topic: string) => boolean) {
    this.#cluster = cluster;
    this.#isMirrored = isMirrored;
  }

  /** Whether a topic is copied. */
  isMirrored(topic: string): boolean {
    return topic === REPLICATED_SESSION_TOPIC || (!isNeverMirrored(topic) && this.#isMirrored(topic));
  }

  /** Errors: `kafkaUnavailable`. */
  async ends({ maxAgeMs, isPartial }: EndsQuestion, limits: Limits): Promise<PartitionOffset[]> {
    await this.#list(maxAgeMs, limits);
    const partitions = this.#names.flatMap((topic): TopicPartition[] => {
      const known = this.#cluster.knownTopic(topic)?.partitions ?? [];
      const asked = isPartial ? known.filter(({ leader }) => leader >= 0) : known;
      return asked.map(({ partition }) => ({ topic, partition }));
    });
    const ends: PartitionOffset[] = [];
    const spec = { spec: 'latest', isolationLevel: 'read_uncommitted', limits } as const;
    // One after another: the answer for many partitions would hold up other requests of the bridge.
    for (let first = 0; first < partitions.length; first += MOST_AT_ONCE) {
      ends.push(...(await listOffsets(this.#cluster, partitions.slice(first, first + MOST_AT_ONCE), spec)));
    }
    return ends;
  }

  /** Where these partitions begin; asked once, and again with `isFresh`. Errors: `kafkaUnavailable`. */
  async beginnings(
    places: readonly TopicPartition[],
    { isFresh }: { isFresh: boolean },
    limits: Limits,
  ): Promise<number[]> {
    const keys = places.map(({ topic, partition }) => partitionKey(topic, partition));
    const asked = places.filter((_, index) => isFresh || !this.#beginnings.has(keys[index] as string));
    const spec = { spec: 'earliest', isolationLevel: 'read_uncommitted', limits } as const;
    const found = asked.length === 0 ? [] : await listOffsets(this.#cluster, asked, spec);
    for (const { topic, partition, offset } of found)
      this.#beginnings.set(partitionKey(topic, partition), Number(offset));
    return keys.map((key) => this.#beginnings.get(key) ?? 0);
  }

  async #list(maxAgeMs: number, limits: Limits): Promise<void> {
    const askedAtMs = performance.now();
    if (askedAtMs - this.#listedAtMs <= maxAgeMs) return;
    const [names] = await Promise.all([
      this.#cluster.listTopics(limits),
      // Not among the topics that are listed.
      this.#cluster.topics([REPLICATED_SESSION_TOPIC], limits, { maxAgeMs }),
    ]);
    const hasSessions = this.#cluster.knownTopic(REPLICATED_SESSION_TOPIC) !== undefined;
    this.#names = names.filter((name) => this.isMirrored(name)).concat(hasSessions ? [REPLICATED_SESSION_TOPIC] : []);
    this.#listedAtMs = askedAtMs;
  }
}
