/** Refusals: why a server does not serve a request, and the response that says so. */
import { STATUS_CODES } from 'node:http';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import type { ErrorBody } from '@causeway/protocol/errors.ts';
import { METHODS } from '@causeway/protocol/paths.ts';

const STATUS = {
  malformedRequest: 400,
  methodNotAllowed: 405,
  requestTimeout: 408,
  urlTooLong: 414,
  headersTooLarge: 431,
  methodNotImplemented: 501,
  transferCodingUnsupported: 501,
  overloaded: 503,
  versionNotSupported: 505,
} as const satisfies Record<string, number>;

export type RefusalCode = keyof typeof STATUS;

export interface Refusal {
  readonly code: RefusalCode;
  /** The sentence that the client reads. */
  readonly message: string;
  /** The `Origin` of the refused request, where it could be read. */
  readonly origin?: string | undefined;
  /** For the `Allow` header: the methods of the path (RFC 9110 §10.2.1). */
  readonly allow?: string;
  /** For the `Retry-After` header. */
  readonly retryAfterSeconds?: number;
}

export interface HeadLimits {
  /** Of the request target, with its query. */
  readonly maxUrlBytes: number;
  /** Of names and values of headers and the request target, as the client sent them. */
  readonly maxHeaderBytes: number;
}

/** Every method of the API. */
export const API_METHODS = METHODS.join(',');

export function statusOf({ code }: Refusal): number {
  return STATUS[code];
}

export function refusalBody(refusal: Refusal): string {
  return JSON.stringify({ error_code: statusOf(refusal), message: refusal.message } satisfies ErrorBody);
}

/** The headers of a refusal, without `Content-Length` and `Connection`. */
export function refusalHeaders({ allow, retryAfterSeconds }: Refusal): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': KAFKA_V2 };
  if (allow !== undefined) headers['allow'] = allow;
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
  return headers;
}

/** A whole response, after which the connection closes. `more`: names and values of further headers in turn. */
export function refusalText(refusal: Refusal, more: readonly string[]): string {
  const status = statusOf(refusal);
  const body = refusalBody(refusal);
  const lines = Object.entries(refusalHeaders(refusal)).map(([name, value]) => `${name}: ${value}\r\n`);
  for (let index = 0; index + 1 < more.length; index += 2) lines.push(`${more[index]}: ${more[index + 1]}\r\n`);
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}` +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  );
}

export function malformed(message: string): Refusal {
  return { code: 'malformedRequest', message };
}

export function urlTooLong({ maxUrlBytes }: HeadLimits): Refusal {
  return { code: 'urlTooLong', message: `The URL is longer than the limit of ${maxUrlBytes} bytes.` };
}

export function headersTooLarge({ maxHeaderBytes }: HeadLimits): Refusal {
  return {
    code: 'headersTooLarge',
    message: `The request headers, with the URL, are larger than the limit of ${maxHeaderBytes} bytes.`,
  };
}

export function methodNotImplemented(method: string): Refusal {
  return {
    code: 'methodNotImplemented',
    message: `The API does not have the method ${method}; use one of ${API_METHODS}.`,
    allow: API_METHODS,
  };
}

/** `allowed`: the methods of the path. */
export function methodNotAllowed(method: string, allowed: readonly string[]): Refusal {
  const allow = allowed.join(',');
  return {
    code: 'methodNotAllowed',
    message: `The method ${method} is not allowed at this path; use one of ${allow}.`,
    allow,
  };
}

export function versionNotSupported(version: string): Refusal {
  return {
    code: 'versionNotSupported',
    message: `The version HTTP/${version} is not supported; use HTTP/1.1.`,
  };
}

export const TRANSFER_CODING_UNSUPPORTED: Refusal = {
  code: 'transferCodingUnsupported',
  message: 'The only transfer coding that is supported is chunked; Content-Encoding names compression.',
};

export const TOO_SLOW: Refusal = {
  code: 'requestTimeout',
  message: 'The request did not arrive completely in time; send it again.',
};

/** An error of Node's parser, as `clientError` passes it. */
export interface ParseError extends Error {
  code?: string;
  /** The system call that failed. */
  syscall?: string;
  /** Where the parser stopped, in `rawPacket`. */
  bytesParsed?: number;
  /** The bytes that arrived last. */
  rawPacket?: Buffer;
}

/** The refusal for an error of Node's parser. */
export function refusalOf(error: ParseError, limits: HeadLimits): Refusal {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW': {
      // Later pieces of a head begin with anything, such as a header's name and its colon.
      const target = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (\S*)/.exec(lineAround(error, 'first'))?.[1] ?? '';
      return target.length > limits.maxUrlBytes ? urlTooLong(limits) : headersTooLarge(limits);
    }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return malformed('The chunk extensions of the request body are too long; send chunks without extensions.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return TOO_SLOW;
    case 'HPE_INVALID_METHOD':
    case 'HPE_INVALID_CONSTANT': {
      // A method that Node's parser does not know (or knows from RTSP alone), or no HTTP.
      const method = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) \S+ HTTP\/\d/.exec(lineAround(error, 'last'))?.[1];
      return method === undefined ? notHttp(error) : methodNotImplemented(method);
    }
    case 'HPE_PAUSED_H2_UPGRADE':
      return versionNotSupported('2.0');
    case 'HPE_INVALID_VERSION': {
      const version = / HTTP\/(\d+(?:\.\d+)?)\s*$/.exec(lineAround(error, 'last'))?.[1];
      return version === undefined ? notHttp(error) : versionNotSupported(version);
    }
    default:
      return notHttp(error);
  }
}

function notHttp(error: ParseError): Refusal {
  return malformed(`The request is not HTTP/1.1: ${error.message}.`);
}

/** The origin in a head that the parser refused, if the last bytes have it: browsers send a head at once. */
export function originIn({ rawPacket }: ParseError): string | undefined {
  if (rawPacket === undefined) return undefined;
  return /\r\norigin:[ \t]*([\x21-\x7e]{1,512})[ \t]*\r\n/i.exec(rawPacket.toString('latin1'))?.[1];
}

/** The longest line that is read: a request line at Node's own limit. */
const MAX_LINE_BYTES = 32_768;

/** The first line of the last bytes, or the line in which the parser stopped. */
function lineAround({ rawPacket, bytesParsed = 0 }: ParseError, which: 'first' | 'last'): string {
  if (rawPacket === undefined) return '';
  const start = which === 'first' ? 0 : rawPacket.lastIndexOf(0x0a, Math.max(0, bytesParsed - 1)) + 1;
  const end = rawPacket.indexOf(0x0a, start);
  const line = rawPacket.subarray(start, end === -1 ? start + MAX_LINE_BYTES : end);
  return line.toString('latin1').trimEnd();
}
