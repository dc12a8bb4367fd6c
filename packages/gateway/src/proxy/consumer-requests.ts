/** What the gateway reads and writes of consumer requests: names, the poll's time, and answers to a repeated request. */
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

/** The `name` in the body of a create request. */
export function nameInCreateRequest(body: Buffer | undefined): string | undefined {
  return stringField(body, 'name');
}

/** The `instance_id` in the answer to a create request. */
export function instanceInCreateAnswer(body: Buffer): string | undefined {
  return stringField(body, 'instance_id');
}

function stringField(body: Buffer | undefined, field: string): string | undefined {
  if (body === undefined || body.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value !== 'object' || value === null || !(field in value)) return undefined;
    const text = (value as Record<string, unknown>)[field];
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
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
