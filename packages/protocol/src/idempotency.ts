/**
 * The `Idempotency-Key` of a produce request: requests of one principal with one key are executed once, and get one answer.
 * Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
import { hashText } from './hash-text.ts';

export const IDEMPOTENCY_KEY_HEADER = 'idempotency-key';

/** In the response to a repeated request: it was executed before, and this is the answer of that time. */
export const REPLAYED_HEADER = 'idempotency-replayed';

/** The longest key, in characters. */
export const MAX_KEY_LENGTH = 255;

/**
 * Keys are divided into so many slots, each of which one bridge owns at a time. The same in all gateways and bridges, for ever: the
 * slot of a key follows from it.
 */
export const SLOT_COUNT = 32;

export type KeyHeader = { kind: 'none' } | { kind: 'key'; key: string } | { kind: 'invalid'; reason: string };

/** A string of structured fields (RFC 9651 §3.3.3), as the draft has it. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;
/** The same without quotes, as most clients send it: no blank, no quote, no comma (which separates several headers). */
const PLAIN = /^[!#-+\--~]+$/;
const FORM = `one string of 1 to ${MAX_KEY_LENGTH} visible ASCII characters, with or without double quotes`;

/** Reads the header; a key means the same with and without quotes. */
export function readKeyHeader(header: string | readonly string[] | undefined): KeyHeader {
  if (header === undefined) return { kind: 'none' };
  const text = typeof header === 'string' ? header.trim() : header.join(', ');
  const [, quoted] = QUOTED.exec(text) ?? [];
  const key = quoted?.replaceAll(/\\(["\\])/g, '$1') ?? (PLAIN.test(text) ? text : '');
  if (key.length > 0 && key.length <= MAX_KEY_LENGTH) return { kind: 'key', key };
  return { kind: 'invalid', reason: `${IDEMPOTENCY_KEY_HEADER} must be ${FORM}` };
}

/** Identifies a key among those of all principals; `undefined`: no gateway authenticates clients. */
export function keyIdentity(principal: string | undefined, key: string): string {
  return JSON.stringify([principal ?? null, key]);
}

/** The slot of a {@link keyIdentity}. */
export function slotOf(identity: string): number {
  const hash = hashText(identity);
  return ((hash ^ (hash >>> 16)) >>> 0) % SLOT_COUNT;
}
