/** Values in paths and queries. Gateways and bridges read them as the peer API does: like JSON literals. */
import { queryParameter } from './paths.ts';

/** How long a poll waits without a `timeout`. */
export const DEFAULT_POLL_TIMEOUT_MS = 100;
/** The largest `consumers.maxPollTimeoutMs` of a bridge: a day. */
export const LONGEST_POLL_TIMEOUT_MS = 86_400_000;

/** Reads text as a JSON literal if it is one, and as a string if not. */
export function readLiteral(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (text === 'null') return null;
  return /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : text;
}

/** How long a poll waits, in milliseconds. The default for a value that the bridge refuses, since it refuses at once. */
export function pollTimeoutMs(target: string): number {
  const text = queryParameter(target, 'timeout');
  const value = text === undefined ? undefined : readLiteral(text);
  if (typeof value !== 'number' || !Number.isInteger(value)) return DEFAULT_POLL_TIMEOUT_MS;
  return value >= 0 && value <= LONGEST_POLL_TIMEOUT_MS ? value : DEFAULT_POLL_TIMEOUT_MS;
}

/** Replaces the value of a parameter in a request target; of repeated ones, the first, which counts. Absent ones stay absent. */
export function withQueryParameter(target: string, name: string, value: string): string {
  const start = target.indexOf('?') + 1;
  if (start === 0) return target;
  const fields = target.slice(start).split('&');
  const index = fields.findIndex((field) => queryParameter(`?${field}`, name) !== undefined);
  return index === -1 ? target : `${target.slice(0, start)}${fields.with(index, `${name}=${value}`).join('&')}`;
}
