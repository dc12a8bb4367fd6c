/** Selects the record batches of a fetch that a consumer may see (KIP-98). The library's own filter lets aborted records through. */
import { CONTROL, TRANSACTIONAL } from '../record-batch-layout.ts';
import type { RecordBatch } from './record-batches.ts';
import { RecordCursor } from './record-cursor.ts';

/** Key of a control record: version (int16), then type (int16); 0 is an abort marker. */
const CONTROL_TYPE_OFFSET = 2;
const ABORT_MARKER = 0;

export interface AbortedTransaction {
  producerId: bigint;
  firstOffset: bigint;
}

/** Without control batches, and without batches of the aborted transactions that the broker names (`null`: none). */
export function visibleBatches(
  batches: readonly RecordBatch[],
  abortedTransactions: readonly AbortedTransaction[] | null,
): RecordBatch[] {
  const upcoming = [...(abortedTransactions ?? [])].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborting = new Set<bigint>();
  const visible: RecordBatch[] = [];
  for (const batch of batches) {
    const { end } = batch;
    while (upcoming[0] !== undefined && upcoming[0].firstOffset < end) {
      aborting.add(upcoming[0].producerId);
      upcoming.shift();
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) aborting.delete(batch.producerId);
    } else if ((batch.attributes & TRANSACTIONAL) === 0 || !aborting.has(batch.producerId)) {
      visible.push(batch);
    }
  }
  return visible;
}

function isAbortMarker(batch: RecordBatch): boolean {
  if (batch.recordCount === 0) return false;
  const marker = new RecordCursor(batch.records);
  marker.next();
  return marker.key?.readInt16BE(CONTROL_TYPE_OFFSET) === ABORT_MARKER;
}
