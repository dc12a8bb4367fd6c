/** What of a span is not copied, found by comparing records: MirrorMaker writes no sync for records whose copies it has written while it stops. */
import type { Cluster } from '../kafka/client/cluster.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { StoredRecord } from '../records.ts';
import { isCopy } from './same-record.ts';
import type { SyncIndex } from './sync-index.ts';
import { type OffsetSpan, readSpan } from './tail-reader.ts';

export interface Comparison {
  source: Cluster;
  target: Cluster;
  /** From the source to the target. */
  syncs: Pick<SyncIndex, 'of'>;
  limits: Limits;
}

export interface Uncopied {
  /** The offset of the first record without a copy; the end of the span if each has one. */
  from: number;
  records: number;
}

/** Copies are looked for in so many records behind the last sync: MirrorMaker writes syncs at least once a second. */
const MOST_COMPARED = 100_000;

/** Compares the records of the span, in their order, with those behind the copy of the last record before it. Errors: `kafkaUnavailable`. */
export async function findUncopied(span: OffsetSpan, { source, target, syncs, limits }: Comparison): Promise<Uncopied> {
  const { topic, partition, to } = span;
  const sync = syncs.of(span)?.floor(span.from - 1);
  const copies = copiesBehind(target, { topic, partition, from: (sync?.downstream ?? -1) + 1 }, limits);
  let from: number | undefined;
  let records = 0;
  for await (const some of readSpan(source, span, limits)) {
    for (const record of some) {
      if (from === undefined && (await isNextCopy(copies, record))) continue;
      from ??= Number(record.offset);
      records += 1;
    }
  }
  await copies.return?.(undefined);
  return { from: from ?? to, records };
}

/** Ends at the first record that is not the copy of the next one. */
async function isNextCopy(copies: AsyncIterator<StoredRecord>, record: StoredRecord): Promise<boolean> {
  const next = await copies.next();
  return next.done !== true && isCopy(next.value, record);
}

async function* copiesBehind(
  target: Cluster,
  { topic, partition, from }: { topic: string; partition: number; from: number },
  limits: Limits,
): AsyncGenerator<StoredRecord, void, undefined> {
  const known = (await target.topics([topic], limits)).get(topic);
  // Not copied yet.
  if (known === undefined || !('topic' in known) || known.topic.partitions[partition] === undefined) return;
  for await (const records of readSpan(target, { topic, partition, from, to: from + MOST_COMPARED }, limits)) {
    yield* records;
  }
}
