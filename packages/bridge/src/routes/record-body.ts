/** The records of a produce request: cut out of a body of the usual shape, or parsed, checked and encoded one by one. */

import type { EmbeddedFormat } from '@causeway/protocol/content-types.ts';
import { recordsFormat } from '@causeway/protocol/content-types.ts';
import type { KafkaHeader, ProducerRecord, ProducerRecordList } from '@causeway/protocol/topics.ts';
import type { Codec } from '../codec/codec.ts';
import { codecOf } from '../codec/formats.ts';
import { scanRecords } from '../codec/record-scan.ts';
import { BridgeError } from '../errors.ts';
import type { RecordHeader, RecordToProduce } from '../records.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import type { Request } from './server.ts';
import { exactInteger } from './violations.ts';

/** The original answers so when `records` is absent, and clients' tests compare it. */
const RECORDS_ABSENT =
  'Cannot invoke "com.fasterxml.jackson.databind.node.ArrayNode.iterator()" because "jsonArray" is null';

export interface BodyTarget {
  /** Of the body, for what is not of the usual shape. */
  schema: object;
  /** Reads the partition of the path, if the path has one. */
  partition: (() => number) | undefined;
}

/** Errors: `bodyMissing`, `bodyTypeUnsupported`, `bodyUndecodable`, `schemaViolation`, `invalidValue`; what `partition` throws. */
export function recordsOf({ headers, body }: Request, target: BodyTarget): RecordToProduce[] {
  if (body === undefined || isEmptyBody(body)) throw new BridgeError('bodyMissing');
  const format = recordsFormat(headers['content-type']);
  if (format === undefined) throw new BridgeError('bodyTypeUnsupported');
  const { partition } = target;
  const scanned = scanRecords(body, { format, isPlacing: partition === undefined });
  if (scanned === undefined) return parseRecords(body, format, target);
  return placed(scanned, partition?.());
}

/** Any body. Errors: as {@link recordsOf}. */
export function parseRecords(
  body: Buffer,
  format: EmbeddedFormat,
  { schema, partition }: BodyTarget,
): RecordToProduce[] {
  const { records } = decodeBody(body, schema) as ProducerRecordList;
  const pathPartition = partition?.();
  if (records === undefined) throw new BridgeError('invalidValue', { message: RECORDS_ABSENT });
  const codec = codecOf(format);
  return records.map((record, index) => toProduce(record, index, { codec, pathPartition }));
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
  /** All records of the request go there. */
  pathPartition: number | undefined;
}

function toProduce(record: ProducerRecord, index: number, { codec, pathPartition }: Target): RecordToProduce {
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
    key: key === undefined ? null : codec.encode(key, { name: 'key', index }),
    value: value === null ? null : codec.encode(value, { name: 'value', index }),
    headers: headers?.map(toHeader),
    partition,
    timestampMs,
  };
}

function checkPartition(partition: number): void {
  if (partition >= 0) return;
  throw new BridgeError('invalidValue', {
    message: `Invalid partition: ${partition}. Partition number should always be non-negative or null.`,
  });
}

function toHeader({ key, value }: KafkaHeader): RecordHeader {
  return [Buffer.from(key), Buffer.from(value, 'base64')];
}
