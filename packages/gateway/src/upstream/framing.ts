/** Where an answer's body ends, and whether its connection can be used again (RFC 9112 §6.3 and §9.3). */
import { badResponse } from './errors.ts';
import type { ResponseHead, ResponseHeaders } from './response-head.ts';

export type Framing =
  /** So many bytes; 0: no body. */
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** All that comes until the target closes. */
  | { readonly kind: 'untilClose' };

const NO_BODY: Framing = { kind: 'length', bytes: 0 };
const CHUNKED: Framing = { kind: 'chunked' };
const UNTIL_CLOSE: Framing = { kind: 'untilClose' };

const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/** Errors: `BAD_RESPONSE` for a length or a transfer coding that leaves open where the body ends. */
export function framingOf({ status, headers }: ResponseHead, method: string): Framing {
  const coding = headers['transfer-encoding'];
  const lengthText = headers['content-length'];
  if (coding !== undefined && lengthText !== undefined) throw badResponse('it has a length and a transfer coding');
  if (coding !== undefined && [coding].flat().includes('')) throw badResponse('its transfer coding is empty');
  const length = lengthText === undefined ? undefined : parseLength(lengthText);
  if (method === 'HEAD' || status === NO_CONTENT || status === NOT_MODIFIED) return NO_BODY;
  if (coding !== undefined) {
    if (typeof coding === 'string' && coding.toLowerCase() === 'chunked') return CHUNKED;
    throw badResponse('its transfer coding is not "chunked" alone');
  }
  return length === undefined ? UNTIL_CLOSE : { kind: 'length', bytes: length };
}

/** Whether another request may follow on the connection, once this answer is complete. */
export function isPersistent(head: ResponseHead): boolean {
  const { headers, minorVersion } = head;
  if (isUnclear(head)) return false;
  const { connection } = headers;
  if (connection === undefined) return minorVersion > 0;
  if (connection === 'keep-alive') return true;
  const options = (Array.isArray(connection) ? connection.join(',') : connection)
    .split(',')
    .map((option) => option.trim().toLowerCase());
  if (options.includes('close')) return false;
  return minorVersion > 0 || options.includes('keep-alive');
}

/**
 * Whether the target may think otherwise of where the answer ends: a body that the status rules out is announced, and could
 * come late, as if it were the next request's answer (RFC 9110 §6.4.1); or there are chunks from HTTP/1.0, which does not know
 * them (RFC 9112 §6.1).
 */
function isUnclear({ status, headers, minorVersion }: ResponseHead): boolean {
  if (headers['transfer-encoding'] !== undefined && minorVersion === 0) return true;
  return (status === NO_CONTENT || status === NOT_MODIFIED) && announcesBody(headers);
}

/** Whether a body is announced, beside the question whether there may be one. */
export function announcesBody(headers: ResponseHeaders): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i;
const MS_PER_SECOND = 1_000;

/** For how long the target keeps an idle connection, in milliseconds, if it says so. */
export function keepAliveHintMs(headers: ResponseHeaders): number | undefined {
  const hint = headers['keep-alive'];
  if (typeof hint !== 'string') return undefined;
  const seconds = KEEP_ALIVE_TIMEOUT.exec(hint)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * MS_PER_SECOND;
}

/** Of several, or of a list, a client would have to know which one was meant (RFC 9110 §8.6). */
function parseLength(value: string | string[]): number {
  const length = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw badResponse('invalid length');
  return length;
}
