/** What the gateway reads and writes of consumer requests: the poll's time, and answers to a repeated request. */
import { type Operation, queryParameter } from '@causeway/protocol/paths.ts';

/** A poll that does not say how long it waits. */
const DEFAULT_POLL_TIMEOUT_MS = 100;
/** What is left of a poll that moved to another target is at least this, so that it can join the group there. */
const MIN_POLL_TIMEOUT_MS = 100;

/** How long a poll asks to wait, in milliseconds. */
export function pollTimeoutMs(target: string): number {
  const text = queryParameter(target, 'timeout');
  const value = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : DEFAULT_POLL_TIMEOUT_MS;
}

/** The same poll with what is left of its time after `elapsedMs`, so that a failover does not make the client wait twice. */
export function shortenPoll(target: string, elapsedMs: number): string {
  const text = queryParameter(target, 'timeout');
  if (text === undefined || !/^\d+$/.test(text)) return target;
  const leftMs = Math.max(MIN_POLL_TIMEOUT_MS, Math.round(Number(text) - elapsedMs));
  if (leftMs >= Number(text)) return target;
  const start = target.indexOf('?');
  const query = target.slice(start + 1).replace(/(^|&)timeout=\d+/i, `$1timeout=${leftMs}`);
  return `${target.slice(0, start)}?${query}`;
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
  created: { instance: string | undefined; baseUri: string },
): RepeatedAnswer | undefined {
  if (operation === 'deleteConsumer' && status === 404) return { status: 204, body: Buffer.alloc(0) };
  if (operation === 'createConsumer' && status === 409 && created.instance !== undefined) {
    const answer = { instance_id: created.instance, base_uri: `${created.baseUri}/instances/${created.instance}` };
    return { status: 200, body: Buffer.from(JSON.stringify(answer)) };
  }
  return undefined;
}
