/** Reads the body of a request, within the limits of one body and of all held bytes. */
import type { IncomingMessage } from 'node:http';
import type { HeldClient } from '@causeway/http/held-bytes.ts';
import type { ContentCoding } from '@causeway/protocol/content-codings.ts';
import { BridgeError } from '../errors.ts';
import { type ContentDecoder, contentCodings } from './content-decoding.ts';
import { bodyTooSlow, type Load } from './load.ts';
import type { Visit } from './visits.ts';

export interface BodyReader {
  maxBodyBytes: number;
  load: Load;
  decoder: ContentDecoder;
  /** Counts the bytes that arrive and those that are held. */
  visit: Pick<Visit, 'over' | 'hold' | 'receivedBytes'>;
}

/**
 * The whole body, decoded; `undefined` for a request without one. The rest of a refused body is read and dropped, so that the
 * client can read the refusal. Errors: `bodyTooLarge`, `overloaded`, `contentCodingUnsupported`, `bodyUndecodable`,
 * `badRequest` when the client goes away.
 */
export function readBody(request: IncomingMessage, reader: BodyReader): Promise<Buffer | undefined> | undefined {
  const { 'content-length': length, 'transfer-encoding': coding, 'content-encoding': encoding } = request.headers;
  const declaredBytes = length === undefined ? 0 : Number(length);
  if (coding === undefined && declaredBytes === 0) return undefined;
  if (declaredBytes > reader.maxBodyBytes) throw tooLarge(reader);
  reader.load.checkBytes(declaredBytes);
  const codings = contentCodings(encoding);
  return codings.length === 0 ? receive(request, reader) : receiveEncoded(request, codings, reader);
}

async function receiveEncoded(
  request: IncomingMessage,
  codings: readonly ContentCoding[],
  reader: BodyReader,
): Promise<Buffer> {
  const body = await receive(request, reader);
  return body.length === 0 ? body : await reader.decoder.decode(body, codings, reader);
}

function receive(request: IncomingMessage, reader: BodyReader): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { load, visit } = reader;
    const declaredBytes = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    const chunks: Buffer[] = [];
    let receivedBytes = 0;
    const onData = (chunk: Buffer): void => {
      receivedBytes += chunk.length;
      try {
        if (receivedBytes > reader.maxBodyBytes) throw tooLarge(reader);
        load.checkBytes(chunk.length);
      } catch (error) {
        giveUp(error);
        return;
      }
      client.heldBytes += chunk.length;
      visit.hold(chunk.length);
      visit.receivedBytes += chunk.length;
      chunks.push(chunk);
      if (receivedBytes < declaredBytes) load.awaiting(client, chunk.length);
    };
    const onEnd = (): void => {
      if (client.pacedUntilMs > 0) load.arrived(client);
      resolve(joined(chunks, receivedBytes));
    };
    const giveUp = (error: unknown): void => {
      if (client.pacedUntilMs > 0) load.arrived(client);
      request.off('data', onData).off('end', onEnd).resume();
      chunks.length = 0;
      visit.hold(-client.heldBytes);
      client.heldBytes = 0;
      // The rest may have arrived already: then the connection stays open.
      setImmediate(() => reject(error));
    };
    const client: HeldClient & { heldBytes: number } = {
      heldBytes: 0,
      pacedUntilMs: 0,
      onEvicted: () => {
        if (!request.destroyed) giveUp(bodyTooSlow());
      },
    };
    request.on('data', onData);
    request.once('end', onEnd);
    // No effect once the body is complete.
    request.once('error', (cause) => {
      if (client.pacedUntilMs > 0) load.arrived(client);
      reject(new BridgeError('badRequest', { cause }));
    });
  });
}

/** A single chunk with its own memory is not copied. */
function joined(chunks: readonly Buffer[], byteCount: number): Buffer {
  const [first] = chunks;
  if (chunks.length === 1 && first?.buffer.byteLength === first?.length && first !== undefined) return first;
  return Buffer.concat(chunks, byteCount);
}

function tooLarge({ maxBodyBytes }: BodyReader): BridgeError {
  return new BridgeError('bodyTooLarge', {
    message: `The request body is larger than the limit of ${maxBodyBytes} bytes`,
  });
}
