/** The JSON of a poll's answer, cut to the bytes that the client takes. */
import type { Codec } from '../codec/codec.ts';
import { BridgeError } from '../errors.ts';
import type { StoredRecord } from '../records.ts';

export interface Answer {
  text: string;
  /** How many of the records it holds. */
  recordCount: number;
}

const BRACKETS_BYTES = 2;

/**
 * As many records, from the first, as fit `maxBytes`.
 * Errors: `responseTooLarge` when not even one does, `recordUndecodable`.
 */
export function answerText(records: readonly StoredRecord[], codec: Codec, maxBytes: number): Answer {
  const entries: string[] = [];
  let bytes = BRACKETS_BYTES;
  for (const record of records) {
    const entry = entryText(record, codec);
    const separatorBytes = entries.length === 0 ? 0 : 1;
    // Counted only where it matters: most clients set no limit.
    if (maxBytes !== Number.POSITIVE_INFINITY) bytes += Buffer.byteLength(entry) + separatorBytes;
    if (bytes > maxBytes) break;
    entries.push(entry);
  }
  if (bytes > maxBytes && entries.length === 0) throw new BridgeError('responseTooLarge');
  return { text: `[${entries.join(',')}]`, recordCount: entries.length };
}

function entryText(record: StoredRecord, codec: Codec): string {
  const { topic, key, value, partition, offset, timestampMs, headers } = record;
  const fields = `{"topic":${JSON.stringify(topic)},"key":${field(key, codec)},"value":${field(value, codec)},"partition":${partition},"offset":${offset},"timestamp":${timestampMs}`;
  if (headers.length === 0) return `${fields}}`;
  const entries = headers.map(
    ([name, content]) =>
      `{"key":${JSON.stringify(name?.toString() ?? '')},"value":${content === null ? 'null' : `"${content.toString('base64')}"`}}`,
  );
  return `${fields},"headers":[${entries.join(',')}]}`;
}

function field(bytes: Buffer | null, codec: Codec): string {
  return bytes === null ? 'null' : codec.decode(bytes);
}
