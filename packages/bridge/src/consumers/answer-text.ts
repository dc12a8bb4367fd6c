/** The JSON of a poll's answer, cut to the bytes that the client takes. */
import { isUtf8 } from 'node:buffer';
import type { Codec } from '../codec/codec.ts';
import { BridgeError } from '../errors.ts';
import { NULL_FIELD } from '../kafka/record-cursor.ts';
import type { RecordReader } from '../kafka/record-reader.ts';
import type { StoredRecord } from '../records.ts';
import { TextBuffer } from './text-buffer.ts';

export interface AnswerOptions {
  codec: Codec;
  /** Default: none. */
  maxBytes?: number;
  /** Default: `fail`. */
  onError?: ErrorPolicy;
  /** Is told the headers of each record of the answer that has some. */
  onHeaders?: ((headers: StoredRecord['headers']) => void) | undefined;
}

const CLOSING_BYTES = 1;
/** About as much as names, numbers and punctuation of an entry take, beside its topic. */
const ENTRY_BYTES = 110;

/** A record that cannot be shown: it fails the whole answer, or has an error entry in its place. */
export type ErrorPolicy = 'fail' | 'report';

/**
 * In UTF-8, as many records as fit `maxBytes`; the reader is then behind the last of them.
 * Errors: `responseTooLarge` when not even one does; unless they are to be reported, `recordUndecodable` and those of
 * damaged batches.
 */
export function answerText(reader: RecordReader, options: AnswerOptions): Buffer {
  const text = new AnswerText(reader, options).build();
  // Looked at once for the whole answer: hardly ever is anything in it that is not UTF-8.
  if (isUtf8(text)) return text;
  reader.restart();
  return new AnswerText(reader, options, { isCheckingUtf8: true }).build();
}

class AnswerText {
  readonly #reader: RecordReader;
  readonly #codec: Codec;
  readonly #maxBytes: number;
  readonly #onError: ErrorPolicy;
  readonly #isCheckingUtf8: boolean;
  readonly #onHeaders: AnswerOptions['onHeaders'];
  readonly #text: TextBuffer;
  /** What the entries of a partition have in common. */
  #topic = '';
  #partition = -1;
  #opening = '';
  #openingWithoutKey = '';
  #place = '';
  /** Most records have the time of the one before; `text`: from the first that had. */
  readonly #time: { ms: number | bigint; text: string } = { ms: Number.NaN, text: '' };

  constructor(
    reader: RecordReader,
    { codec, maxBytes = Number.POSITIVE_INFINITY, onError = 'fail', onHeaders }: AnswerOptions,
    { isCheckingUtf8 = false } = {},
  ) {
    this.#reader = reader;
    this.#codec = codec;
    this.#maxBytes = maxBytes;
    this.#onError = onError;
    this.#isCheckingUtf8 = isCheckingUtf8;
    this.#onHeaders = onHeaders;
    const { count, bytes } = reader.expected;
    this.#text = new TextBuffer(2 + bytes + count * ENTRY_BYTES);
  }

  build(): Buffer {
    const text = this.#text;
    const reader = this.#reader;
    text.ascii('[');
    let hasMore = false;
    while (reader.next()) {
      const before = text.length;
      if (reader.count > 1) text.ascii(',');
      this.#addEntry();
      if (text.length + CLOSING_BYTES <= this.#maxBytes) {
        if (this.#onHeaders !== undefined) this.#tellHeaders(this.#onHeaders);
        continue;
      }
      text.cut(before);
      reader.back();
      hasMore = true;
      break;
    }
    text.ascii(']');
    if (text.length > this.#maxBytes || (hasMore && reader.count === 0)) throw new BridgeError('responseTooLarge');
    return text.bytes;
  }

  #tellHeaders(onHeaders: (headers: StoredRecord['headers']) => void): void {
    const { cursor, damage } = this.#reader;
    if (damage === undefined && cursor.hasHeaders) onHeaders(cursor.headers);
  }

  #addEntry(): void {
    if (this.#onError === 'fail') {
      this.#addRecord();
      return;
    }
    const before = this.#text.length;
    try {
      this.#addRecord();
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      if (error !== this.#reader.damage && error.code !== 'recordUndecodable') throw error;
      this.#text.cut(before);
      this.#addError(error);
    }
  }

  #addRecord(): void {
    const text = this.#text;
    const { topic, partition, offset, timestampMs, cursor, damage } = this.#reader;
    if (damage !== undefined) throw damage;
    if (topic !== this.#topic || partition !== this.#partition) this.#enter(topic, partition);
    // All but keys, values and headers is ASCII.
    if (cursor.keyStart === NULL_FIELD) {
      text.ascii(this.#openingWithoutKey);
    } else {
      text.ascii(this.#opening);
      this.#addField(cursor.bytes, cursor.keyStart, cursor.keyEnd);
      text.ascii(',"value":');
    }
    this.#addField(cursor.bytes, cursor.valueStart, cursor.valueEnd);
    text.ascii(this.#place);
    text.integer(offset);
    this.#addTime(timestampMs);
    if (cursor.hasHeaders) this.#addHeaders(cursor.headers);
    text.ascii('}');
  }

  #enter(topic: string, partition: number): void {
    this.#topic = topic;
    this.#partition = partition;
    this.#opening = `{"topic":${JSON.stringify(topic)},"key":`;
    this.#openingWithoutKey = `${this.#opening}null,"value":`;
    this.#place = `,"partition":${partition},"offset":`;
  }

  #addTime(timestampMs: number | bigint): void {
    const [text, time] = [this.#text, this.#time];
    if (timestampMs === time.ms) {
      if (time.text === '') time.text = `,"timestamp":${timestampMs}`;
      text.ascii(time.text);
      return;
    }
    time.ms = timestampMs;
    time.text = '';
    text.ascii(',"timestamp":');
    text.integer(timestampMs);
  }

  #addField(bytes: Buffer, start: number, end: number): void {
    if (start === NULL_FIELD) this.#text.ascii('null');
    else if (this.#isAnswer(bytes, start, end)) this.#text.utf8(bytes, start, end);
    else this.#text.unicode(this.#codec.decode(bytes.subarray(start, end)));
  }

  #isAnswer(bytes: Buffer, start: number, end: number): boolean {
    if (this.#codec.isAnswer?.(bytes, start, end) !== true) return false;
    return !this.#isCheckingUtf8 || isUtf8(bytes.subarray(start, end));
  }

  #addHeaders(headers: StoredRecord['headers']): void {
    const entries = headers.map(
      ([name, content]) =>
        `{"key":${JSON.stringify(headerName(name))},"value":${content === null ? 'null' : `"${content.toString('base64')}"`}}`,
    );
    this.#text.unicode(`,"headers":[${entries.join(',')}]`);
  }

  #addError({ status, message }: BridgeError): void {
    const { topic, partition, offset } = this.#reader;
    this.#text.unicode(
      `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset},"error_code":${status},"message":${JSON.stringify(message)}}`,
    );
  }
}

/** Kafka has header names in UTF-8. Errors: `recordUndecodable` for other bytes, which no text could stand for. */
function headerName(name: Buffer | null): string {
  if (name === null) return '';
  if (isUtf8(name)) return name.toString();
  throw new BridgeError('recordUndecodable', { message: 'Failed to decode: the key of a header is not UTF-8' });
}
