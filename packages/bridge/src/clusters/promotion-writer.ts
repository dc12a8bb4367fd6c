/**
 * Writes a promotion into the log of the cluster that becomes active, behind the point at which it does: where its topics end. What stands behind it is of
 * the cluster's own time; replication in the other direction begins there.
 */
import { randomUUID } from 'node:crypto';
import type { Promotion } from '@causeway/protocol/clusters.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import type { PartitionOffset } from '../records.ts';
import { SourceTopics } from '../replication/source-topics.ts';
import type { ClusterLog } from './cluster-log.ts';
import type { FactToWrite, TopicPoint } from './log-records.ts';

export interface PromotionToWrite {
  promotion: Promotion;
  previous: Promotion | undefined;
  how: 'forced' | 'orderly';
  by: string;
  reason: string;
  leaseMs: number;
  /** After a switch-over: the final ends in the other cluster. */
  peerEnds?: readonly PartitionOffset[];
}

/** Of one record: brokers accept batches of 1,048,588 bytes by default. */
const PARTITIONS_PER_RECORD = 20_000;

export class PromotionWriter {
  readonly #log: ClusterLog;
  readonly #topics: SourceTopics;
  readonly #requestTimeoutMs: number;

  constructor(cluster: Cluster, log: ClusterLog, { requestTimeoutMs }: { requestTimeoutMs: number }) {
    this.#log = log;
    this.#topics = new SourceTopics(cluster, () => true);
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** And reads the log to its end. Errors: `kafkaUnavailable`, `kafkaRefused`. */
  async write({ promotion, how, leaseMs, previous, by, reason, peerEnds }: PromotionToWrite): Promise<void> {
    const limits = within(this.#requestTimeoutMs);
    const ends = await this.#topics.ends({ maxAgeMs: 0, isPartial: true }, limits);
    const pointId = randomUUID();
    for (const topics of inRecords(pointOf(ends, peerEnds))) {
      await this.#log.append([{ fact: { kind: 'point', id: pointId, topics }, by, reason }], limits);
    }
    const record = { kind: 'promoted', promotion, how, leaseMs } as const;
    const promoted: FactToWrite = { fact: { kind: 'rule', record }, by, reason, previous, pointId };
    await this.#log.append([promoted], limits);
    await this.#log.confirm(limits);
  }
}

function pointOf(own: readonly PartitionOffset[], peer: readonly PartitionOffset[] | undefined): TopicPoint[] {
  const peerEnds = peer === undefined ? undefined : Map.groupBy(peer, ({ topic }) => topic);
  return [...Map.groupBy(own, ({ topic }) => topic)].map(([topic, ends]) => {
    const there = peerEnds?.get(topic);
    const point = { topic, ends: byPartition(ends) };
    return there === undefined ? point : { ...point, peerEnds: byPartition(there) };
  });
}

/** A partition without a leader has no end: 0. */
function byPartition(ends: readonly PartitionOffset[]): number[] {
  const offsets: number[] = [];
  for (const { partition, offset } of ends) offsets[partition] = Number(offset);
  return Array.from(offsets, (offset) => offset ?? 0);
}

function inRecords(topics: readonly TopicPoint[]): TopicPoint[][] {
  const records: TopicPoint[][] = [];
  let partitions = Number.POSITIVE_INFINITY;
  for (const point of topics) {
    const count = point.ends.length + (point.peerEnds?.length ?? 0);
    if (partitions + count > PARTITIONS_PER_RECORD) {
      records.push([]);
      partitions = 0;
    }
    records.at(-1)?.push(point);
    partitions += count;
  }
  return records;
}
