/** Whether a record is the copy of another one. */
import type { StoredRecord } from '../records.ts';

/** MirrorMaker copies records with their times, and adds nothing. */
export function isCopy(copy: StoredRecord, record: StoredRecord): boolean {
  return copy.timestampMs === record.timestampMs && isSame(copy.key, record.key) && isSame(copy.value, record.value);
}

function isSame(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}
