/** Frames of HTTP/2 as bytes (RFC 9113 §4, §6), and a client that writes them as a test says. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export const FRAME = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;
export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4 } as const;
export const ERROR = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
} as const;

const HEAD_BYTES = 9;

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload as string, 'latin1');
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(bytes.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** Settings by their identifiers (RFC 9113 §6.5.2). */
export function settings(values: Record<number, number> = {}): Buffer {
  const entries = Object.entries(values).map(([id, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(Number(id));
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  return frame(FRAME.settings, 0, 0, Buffer.concat(entries));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header block whose headers are written as they are, without index or Huffman code (RFC 7541 §6.2.2). */
export function headerBlock(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = headers.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]);
  return Buffer.concat(parts);
}

/** The headers of a request, which tests change or extend. */
export function requestBlock(
  method: string,
  path: string,
  more: readonly (readonly [name: string, value: string])[] = [],
): Buffer {
  return headerBlock([[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'h'], ...more]);
}

/** A request without a body. */
export function get(stream: number, path = '/topics'): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, requestBlock('GET', path));
}

/** A string literal with its length (RFC 7541 §5.1, §5.2). */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const largest = 0x7f;
  if (bytes.length < largest) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [largest];
  let rest = bytes.length - largest;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** Writes bytes, and collects the frames that come back. */
export class FrameClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  isClosed = false;
  #unparsed = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once('close', () => {
      this.isClosed = true;
    });
  }

  /** Takes over a connection, such as one with TLS. */
  static of(socket: Socket): FrameClient {
    return new FrameClient(socket);
  }

  /** Connects, and sends the preface with its settings. */
  static async open(url: string, values: Record<number, number> = {}): Promise<FrameClient> {
    const { hostname, port } = new URL(url);
    const client = new FrameClient(connect(Number(port), hostname));
    await once(client.socket, 'connect');
    client.write(Buffer.from(PREFACE, 'latin1'), settings(values));
    return client;
  }

  write(...frames: readonly Buffer[]): boolean {
    if (this.isClosed) return false;
    return this.socket.write(Buffer.concat(frames));
  }

  /** The code of a GOAWAY; `undefined`: none has come. */
  get goawayCode(): number | undefined {
    return this.goaways.at(-1)?.payload.readUInt32BE(4);
  }

  get goaways(): Frame[] {
    return this.frames.filter(({ type }) => type === FRAME.goaway);
  }

  /** The code with which a stream was reset; `undefined`: it was not. */
  resetCode(stream: number): number | undefined {
    return this.of(stream, FRAME.rstStream)[0]?.payload.readUInt32BE(0);
  }

  of(stream: number, type: number): Frame[] {
    return this.frames.filter((one) => one.stream === stream && one.type === type);
  }

  /** Whether the response to a stream is complete. */
  isAnswered(stream: number): boolean {
    return this.frames.some(
      (one) =>
        one.stream === stream &&
        (one.type === FRAME.headers || one.type === FRAME.data) &&
        (one.flags & FLAG.endStream) !== 0,
    );
  }

  #read(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#unparsed, chunk]);
    while (bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + bytes.readUIntBE(0, 3);
      if (bytes.length < end) break;
      this.frames.push({
        type: bytes.readUInt8(3),
        flags: bytes.readUInt8(4),
        stream: bytes.readUInt32BE(5),
        payload: bytes.subarray(HEAD_BYTES, end),
      });
      bytes = bytes.subarray(end);
    }
    this.#unparsed = bytes;
  }
}
