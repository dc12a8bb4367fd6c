/** The head of an answer: status line and headers, from text (RFC 9112 §4 and §5). */
import { TOKEN } from '@causeway/protocol/http-grammar.ts';
import { badResponse } from './errors.ts';

/** Names in lower case; several of one name as a list, in their order. */
export type ResponseHeaders = Record<string, string | string[] | undefined>;

export interface ResponseHead {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** Of HTTP/1: 0 or 1. */
  readonly minorVersion: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
/** Control characters, and line ends that are not CR LF: somebody would read another message here (RFC 9112 §2.2). */
const FORBIDDEN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;

const TAB = 9;
const SPACE = 32;

/** Names that were looked at before, in lower case: a target sends the same ones with each answer. */
export class HeaderNames {
  /** What a target could fill the memory with is bounded. */
  static readonly MOST = 256;
  readonly #known = new Map<string, string>();

  get size(): number {
    return this.#known.size;
  }

  /** Errors: `BAD_RESPONSE` for what is no name. */
  inLowerCase(name: string): string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (!TOKEN.test(name)) throw badResponse('invalid header name');
    const lower = name.toLowerCase();
    if (this.#known.size < HeaderNames.MOST) this.#known.set(name, lower);
    return lower;
  }
}

/** `text`: up to the empty line, without it. Errors: `BAD_RESPONSE`. */
export function parseResponseHead(text: string, names: HeaderNames): ResponseHead {
  if (FORBIDDEN.test(text)) throw badResponse('its head has characters that no head may have');
  const firstEnd = endOfLine(text, 0);
  const match = STATUS_LINE.exec(firstEnd === text.length ? text : text.slice(0, firstEnd));
  if (match === null) throw badResponse('invalid status line');
  const headers: ResponseHeaders = {};
  for (let at = firstEnd + 2; at < text.length; ) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) throw badResponse('a header has no colon');
    add(headers, names.inLowerCase(text.slice(at, colon)), trimmed(text, colon + 1, end));
    at = end + 2;
  }
  return { status: Number(match[2]), headers, minorVersion: Number(match[1]) };
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end === -1 ? text.length : end;
}

/** Without the white space around it (RFC 9112 §5.1); `String.trim` would take U+00A0 too, a byte of the value. */
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
  // An assignment would set the prototype; nobody needs such a header.
  if (name === '__proto__') return;
  const before = headers[name];
  if (typeof before === 'string') headers[name] = [before, value];
  else if (Array.isArray(before)) before.push(value);
  // Nothing before, or what every object inherits (`constructor`).
  else headers[name] = value;
}
