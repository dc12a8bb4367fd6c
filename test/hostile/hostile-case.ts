/** A hostile input, and the only outcome that is not a desync. */

export interface HostileCase {
  /** What kind of trick it is: a row of the table in docs/security.md. */
  readonly family: Family;
  /** Unique in its family. */
  readonly name: string;
  /**
   * The bytes, one character each. `inner` is a whole request without a body that no program may serve: an attacker hides it in
   * a body, a header or a chunk. `topic` exists.
   */
  readonly bytes: (scene: Scene) => string;
  readonly expected: Expected;
  /** The response to the first request has no body. */
  readonly isHead?: boolean;
}

export interface Scene {
  readonly inner: string;
  readonly topic: string;
}

export type Family =
  | 'two framings'
  | 'transfer codings'
  | 'lengths'
  | 'chunks'
  | 'trailers'
  | 'line ends and control characters'
  | 'header names and folding'
  | 'connection options'
  | 'expectations'
  | 'unread bodies'
  | 'targets and hosts'
  | 'methods and versions';

/** `refused`: with an error. `served`: as the valid request that all programs take it for; outcomes.json has its status. */
export type Expected = 'refused' | 'served';

export const HOST = 'host: h\r\n';
export const JSON_TYPE = 'content-type: application/vnd.kafka.json.v2+json\r\n';

/** A head of POST that produces to `topic`, with these further lines. */
export function post(topic: string, lines: string, version = 'HTTP/1.1'): string {
  return `POST /topics/${topic} ${version}\r\n${HOST}${JSON_TYPE}${lines}\r\n`;
}

/** A head of GET, with these further lines. */
export function get(topic: string, lines: string, version = 'HTTP/1.1'): string {
  return `GET /topics/${topic} ${version}\r\n${HOST}${lines}\r\n`;
}

/** A body in chunks, the last one included. */
export function chunked(body: string): string {
  return `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

export const RECORD = '{"records":[{"value":"hostile"}]}';
