/** The records of a produce request: cut out of a body of the usual shape, or parsed, checked and encoded one by one. */

import { isUtf8 } from 'node:buffer';
import { recordsFormat } from '@causeway/protocol/content-types.ts';
import type { KafkaHeader, ProducerRecord } from '@causeway/protocol/topics.ts';
import { BridgeError } from '../errors.ts';
import type { Codec, Field } from '../formats/codec.ts';
import { formatNamed } from '../formats/formats.ts';
import { codecForRequest } from '../formats/preparation.ts';
import { type FoundRecords, scanRecords } from '../formats/record-scan.ts';
import type { RecordHeader, RecordToProduce } from '../records.ts';
import { type EmbeddedText, UNLISTED } from './body-tree.ts';
import { decodeTree, isEmptyBody, isLong } from './request-body.ts';
import type { Request } from './server.ts';
import { exactInteger } from './violations.ts';

const RECORDS_ABSENT = 'The request body has no "records": it must be a list of records';
/** Records, and their bytes, that are encoded before other work gets its turn. */
const SLICE_RECORDS = 1000;
const SLICE_BYTES = 131_072;
/**
 * The most headers of one record, and of all records of a request. Far beyond any use: the headers of one record are read
 * without a pause; all of them take many times the memory of the body.
 */
const MAX_HEADERS = { ofList: 10_000, ofBody: 500_000 };

export interface BodyTarget {
  /** The schema of a body that does not have the usual shape. */
  schema: object;
  /** Reads the partition from the path, if the path has one. */
  partition: (() => number) | undefined;
  /** The most records of one request. */
  maxRecords: number;
  /** Longer records cannot be stored. */
  maxRecordBytes: number;
}

/**
 * The records of a request for a topic, once their format is ready.
 * Errors: `bodyMissing`, `bodyTypeUnsupported`, `bodyUndecodable`, `schemaViolation`, `invalidValue`, `tooManyHeaders`,
 * `tooManyRecords`; those of `partition`, and of {@link codecForRequest}.
 */
export function readRecords(
  { headers, body, slices, visit }: Request,
  topic: string,
  target: BodyTarget,
): RecordToProduce[] | Promise<RecordToProduce[]> {
  if (body === undefined || isEmptyBody(body)) throw new BridgeError('bodyMissing');
  const format = recordsFormat(headers['content-type']);
  if (format === undefined) throw new BridgeError('bodyTypeUnsupported');
  const codec = codecForRequest(formatNamed(format), topic, visit);
  if (codec instanceof Promise) return codec.then((ready) => slices.run(recordsOf(body, ready, target)));
  return slices.run(recordsOf(body, codec, target));
}

/** As {@link readRecords}, for a body that is not empty, in slices. */
export function* recordsOf(body: Buffer, codec: Codec, target: BodyTarget): Generator<void, RecordToProduce[]> {
  const { partition, maxRecords, maxRecordBytes } = target;
  if (!isUtf8(body)) throw new BridgeError('bodyUndecodable');
  const options = {
    codec,
    isPlacing: partition === undefined,
    maxRecords,
    maxRecordBytes,
    maxHeaders: MAX_HEADERS.ofBody,
  };
  const scanned = yield* scanRecords(body, options);
  if (isLong(body)) yield;
  if (scanned === undefined) return withinLimit(yield* parseRecords(body, codec, target), target);
  return placed(withinLimit(scanned, target), partition?.());
}

/** Parses a body of any shape. Errors: as {@link recordsOf}, without `tooManyRecords`. */
export function* parseRecords(
  body: Buffer,
  codec: Codec,
  { schema, partition, maxRecords, maxRecordBytes }: BodyTarget,
): Generator<void, FoundRecords> {
  const tree = yield* decodeTree(body, schema, { maxItems: maxRecords, maxInnerItems: MAX_HEADERS, maxRecordBytes });
  if (isLong(body)) yield;
  const { records } = tree.value as { records?: EmbeddedRecord[] };
  const pathPartition = partition?.();
  if (records === undefined) throw new BridgeError('invalidValue', { message: RECORDS_ABSENT });
  checkHeaderCounts(records, tree.innerCount);
  const target: Target = { codec, pathPartition, maxBytes: maxRecordBytes };
  const toProduce: RecordToProduce[] = [];
  let pauseAt = SLICE_BYTES;
  for (const [index, record] of records.entries()) {
    if (index % SLICE_RECORDS === SLICE_RECORDS - 1 || bytesBehind(record) > pauseAt) {
      pauseAt = bytesBehind(record) + SLICE_BYTES;
      yield;
    }
    toProduce.push(yield* encoded(record, index, target));
  }
  return { records: toProduce, count: records.length + tree.omittedCount };
}

/** A record by its schema, with its key and value as their bytes in the body. */
type EmbeddedRecord = Omit<ProducerRecord, 'key' | 'value'> & { key?: EmbeddedText; value: EmbeddedText | null };

/** About where a record ends in the body. */
function bytesBehind({ key, value }: EmbeddedRecord): number {
  return value?.text.end ?? key?.text.end ?? 0;
}

function withinLimit({ records, count }: FoundRecords, { maxRecords }: BodyTarget): RecordToProduce[] {
  if (count <= maxRecords) return records;
  throw new BridgeError('tooManyRecords', {
    message: `The request has ${count} records, more than the limit of ${maxRecords}`,
  });
}

/** Puts all records into the partition of the path. */
function placed(records: RecordToProduce[], pathPartition: number | undefined): RecordToProduce[] {
  if (pathPartition === undefined || records.length === 0) return records;
  checkPartition(pathPartition);
  for (const record of records) record.partition = pathPartition;
  return records;
}

interface Target {
  codec: Codec;
  /** The partition for all records of the request. */
  pathPartition: number | undefined;
  maxBytes: number;
}

function* encoded(
  record: EmbeddedRecord,
  index: number,
  { codec, pathPartition, maxBytes }: Target,
): Generator<void, RecordToProduce> {
  const { key, value, timestamp, headers } = record;
  const partition = pathPartition ?? record.partition;
  if (partition !== undefined) checkPartition(partition);
  const timestampMs = timestamp === undefined ? undefined : exactInteger(timestamp);
  if (timestampMs !== undefined && timestampMs < 0n) {
    throw new BridgeError('invalidValue', {
      message: `Invalid timestamp: ${timestampMs}. Timestamp should always be non-negative or null.`,
    });
  }
  return {
    key: key === undefined ? null : yield* encodedField(key, { name: 'key', index }, { codec, maxBytes }),
    value: value === null ? null : yield* encodedField(value, { name: 'value', index }, { codec, maxBytes }),
    headers: headers?.map((header) => toHeader(header, index)),
    partition,
    timestampMs,
  };
}

function* encodedField(
  { text }: EmbeddedText,
  field: Field,
  { codec, maxBytes }: Pick<Target, 'codec' | 'maxBytes'>,
): Generator<void, Buffer> {
  const isLong = text.end - text.start > SLICE_BYTES;
  const bytes =
    isLong && codec.encodeInSlices !== undefined
      ? yield* codec.encodeInSlices(text, maxBytes)
      : codec.encode(text, maxBytes);
  if (bytes === undefined) throw codec.refusal(text, field);
  return bytes;
}

function checkPartition(partition: number): void {
  if (partition >= 0) return;
  throw new BridgeError('invalidValue', {
    message: `Invalid partition: ${partition}. Partition number should always be non-negative or null.`,
  });
}

/** `totalCount`: the headers of all records so far. */
function checkHeaderCounts(records: readonly EmbeddedRecord[], totalCount: number): void {
  // The common case.
  if (totalCount <= MAX_HEADERS.ofList) return;
  for (const [index, { headers = [] }] of records.entries()) {
    const count = headers.length + ((headers as { [UNLISTED]?: number })[UNLISTED] ?? 0);
    if (count > MAX_HEADERS.ofList) throw tooManyHeaders(`Record ${index}`, count, MAX_HEADERS.ofList);
  }
  if (totalCount > MAX_HEADERS.ofBody) throw tooManyHeaders('The request', totalCount, MAX_HEADERS.ofBody);
}

function tooManyHeaders(what: string, count: number, limit: number): BridgeError {
  return new BridgeError('tooManyHeaders', {
    message: `${what} has ${count} headers, more than the limit of ${limit}`,
  });
}

function toHeader({ key, value }: KafkaHeader, index: number): RecordHeader {
  if (!key.isWellFormed()) {
    throw new BridgeError('invalidValue', {
      message: `A header's key has half of a surrogate pair (\\ud800 to \\udfff), which is not text (record ${index})`,
    });
  }
  return [Buffer.from(key), value === null ? null : Buffer.from(value, 'base64')];
}
