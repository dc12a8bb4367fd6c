/** Formats the head of a request (RFC 9112 §3), or rejects it. */
import { TOKEN } from '@causeway/protocol/http-grammar.ts';
import { UpstreamError } from './errors.ts';

export interface RequestHead {
  readonly method: string;
  /** The request target, in origin form. */
  readonly path: string;
  /** Names and values in turn. Without `host`, the authority of the target is added. */
  readonly headers: readonly string[];
}

/** How the body is delimited: by its length in bytes, or by chunks. */
export type BodyFraming = number | 'chunked' | 'none';

const NOT_IN_PATH = /[^\x21-\x7e\x80-\xff]/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Methods that expect a body: without one, the head has a length of 0 (RFC 9110 §8.6). */
const EXPECTS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Each character is one byte. `authority` is that of the target. Errors: `BAD_REQUEST`. */
export function formatRequestHead(request: RequestHead, authority: string, body: BodyFraming): string {
  const { method, path, headers } = request;
  if (!TOKEN.test(method)) throw bad('invalid character in the method');
  if (NOT_IN_PATH.test(path)) throw bad('invalid character in the path');
  let text = `${method} ${path} HTTP/1.1\r\n`;
  let hasHost = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    if (NOT_IN_VALUE.test(value) || !TOKEN.test(name)) throw bad(`invalid character in the header ${name}`);
    if (name === 'host') hasHost = true;
    text += `${name}: ${value}\r\n`;
  }
  if (!hasHost) text += `host: ${authority}\r\n`;
  if (typeof body === 'number') text += `content-length: ${body}\r\n`;
  else if (body === 'chunked') text += 'transfer-encoding: chunked\r\n';
  else if (EXPECTS_BODY.has(method)) text += 'content-length: 0\r\n';
  return `${text}\r\n`;
}

function bad(what: string): UpstreamError {
  return new UpstreamError('BAD_REQUEST', what);
}
