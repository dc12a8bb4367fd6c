/**
 * How a gateway changes consumers' requests and responses: polls that bring no more than it can hold, shorter polls after a failover, and
 * responses to repeated requests.
 */
import type { Operation } from '@causeway/protocol/operations/table.ts';
import { pollTimeoutMs, withQueryParameter } from '@causeway/protocol/parameters.ts';

/**
 * The shortest timeout of a poll that moved to another target. The bridge there has to join the group, to find the positions and
 * to fetch over new connections, with TLS and SASL: an empty response would say that the records before it are committed.
 */
const MIN_POLL_TIMEOUT_MS = 500;

/** The same poll with the time that is left after `elapsedMs`: a failover does not make the client wait twice. */
export function shortenPoll(target: string, elapsedMs: number): string {
  const timeoutMs = pollTimeoutMs(target);
  const leftMs = Math.max(MIN_POLL_TIMEOUT_MS, Math.round(timeoutMs - elapsedMs));
  return leftMs >= timeoutMs ? target : withQueryParameter(target, 'timeout', String(leftMs));
}

/**
 * How large a response to a poll this gateway can hold, and those before it (`received`), so that they can ask again when the target dies
 * within it. `undefined`: any size, for all of them are streamed.
 */
export function maxResponseBytes(
  received: string | undefined,
  { bufferBytes, roomBytes }: { bufferBytes: number; roomBytes: number },
): number | undefined {
  const before = received === undefined ? undefined : Number(received);
  if (bufferBytes === 0) return before;
  const ownBytes = Math.floor(Math.min(bufferBytes, roomBytes));
  return before === undefined ? ownBytes : Math.min(before, ownBytes);
}

export interface RepeatedResponse {
  status: number;
  body: Buffer;
}

/**
 * The response to a request that a lost target may have executed, when another one responds that there is nothing left to do.
 * `undefined`: that response stands.
 */
export function responseToRepeated(
  operation: Operation,
  status: number,
  created: { instance: string | undefined; baseUri: (instance: string) => string },
): RepeatedResponse | undefined {
  if (operation === 'deleteConsumer' && status === 404) return { status: 204, body: Buffer.alloc(0) };
  if (operation === 'createConsumer' && status === 409 && created.instance !== undefined) {
    const answer = { instance_id: created.instance, base_uri: created.baseUri(created.instance) };
    return { status: 200, body: Buffer.from(JSON.stringify(answer)) };
  }
  return undefined;
}
