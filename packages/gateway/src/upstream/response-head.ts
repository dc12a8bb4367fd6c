/** Parses the head of a response: status line and headers (RFC 9112 §4 and §5). */
import { TOKEN } from '@causeway/protocol/http-grammar.ts';
import { badResponse } from './errors.ts';

/** By name in lower case. Several headers of one name are a list in their order. */
export type ResponseHeaders = Record<string, string | string[] | undefined>;

export interface ResponseHead {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** Minor version of HTTP/1: 0 or 1. */
  readonly minorVersion: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
/** Control characters, and line ends other than CR LF: another parser would read another message here (RFC 9112 §2.2). */
const FORBIDDEN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;

const TAB = 9;
const SPACE = 32;

/** A cache of header names in lower case: a target sends the same names with each response. */
export class HeaderNames {
  /** Bounds the memory that a target can fill. */
  static readonly MOST = 256;
  readonly #known = new Map<string, string>();

  get size(): number {
    return this.#known.size;
  }

  /** Errors: `BAD_RESPONSE` for an invalid name. */
  inLowerCase(name: string): string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (!TOKEN.test(name)) throw badResponse('invalid header name');
    const lower = name.toLowerCase();
    if (this.#known.size < HeaderNames.MOST) this.#known.set(name, lower);
    return lower;
  }
}

/** `text` ends before the empty line. Errors: `BAD_RESPONSE`. */
export function parseResponseHead(text: string, names: HeaderNames): ResponseHead {
  if (FORBIDDEN.test(text)) throw badResponse('invalid character in the head');
  const firstEnd = endOfLine(text, 0);
  const match = STATUS_LINE.exec(firstEnd === text.length ? text : text.slice(0, firstEnd));
  if (match === null) throw badResponse('invalid status line');
  const headers: ResponseHeaders = {};
  for (let at = firstEnd + 2; at < text.length; ) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) throw badResponse('header without a colon');
    add(headers, names.inLowerCase(text.slice(at, colon)), trimmed(text, colon + 1, end));
    at = end + 2;
  }
  return { status: Number(match[2]), headers, minorVersion: Number(match[1]) };
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end === -1 ? text.length : end;
}

/** Strips white space (RFC 9112 §5.1). `String.trim` would also strip U+00A0, which is a byte of the value. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function add(headers: ResponseHeaders, name: string, value: string): void {
  // An assignment would set the prototype. Such a header has no use.
  if (name === '__proto__') return;
  const before = headers[name];
  if (typeof before === 'string') headers[name] = [before, value];
  else if (Array.isArray(before)) before.push(value);
  // Nothing so far, or what every object inherits (`constructor`).
  else headers[name] = value;
}
