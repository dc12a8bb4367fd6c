/** Decides where the body of a response ends, and whether its connection is reusable (RFC 9112 §6.3 and §9.3). Pure. */
import { badResponse } from './errors.ts';
import type { ResponseHead, ResponseHeaders } from './response-head.ts';

export type Framing =
  /** This many bytes; 0 without a body. */
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** All bytes until the target closes the connection. */
  | { readonly kind: 'untilClose' };

const NO_BODY: Framing = { kind: 'length', bytes: 0 };
const CHUNKED: Framing = { kind: 'chunked' };
const UNTIL_CLOSE: Framing = { kind: 'untilClose' };

const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/** Errors: `BAD_RESPONSE` for a length or a transfer coding that leaves the end of the body unclear. */
export function framingOf({ status, headers }: ResponseHead, method: string): Framing {
  const coding = headers['transfer-encoding'];
  const lengthText = headers['content-length'];
  if (coding !== undefined && lengthText !== undefined) throw badResponse('both a length and a transfer coding');
  if (coding !== undefined && [coding].flat().includes('')) throw badResponse('empty transfer coding');
  const length = lengthText === undefined ? undefined : parseLength(lengthText);
  if (method === 'HEAD' || status === NO_CONTENT || status === NOT_MODIFIED) return NO_BODY;
  if (coding !== undefined) {
    if (typeof coding === 'string' && coding.toLowerCase() === 'chunked') return CHUNKED;
    throw badResponse('a transfer coding other than "chunked"');
  }
  return length === undefined ? UNTIL_CLOSE : { kind: 'length', bytes: length };
}

/** Whether another request may follow on the connection after this response. */
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
 * Whether the target may disagree about the end of the response. Either the head announces a body that the status rules out,
 * which could arrive late and look like the next response (RFC 9110 §6.4.1), or HTTP/1.0 sends chunks, which it does not know
 * (RFC 9112 §6.1).
 */
function isUnclear({ status, headers, minorVersion }: ResponseHead): boolean {
  if (headers['transfer-encoding'] !== undefined && minorVersion === 0) return true;
  return (status === NO_CONTENT || status === NOT_MODIFIED) && announcesBody(headers);
}

/** Whether the head announces a body, allowed or not. */
export function announcesBody(headers: ResponseHeaders): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i;
const MS_PER_SECOND = 1_000;

/** Returns how long the target keeps an idle connection, in milliseconds, if its Keep-Alive header has a timeout. */
export function keepAliveHintMs(headers: ResponseHeaders): number | undefined {
  const hint = headers['keep-alive'];
  if (typeof hint !== 'string') return undefined;
  const seconds = KEEP_ALIVE_TIMEOUT.exec(hint)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * MS_PER_SECOND;
}

/** Rejects several lengths, and a list of them: it is unclear which one counts (RFC 9110 §8.6). */
function parseLength(value: string | string[]): number {
  const length = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw badResponse('invalid length');
  return length;
}
