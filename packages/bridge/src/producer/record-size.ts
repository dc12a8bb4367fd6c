/** The size of a record in Kafka, for comparison with limits. */
import type { RecordToProduce } from '../records.ts';

/** `DefaultRecordBatch.RECORD_BATCH_OVERHEAD` in Kafka. */
export const BATCH_OVERHEAD_BYTES = 61;
/** `DefaultRecord.MAX_RECORD_OVERHEAD`: attributes, length, timestamp and offset delta at their longest. */
const RECORD_OVERHEAD_BYTES = 21;

/** What records add to a batch, at most. `bytes`: the sum of {@link serializedBytes}, which counts a batch for each. */
export function addedBytes(bytes: number, recordCount: number): number {
  return bytes - BATCH_OVERHEAD_BYTES * recordCount;
}

/** Upper bound of the bytes of a batch with this record alone, as Kafka's Java producer estimates it. */
export function serializedBytes(record: RecordToProduce): number {
  let bytes = BATCH_OVERHEAD_BYTES + RECORD_OVERHEAD_BYTES + fieldBytes(record.key) + fieldBytes(record.value);
  const { headers } = record;
  bytes += varintBytes(headers?.length ?? 0);
  if (headers !== undefined) for (const [key, value] of headers) bytes += fieldBytes(key) + fieldBytes(value);
  return bytes;
}

function fieldBytes(field: Buffer | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length;
}

/** The length of a zigzag varint of a non-negative number. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest >= 128; rest /= 128) bytes += 1;
  return bytes;
}
