/** The JSON of a poll's response, cut to the bytes that the client accepts and that gateways can hold, and made in slices. */
import { isUtf8 } from 'node:buffer';
import { BridgeError } from '../errors.ts';
import type { Decoder } from '../formats/codec.ts';
import { NULL_FIELD, type RecordCursor } from '../kafka/fetch/record-cursor.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';
import type { StoredRecord } from '../records.ts';
import type { DecoderOfTopic } from './prepared-codecs.ts';
import { TextBuffer } from './text-buffer.ts';

export interface ResponseTextOptions {
  /** One for all records, or by topic. */
  codec: Decoder | DecoderOfTopic;
  /** What the client accepts. Default: any length. */
  maxBytes?: number;
  /** Where the response ends; a single record that is longer comes alone. Default: at the last record. */
  wantedBytes?: number;
  /** Default: `fail`. */
  onError?: ErrorPolicy;
  /** Called with the first headers of each record that has headers. */
  onHeaders?: ((headers: StoredRecord['headers']) => void) | undefined;
}

/** Bytes that are read and written before other work of the process gets its turn; most responses have less. */
const SLICE_BYTES = 524_288;
/** A longer record is made in slices itself, if its key, its value or the number of its headers is beyond these. */
const LONG_RECORD_BYTES = 32_768;
const LONG_FIELD_BYTES = 131_072;
const SLICE_HEADERS = 2000;
const CLOSING_BYTES = 1;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const CLOSING_BRACE = 0x7d;
const NOTHING = Buffer.alloc(0);
const NULL = Buffer.from('null');
const VALUE = Buffer.from(',"value":');
const TIMESTAMP = Buffer.from(',"timestamp":');
/** About as much as names, numbers and punctuation of an entry take, beside its topic. */
const ENTRY_BYTES = 110;

/** A record that cannot be decoded fails the whole response, or is replaced by an error entry. */
export type ErrorPolicy = 'fail' | 'report';

/**
 * In UTF-8, as many records as fit `maxBytes` and `wantedBytes`; the reader is then behind the last of them.
 * Errors: `responseTooLarge` when not even one fits; unless `onError` is `report`, `recordUndecodable` and those of damaged
 * batches.
 */
export function* responseText(reader: RecordReader, options: ResponseTextOptions): Generator<void, Buffer> {
  const text = yield* new ResponseText(reader, options).build();
  // Checked once for the whole response, which hardly ever has anything but UTF-8.
  if (isUtf8(text)) return text;
  reader.restart();
  return yield* new ResponseText(reader, options, { isCheckingUtf8: true }).build();
}

class ResponseText {
  readonly #reader: RecordReader;
  readonly #codecOf: DecoderOfTopic;
  /** Of the topic. */
  #codec!: Decoder;
  readonly #maxBytes: number;
  readonly #wantedBytes: number;
  readonly #onError: ErrorPolicy;
  readonly #isCheckingUtf8: boolean;
  readonly #onHeaders: ResponseTextOptions['onHeaders'];
  readonly #text: TextBuffer;
  /** Text that all entries of a partition share. */
  #topic = '';
  #partition = -1;
  #opening = NOTHING;
  #openingWithoutKey = NOTHING;
  #place = NOTHING;
  /** The last time, which most records share; `text`: of that time, once a second record has it. */
  readonly #time: { ms: number | bigint; text: Buffer } = { ms: Number.NaN, text: NOTHING };

  constructor(
    reader: RecordReader,
    {
      codec,
      maxBytes = Number.POSITIVE_INFINITY,
      wantedBytes = maxBytes,
      onError = 'fail',
      onHeaders,
    }: ResponseTextOptions,
    { isCheckingUtf8 = false } = {},
  ) {
    this.#reader = reader;
    this.#codecOf = typeof codec === 'function' ? codec : () => codec;
    this.#maxBytes = maxBytes;
    this.#wantedBytes = Math.min(maxBytes, wantedBytes);
    this.#onError = onError;
    this.#isCheckingUtf8 = isCheckingUtf8;
    this.#onHeaders = onHeaders;
    const { count, bytes } = reader.expected;
    // With room for the record that turns out to be too much.
    this.#text = new TextBuffer(Math.min(2 + bytes + count * ENTRY_BYTES, this.#wantedBytes + LONG_RECORD_BYTES));
  }

  *build(): Generator<void, Buffer> {
    const text = this.#text;
    const reader = this.#reader;
    text.character(OPENING_BRACKET);
    let hasMore = false;
    let sliceBytes = 0;
    while (reader.next()) {
      const before = text.length;
      if (reader.count > 1) text.character(COMMA);
      const { recordBytes } = reader.cursor;
      if (reader.damage === undefined && recordBytes > LONG_RECORD_BYTES) yield* this.#addLongEntry();
      else this.#addEntry();
      sliceBytes += recordBytes + text.length - before;
      if (sliceBytes > SLICE_BYTES) {
        yield;
        sliceBytes = 0;
      }
      const bytes = text.length + CLOSING_BYTES;
      const isWanted = bytes <= this.#wantedBytes;
      if (isWanted || (reader.count === 1 && bytes <= this.#maxBytes)) {
        if (this.#onHeaders !== undefined) this.#tellHeaders(this.#onHeaders);
        if (isWanted) continue;
        break;
      }
      text.cut(before);
      reader.back();
      hasMore = true;
      break;
    }
    text.character(CLOSING_BRACKET);
    if (text.length > this.#maxBytes || (hasMore && reader.count === 0)) throw new BridgeError('responseTooLarge');
    return text.bytes;
  }

  #tellHeaders(onHeaders: (headers: StoredRecord['headers']) => void): void {
    const { cursor, damage } = this.#reader;
    if (damage !== undefined || !cursor.hasHeaders) return;
    const { value } = cursor.headersInParts(SLICE_HEADERS).next();
    if (value !== undefined) onHeaders(value);
  }

  #addEntry(): void {
    const before = this.#text.length;
    try {
      this.#addFields();
      const { cursor } = this.#reader;
      if (cursor.hasHeaders) this.#text.unicode(`,"headers":[${headersText(cursor.headers)}]`);
      this.#text.character(CLOSING_BRACE);
    } catch (error) {
      this.#addInstead(error, before);
    }
  }

  *#addLongEntry(): Generator<void, void> {
    const before = this.#text.length;
    try {
      yield* this.#addLongFields();
      const { cursor } = this.#reader;
      if (cursor.hasHeaders) yield* this.#addHeaderParts(cursor.headersInParts(SLICE_HEADERS));
      this.#text.character(CLOSING_BRACE);
    } catch (error) {
      this.#addInstead(error, before);
    }
  }

  /** Replaces a record that cannot be decoded and began at `before`. Errors: that of the record, unless `onError` is `report`. */
  #addInstead(error: unknown, before: number): void {
    if (this.#onError === 'fail' || !(error instanceof BridgeError)) throw error;
    if (error !== this.#reader.damage && error.code !== 'recordUndecodable') throw error;
    this.#text.cut(before);
    this.#addError(error);
  }

  #addFields(): void {
    const cursor = this.#open();
    if (cursor.keyStart !== NULL_FIELD) {
      this.#addField(cursor.bytes, cursor.keyStart, cursor.keyEnd);
      this.#text.piece(VALUE);
    }
    this.#addField(cursor.bytes, cursor.valueStart, cursor.valueEnd);
    this.#addPlace();
  }

  *#addLongFields(): Generator<void, void> {
    const cursor = this.#open();
    if (cursor.keyStart !== NULL_FIELD) {
      yield* this.#addLongField(cursor.bytes, cursor.keyStart, cursor.keyEnd);
      this.#text.piece(VALUE);
    }
    yield* this.#addLongField(cursor.bytes, cursor.valueStart, cursor.valueEnd);
    this.#addPlace();
  }

  /** Writes up to the key, or to the value where there is no key. Everything but keys, values and headers is ASCII. */
  #open(): RecordCursor {
    const { topic, partition, cursor, damage } = this.#reader;
    if (damage !== undefined) throw damage;
    if (topic !== this.#topic || partition !== this.#partition) this.#enter(topic, partition);
    this.#text.piece(cursor.keyStart === NULL_FIELD ? this.#openingWithoutKey : this.#opening);
    return cursor;
  }

  #addPlace(): void {
    this.#text.piece(this.#place);
    this.#text.integer(this.#reader.offset);
    this.#addTime(this.#reader.timestampMs);
  }

  #enter(topic: string, partition: number): void {
    if (topic !== this.#topic) this.#codec = this.#codecOf(topic);
    this.#topic = topic;
    this.#partition = partition;
    const opening = `{"topic":${JSON.stringify(topic)},"key":`;
    this.#opening = Buffer.from(opening);
    this.#openingWithoutKey = Buffer.from(`${opening}null,"value":`);
    this.#place = Buffer.from(`,"partition":${partition},"offset":`);
  }

  #addTime(timestampMs: number | bigint): void {
    const [text, time] = [this.#text, this.#time];
    if (timestampMs === time.ms) {
      if (time.text.length === 0) time.text = Buffer.from(`,"timestamp":${timestampMs}`);
      text.piece(time.text);
      return;
    }
    time.ms = timestampMs;
    time.text = NOTHING;
    text.piece(TIMESTAMP);
    text.integer(timestampMs);
  }

  #addField(bytes: Buffer, start: number, end: number): void {
    if (start === NULL_FIELD) this.#text.piece(NULL);
    else if (this.#isAnswer(bytes, start, end)) this.#text.utf8(bytes, start, end);
    else this.#text.unicode(this.#codec.decode(bytes.subarray(start, end)));
  }

  *#addLongField(bytes: Buffer, start: number, end: number): Generator<void, void> {
    const isLong = end - start > LONG_FIELD_BYTES;
    if (!isLong || this.#codec.decodeInSlices === undefined) {
      this.#addField(bytes, start, end);
      return;
    }
    const decoded = yield* this.#codec.decodeInSlices(bytes.subarray(start, end));
    yield;
    this.#text.unicode(decoded);
    yield;
  }

  #isAnswer(bytes: Buffer, start: number, end: number): boolean {
    if (this.#codec.isAnswer?.(bytes, start, end) !== true) return false;
    return !this.#isCheckingUtf8 || isUtf8(bytes.subarray(start, end));
  }

  /** `parts`: of the headers; after each, other work of the process gets its turn. */
  *#addHeaderParts(parts: Iterable<StoredRecord['headers']>): Generator<void, void> {
    let opening = ',"headers":[';
    for (const part of parts) {
      this.#text.unicode(opening + headersText(part));
      opening = ',';
      yield;
    }
    this.#text.character(CLOSING_BRACKET);
  }

  #addError({ status, message }: BridgeError): void {
    const { topic, partition, offset } = this.#reader;
    this.#text.unicode(
      `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset},"error_code":${status},"message":${JSON.stringify(message)}}`,
    );
  }
}

function headersText(headers: StoredRecord['headers']): string {
  const entries = headers.map(
    ([name, content]) =>
      `{"key":${JSON.stringify(headerName(name))},"value":${content === null ? 'null' : `"${content.toString('base64')}"`}}`,
  );
  return entries.join(',');
}

/** Kafka has header names in UTF-8. Errors: `recordUndecodable` for other bytes, which JSON cannot represent. */
function headerName(name: Buffer | null): string {
  if (name === null) return '';
  if (isUtf8(name)) return name.toString();
  throw new BridgeError('recordUndecodable', { message: 'Failed to decode: the key of a header is not UTF-8' });
}
