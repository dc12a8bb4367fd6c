/** What of a span is not copied, found by comparing records: MirrorMaker writes no sync for records whose copies it has written while it stops. */
import type { Cluster } from '../kafka/client/cluster.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { StoredRecord } from '../records.ts';
import { isCopy } from './same-record.ts';
import { type OffsetSpan, readSpan } from './tail-reader.ts';

export interface Comparison {
  source: Cluster;
  target: Cluster;
  /** In the target: no copy of a record of the span is before it. */
  copiesFrom: number;
  /** Whether other records may stand before the first copy. */
  mayFollowOthers: boolean;
  limits: Limits;
}

export interface Uncopied {
  /** The offset of the first record without a copy; the end of the span if each has one. */
  from: number;
  records: number;
}

/** Copies are looked for in so many records behind the last sync: MirrorMaker writes syncs at least once a second. */
const MOST_COMPARED = 100_000;

/** Compares the records of the span, in their order, with those of the target. Errors: `kafkaUnavailable`. */
export async function findUncopied(
  span: OffsetSpan,
  { source, target, copiesFrom, mayFollowOthers, limits }: Comparison,
): Promise<Uncopied> {
  const { topic, partition, to } = span;
  const copies = copiesBehind(target, { topic, partition, from: copiesFrom }, limits);
  let isSearching = mayFollowOthers;
  let from: number | undefined;
  let records = 0;
  for await (const some of readSpan(source, span, limits)) {
    for (const record of some) {
      if (from === undefined && (await isNextCopy(copies, record, { isSearching }))) {
        isSearching = false;
        continue;
      }
      from ??= Number(record.offset);
      records += 1;
    }
  }
  await copies.return?.(undefined);
  return { from: from ?? to, records };
}

/** Whether the next record is the copy, or when searching, one behind it. */
async function isNextCopy(
  copies: AsyncIterator<StoredRecord>,
  record: StoredRecord,
  { isSearching }: { isSearching: boolean },
): Promise<boolean> {
  do {
    const next = await copies.next();
    if (next.done === true) return false;
    if (isCopy(next.value, record)) return true;
  } while (isSearching);
  return false;
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
