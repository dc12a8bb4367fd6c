/** What the gateway reads and writes of consumer requests: the poll's time, and answers to a repeated request. */
import { pollTimeoutMs, withQueryParameter } from '@causeway/protocol/parameters.ts';
import type { Operation } from '@causeway/protocol/paths.ts';

/** What is left of a poll that moved to another target is at least this, so that it can join the group there. */
const MIN_POLL_TIMEOUT_MS = 100;

/** The same poll with what is left of its time after `elapsedMs`, so that a failover does not make the client wait twice. */
export function shortenPoll(target: string, elapsedMs: number): string {
  const timeoutMs = pollTimeoutMs(target);
  const leftMs = Math.max(MIN_POLL_TIMEOUT_MS, Math.round(timeoutMs - elapsedMs));
  return leftMs >= timeoutMs ? target : withQueryParameter(target, 'timeout', String(leftMs));
}

export interface RepeatedAnswer {
  status: number;
  body: Buffer;
}

/**
 * What the client is told when the request may have been executed by a target that was lost, and another answered that
 * there is nothing to do any more. `undefined`: what that one answered.
 */
export function answerToRepeated(
  operation: Operation,
  status: number,
  created: { instance: string | undefined; baseUri: (instance: string) => string },
): RepeatedAnswer | undefined {
  if (operation === 'deleteConsumer' && status === 404) return { status: 204, body: Buffer.alloc(0) };
  if (operation === 'createConsumer' && status === 409 && created.instance !== undefined) {
    const answer = { instance_id: created.instance, base_uri: created.baseUri(created.instance) };
    return { status: 200, body: Buffer.from(JSON.stringify(answer)) };
  }
  return undefined;
}
