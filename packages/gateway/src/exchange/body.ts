/** Reads a request's body: whole when it can be kept to be sent again, as a stream when it cannot. */
import { Readable } from 'node:stream';
import type { RequestMessage } from '@causeway/http/message.ts';

export interface BodyLimits {
  /** Up to here a body is kept. */
  readonly bufferBytes: number;
  /** Beyond it a body is refused. */
  readonly maxBodyBytes: number;
}

/** A body that can be read once, while it arrives. */
export interface StreamedBody {
  readonly stream: Readable;
  /** `undefined`: the client did not declare it. */
  readonly lengthBytes: number | undefined;
  /** The target waits for bytes that the client has not sent. */
  isWaitingForClient: boolean;
  receivedBytes: number;
}

/** What happens to bytes that arrive: there is no room to keep them in `streamed`, and the request has ended in `dropped`. */
export type BytesKept = 'kept' | 'streamed' | 'dropped';

export interface BodyReceiver {
  /** `bytes` more arrived to be kept; `isLast`: the body is complete. */
  onBodyBytes(bytes: number, isLast: boolean): BytesKept;
  /** `bytes` of the kept ones left for a target: they cannot be sent again. */
  onBodyTaken(bytes: number): void;
  /** More of a streamed body arrived. */
  onBodyStreaming(): void;
  /** The whole body. */
  onBuffered(body: Buffer): void;
  /** The body is longer than `bufferBytes`, or there is no room to keep it. */
  onStreamed(body: StreamedBody): void;
  onBodyTooLarge(): void;
}

/** Thrown into the stream of a body that turns out longer than allowed. */
export class BodyTooLargeError extends Error {
  constructor() {
    super('the body is longer than allowed');
    this.name = 'BodyTooLargeError';
  }
}

/** Whether the request has a body (RFC 9112 §6.3, RFC 9113 §8.1). */
export function hasBody({ headers, isHeadOnly }: RequestMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const declared = headers['content-length'];
  return declared === undefined ? isHeadOnly === false : Number(declared) > 0;
}

/** The bytes of a body that have arrived. */
export function bodyBytes(body: Buffer | StreamedBody | undefined): number {
  if (body === undefined) return 0;
  return Buffer.isBuffer(body) ? body.length : body.receivedBytes;
}

/** Returns a function that stops the reading, and drops the bytes read. */
export function readBody(request: RequestMessage, limits: BodyLimits, receiver: BodyReceiver): () => void {
  const lengthText = request.headers['content-length'];
  const declaredBytes = lengthText === undefined ? undefined : Number(lengthText);
  if (declaredBytes !== undefined && declaredBytes > limits.maxBodyBytes) {
    receiver.onBodyTooLarge();
    return nothing;
  }
  if (declaredBytes !== undefined && declaredBytes > limits.bufferBytes) {
    receiver.onStreamed(streamBody(request, { received: [], limits, receiver, lengthBytes: declaredBytes }));
    return nothing;
  }
  return declaredBytes === undefined
    ? readUntilEnd(request, limits, receiver)
    : readDeclared(request, { declaredBytes, limits, receiver });
}

function nothing(): void {}

/** A body of a declared length that is kept: usually one chunk, and complete before the stream ends. */
function readDeclared(
  request: RequestMessage,
  { declaredBytes, limits, receiver }: { declaredBytes: number; limits: BodyLimits; receiver: BodyReceiver },
): () => void {
  let chunks: Buffer[] | undefined;
  let totalBytes = 0;
  const onData = (chunk: Buffer): void => {
    totalBytes += chunk.length;
    const isLast = totalBytes === declaredBytes;
    const kept = receiver.onBodyBytes(chunk.length, isLast);
    if (kept === 'dropped') return;
    if (kept === 'kept' && chunks === undefined && isLast) {
      receiver.onBuffered(chunk);
      return;
    }
    chunks ??= [];
    chunks.push(chunk);
    if (kept === 'streamed') {
      const received = chunks;
      stop();
      request.pause();
      receiver.onStreamed(streamBody(request, { received, limits, receiver, lengthBytes: declaredBytes }));
    } else if (isLast) receiver.onBuffered(Buffer.concat(chunks, totalBytes));
  };
  const stop = (): void => {
    request.off('data', onData);
    chunks = undefined;
  };
  request.on('data', onData);
  return stop;
}

function readUntilEnd(request: RequestMessage, limits: BodyLimits, receiver: BodyReceiver): () => void {
  let chunks: Buffer[] = [];
  let totalBytes = 0;
  const onData = (chunk: Buffer): void => {
    const kept = receiver.onBodyBytes(chunk.length, false);
    if (kept === 'dropped') return;
    chunks.push(chunk);
    totalBytes += chunk.length;
    if (kept === 'kept' && totalBytes <= limits.bufferBytes) return;
    const received = chunks;
    stop();
    request.pause();
    if (totalBytes > limits.maxBodyBytes) receiver.onBodyTooLarge();
    else receiver.onStreamed(streamBody(request, { received, limits, receiver, lengthBytes: undefined }));
  };
  const onEnd = (): void => receiver.onBuffered(Buffer.concat(chunks, totalBytes));
  const stop = (): void => {
    request.off('data', onData);
    request.off('end', onEnd);
    chunks = [];
  };
  request.on('data', onData);
  request.on('end', onEnd);
  return stop;
}

interface StreamBeginning {
  readonly received: Buffer[];
  readonly limits: BodyLimits;
  readonly receiver: BodyReceiver;
  readonly lengthBytes: number | undefined;
}

/** Streams the bytes that have arrived, then the rest, as fast as the target reads. */
function streamBody(
  request: RequestMessage,
  { received, limits, receiver, lengthBytes }: StreamBeginning,
): StreamedBody {
  const { maxBodyBytes } = limits;
  async function* pieces(): AsyncGenerator<Buffer> {
    // From the back, so that a chunk is released when it was taken.
    const chunks = received.reverse();
    for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop()) {
      body.receivedBytes += chunk.length;
      yield chunk;
      receiver.onBodyTaken(chunk.length);
    }
    body.isWaitingForClient = true;
    // The client may still be sending when its response is complete.
    const rest = request.iterator({ destroyOnReturn: false });
    for await (const chunk of rest) {
      body.isWaitingForClient = false;
      body.receivedBytes += chunk.length;
      if (body.receivedBytes > maxBodyBytes) throw new BodyTooLargeError();
      receiver.onBodyStreaming();
      yield chunk;
      body.isWaitingForClient = true;
    }
    body.isWaitingForClient = false;
  }
  const stream = Readable.from(pieces(), { objectMode: false });
  const body: StreamedBody = { stream, lengthBytes, isWaitingForClient: false, receivedBytes: 0 };
  return body;
}
