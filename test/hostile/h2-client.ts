/** A client of HTTP/2 that sends what no library would, and reads what came of it. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { FLAG, FRAME, type Frame, frame, headerBlock, PREFACE } from '../harness/http2-frames.ts';

export type Field = readonly [name: string, value: string];

const FRAME_HEAD_BYTES = 9;
/** Responses use no table that this client would have to keep (RFC 7541 §4.2). */
const NO_TABLE = Buffer.from([0, 1, 0, 0, 0, 0]);
const PADDED = 8;
const STUCK_AFTER_MS = 60_000;

/** A whole request; `body` is one frame of data. */
export function requestFrames(stream: number, fields: readonly Field[], body?: string): Buffer {
  const end = body === undefined ? FLAG.endStream : 0;
  const head = frame(FRAME.headers, FLAG.endHeaders | end, stream, headerBlock(fields));
  return body === undefined ? head : Buffer.concat([head, frame(FRAME.data, FLAG.endStream, stream, body)]);
}

/** What a server says about one stream. */
export interface StreamResult {
  /** 0: no response began. */
  status: number;
  body: string;
  isEnded: boolean;
  /** The error code of RST_STREAM. */
  resetCode: number | undefined;
}

export class H2Client {
  readonly frames: Frame[] = [];
  isClosed = false;
  readonly #socket: Duplex;
  #rest = Buffer.alloc(0);
  #onChange = Promise.withResolvers<void>();

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.#changed();
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.write(Buffer.from(PREFACE), frame(FRAME.settings, 0, 0, NO_TABLE));
  }

  write(...pieces: readonly Buffer[]): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(Buffer.concat(pieces));
  }

  /** The error code of GOAWAY; `undefined` without one. */
  get goawayCode(): number | undefined {
    return this.frames.find(({ type }) => type === FRAME.goaway)?.payload.readUInt32BE(4);
  }

  result(stream: number): StreamResult {
    const own = this.frames.filter((received) => received.stream === stream);
    const heads = own
      .filter(({ type }) => type === FRAME.headers)
      .map(({ payload, flags }) => statusIn(payload, flags));
    const data = own.filter(({ type }) => type === FRAME.data);
    const reset = own.find(({ type }) => type === FRAME.rstStream);
    return {
      status: heads.find((status) => status >= 200) ?? 0,
      body: Buffer.concat(data.map(({ payload }) => payload)).toString('latin1'),
      isEnded: own.some(
        ({ type, flags }) => (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0,
      ),
      resetCode: reset?.payload.readUInt32BE(0),
    };
  }

  /** Waits until a stream has ended or was reset, or the connection closed. `false`: none of it happened. */
  async settled(stream: number): Promise<boolean> {
    return await this.until(() => {
      const { isEnded, resetCode } = this.result(stream);
      return isEnded || resetCode !== undefined;
    });
  }

  /** Waits until `condition` holds, or the connection closed. `false`: neither happened. */
  async until(condition: () => boolean): Promise<boolean> {
    const deadline = AbortSignal.timeout(STUCK_AFTER_MS);
    const isOver = once(deadline, 'abort').then(() => {});
    while (!this.isClosed && !condition()) {
      if (deadline.aborted) return false;
      await Promise.race([this.#onChange.promise, isOver]);
    }
    return true;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      const received = {
        type: this.#rest.readUInt8(3),
        flags: this.#rest.readUInt8(4),
        stream: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#rest.subarray(FRAME_HEAD_BYTES, end)),
      };
      this.#rest = this.#rest.subarray(end);
      this.frames.push(received);
      if (received.type === FRAME.settings && (received.flags & FLAG.ack) === 0)
        this.write(frame(FRAME.settings, FLAG.ack, 0));
    }
    this.#changed();
  }

  #changed(): void {
    this.#onChange.resolve();
    this.#onChange = Promise.withResolvers();
  }
}

/** The statuses in HPACK's static table, from its index 8 (RFC 7541 appendix A). */
const STATIC_STATUSES = [200, 204, 206, 304, 400, 404, 500];
const STATUS_INDEX = 8;
/** The codes of 0, 1 and 2 have 5 bits, those of the other digits 6 (RFC 7541 appendix B). */
const SHORT_DIGITS = ['00000', '00001', '00010'];
const FIRST_LONG_DIGIT = 0b011001;

/** `:status` is the first field of a response. Errors: for a form that servers do not use for it. */
function statusIn(payload: Buffer, flags: number): number {
  const at = (flags & PADDED) === 0 ? 0 : 1;
  let first = at;
  // A change of the table's size comes before it.
  while (((payload[first] ?? 0) & 0xe0) === 0x20) first += 1;
  const byte = payload[first] ?? 0;
  if ((byte & 0x80) !== 0) return STATIC_STATUSES[(byte & 0x7f) - STATUS_INDEX] ?? fail(payload);
  const index = (byte & 0xc0) === 0x40 ? byte & 0x3f : byte & 0x0f;
  if (index < STATUS_INDEX || index >= STATUS_INDEX + STATIC_STATUSES.length) return fail(payload);
  const length = payload[first + 1] ?? 0;
  const text = payload.subarray(first + 2, first + 2 + (length & 0x7f));
  return (length & 0x80) === 0 ? Number(text.toString('latin1')) : Number(digitsOf(text));
}

function fail(payload: Buffer): never {
  throw new Error(`no status at the beginning of ${payload.toString('hex')}`);
}

function digitsOf(bytes: Buffer): string {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  while (digits.length < 3) {
    const short = SHORT_DIGITS.indexOf(bits.slice(0, 5));
    digits += short === -1 ? String(3 + Number.parseInt(bits.slice(0, 6), 2) - FIRST_LONG_DIGIT) : String(short);
    bits = bits.slice(short === -1 ? 6 : 5);
  }
  return digits;
}
