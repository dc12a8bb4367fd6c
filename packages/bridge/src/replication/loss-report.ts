/** The reports of forced promotions: which records of the lost cluster the promoted one does not have. */
import type { LossReport, LostRange } from '@causeway/protocol/clusters.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { REPLICATED_SESSION_TOPIC } from '../kafka/client/internal-topics.ts';
import type { Limits } from '../kafka/client/limits.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';
import type { OffsetSpan } from './tail-reader.ts';
import { findUncopied } from './uncopied.ts';

export interface Completion {
  /** The cluster that was lost, and has returned. */
  lost: Cluster;
  promoted: Cluster;
  /** In the promoted cluster: no copy of a record of the span is before it. */
  copiesFrom: (span: OffsetSpan) => number;
  /** Of the lost cluster. */
  ends: readonly PartitionOffset[];
  /** Before this offset of the lost cluster, the promoted one had everything. */
  copiedTo: (place: TopicPartition) => number;
  limits: Limits;
}

/** Partitions that are read side by side. */
const READ_AT_ONCE = 8;

/** The report with exact ranges and counts. Errors: `kafkaUnavailable`. */
export async function completeLossReport(report: LossReport, completion: Completion): Promise<LossReport> {
  const known = new Map(report.ranges.map((range) => [partitionKey(range.topic, range.partition), range]));
  const spans = completion.ends.flatMap((end): OffsetSpan[] => {
    if (end.topic === REPLICATED_SESSION_TOPIC) return [];
    const { topic, partition } = end;
    // Where the promoted cluster stood at the promotion; what was copied later came too late.
    const from = known.get(partitionKey(topic, partition))?.from ?? completion.copiedTo(end);
    const to = Number(end.offset);
    return from < to ? [{ topic, partition, from, to }] : [];
  });
  const ranges: LostRange[] = [];
  for (let first = 0; first < spans.length; first += READ_AT_ONCE) {
    const read = await Promise.all(
      spans.slice(first, first + READ_AT_ONCE).map((span) => exactRange(span, completion)),
    );
    ranges.push(...read.filter(({ records }) => records > 0));
  }
  return { ...report, isFinal: true, ranges };
}

/** Without the records at its beginning that were copied before MirrorMaker wrote their sync. */
async function exactRange(span: OffsetSpan, { lost, promoted, copiesFrom, limits }: Completion): Promise<LostRange> {
  const { topic, partition, to } = span;
  // What MirrorMaker copied after the promotion came too late: records of clients stand before it.
  const compared = { source: lost, target: promoted, copiesFrom: copiesFrom(span), mayFollowOthers: false, limits };
  const { from, records } = await findUncopied(span, compared);
  return { topic, partition, from, to, records };
}
