/** Values of paths and queries, read as the API reads them, by gateways and bridges alike: like JSON literals. */
import { queryParameter } from './paths.ts';

/** A poll that does not say how long it waits. */
export const DEFAULT_POLL_TIMEOUT_MS = 100;
/** The longest wait of a poll that a bridge can be configured to allow: a day. */
export const LONGEST_POLL_TIMEOUT_MS = 86_400_000;

/** A parameter is read like a JSON literal where it is one, and is a string otherwise. */
export function readLiteral(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (text === 'null') return null;
  return /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : text;
}

/** How long a poll waits, in milliseconds: where the bridge refuses what it asks for, it does not wait. */
export function pollTimeoutMs(target: string): number {
  const text = queryParameter(target, 'timeout');
  const value = text === undefined ? undefined : readLiteral(text);
  if (typeof value !== 'number' || !Number.isInteger(value)) return DEFAULT_POLL_TIMEOUT_MS;
  return value >= 0 && value <= LONGEST_POLL_TIMEOUT_MS ? value : DEFAULT_POLL_TIMEOUT_MS;
}

/** The same target with another value of a parameter, where it has it: the one that counts. */
export function withQueryParameter(target: string, name: string, value: string): string {
  const start = target.indexOf('?') + 1;
  if (start === 0) return target;
  const fields = target.slice(start).split('&');
  const index = fields.findIndex((field) => queryParameter(`?${field}`, name) !== undefined);
  return index === -1 ? target : `${target.slice(0, start)}${fields.with(index, `${name}=${value}`).join('&')}`;
}
