/**
 * Finds a position exactly while both clusters can be read: MirrorMaker writes fewer syncs than records when it is busy, and what stands between two syncs
 * would come again.
 */
import type { Cluster } from '../kafka/client/cluster.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { PartitionOffset, StoredRecord } from '../records.ts';
import { isCopy } from './same-record.ts';
import { readSpan } from './tail-reader.ts';

export interface ExactSearch {
  /** The cluster of the position. */
  there: Cluster;
  /** The cluster in which it is wanted. */
  here: Cluster;
  limits: Limits;
}

/** Behind the last sync, in records: MirrorMaker writes one at least each second. */
const MOST_SEARCHED = 10_000;

/**
 * Where the first record from the position on has its first copy, at `translated` or behind it; `translated` itself where that is not found. Copies are in the
 * order of their records, so nothing that the reader has not seen is before it. Errors: `kafkaUnavailable`.
 */
export async function exactPosition(
  { there, here, limits }: ExactSearch,
  position: PartitionOffset,
  translated: bigint,
): Promise<bigint> {
  const { topic, partition } = position;
  const next = await firstRecord(there, position, limits);
  if (next === undefined) return translated;
  const from = Number(translated);
  const span = { topic, partition, from, to: from + MOST_SEARCHED };
  for await (const records of readSpan(here, span, limits)) {
    const found = records.find((record) => isCopy(record, next));
    if (found !== undefined) return found.offset;
  }
  return translated;
}

async function firstRecord(
  cluster: Cluster,
  { topic, partition, offset }: PartitionOffset,
  limits: Limits,
): Promise<StoredRecord | undefined> {
  const from = Number(offset);
  for await (const [first] of readSpan(cluster, { topic, partition, from, to: Number.MAX_SAFE_INTEGER }, limits)) {
    if (first !== undefined) return first;
  }
  return undefined;
}
