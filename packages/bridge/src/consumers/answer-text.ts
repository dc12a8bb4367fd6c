/** The JSON of a poll's answer, cut to the bytes that the client takes. */
import type { Codec } from '../codec/codec.ts';
import { BridgeError } from '../errors.ts';
import type { StoredRecord } from '../records.ts';
import { TextBuffer } from './text-buffer.ts';

export interface Answer {
  /** In UTF-8. */
  text: Buffer;
  /** How many of the records it holds. */
  recordCount: number;
}

const CLOSING_BYTES = 1;
/** About as much as names, numbers and punctuation of an entry take, beside its topic. */
const ENTRY_BYTES = 110;

/** A record that cannot be shown: it fails the whole answer, or has an error entry in its place. */
export type ErrorPolicy = 'fail' | 'report';

/**
 * As many records, from the first, as fit `maxBytes`.
 * Errors: `responseTooLarge` when not even one does; unless they are to be reported, `recordUndecodable` and those of
 * damaged batches.
 */
export function answerText(
  records: readonly StoredRecord[],
  codec: Codec,
  maxBytes: number,
  onError: ErrorPolicy = 'fail',
): Answer {
  const text = new TextBuffer(expectedBytes(records));
  text.ascii('[');
  let recordCount = 0;
  for (const record of records) {
    const before = text.length;
    if (recordCount > 0) text.ascii(',');
    if (onError === 'report') addEntryOrError(text, record, codec);
    else addEntry(text, record, codec);
    if (text.length + CLOSING_BYTES > maxBytes) {
      text.cut(before);
      break;
    }
    recordCount += 1;
  }
  text.ascii(']');
  if (text.length > maxBytes || (recordCount === 0 && records.length > 0)) throw new BridgeError('responseTooLarge');
  return { text: text.bytes, recordCount };
}

function expectedBytes(records: readonly StoredRecord[]): number {
  let bytes = 2;
  for (const { topic, key, value } of records) {
    bytes += ENTRY_BYTES + topic.length + (key?.length ?? 0) + (value?.length ?? 0);
  }
  return bytes;
}

function addEntry(text: TextBuffer, record: StoredRecord, codec: Codec): void {
  if (record.damage !== undefined) throw record.damage;
  const { topic, key, value, partition, offset, timestampMs, headers } = record;
  // Topic names are ASCII.
  text.ascii(`{"topic":${JSON.stringify(topic)},"key":`);
  addField(text, key, codec);
  text.ascii(',"value":');
  addField(text, value, codec);
  text.ascii(`,"partition":${partition},"offset":${digits(offset)},"timestamp":${digits(timestampMs)}`);
  if (headers.length > 0) addHeaders(text, headers);
  text.ascii('}');
}

function addEntryOrError(text: TextBuffer, record: StoredRecord, codec: Codec): void {
  const before = text.length;
  try {
    addEntry(text, record, codec);
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    if (error !== record.damage && error.code !== 'recordUndecodable') throw error;
    text.cut(before);
    const { topic, partition, offset } = record;
    const { status: error_code, message } = error;
    text.unicode(
      `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset},"error_code":${error_code},"message":${JSON.stringify(message)}}`,
    );
  }
}

function addHeaders(text: TextBuffer, headers: StoredRecord['headers']): void {
  const entries = headers.map(
    ([name, content]) =>
      `{"key":${JSON.stringify(name?.toString() ?? '')},"value":${content === null ? 'null' : `"${content.toString('base64')}"`}}`,
  );
  text.unicode(`,"headers":[${entries.join(',')}]`);
}

function addField(text: TextBuffer, bytes: Buffer | null, codec: Codec): void {
  if (bytes === null) text.ascii('null');
  else if (codec.isAnswer?.(bytes) === true) text.utf8(bytes);
  else text.unicode(codec.decode(bytes));
}

/** Numbers print several times faster than bigints; all that occur in practice are exact. */
function digits(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
