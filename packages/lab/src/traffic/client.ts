/** A plain HTTP client: one request, one response; failures are values. */

import { REPLAYED_HEADER } from '@causeway/protocol/idempotency.ts';
import type { Agent } from 'undici';
import { agentFor, type ClientTls } from '../secure/client-tls.ts';

/** The time limit of a patient client; a longer request counts as failed. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface ClientRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Includes the query. */
  path: string;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
}

/** A response with its JSON body (undefined without one), or the failure. */
export type Answer =
  | {
      kind: 'answered';
      status: number;
      body: unknown;
      /** The body as received. */
      text: string;
      /** Whether it is the answer to an earlier request with the same key. */
      isReplayed: boolean;
      latencyMs: number;
    }
  | { kind: 'failed'; reason: string };

export interface ClientProtocol {
  /** For `https` origins. */
  tls?: ClientTls | undefined;
  /** Whether it speaks HTTP/2 with servers that do, over TLS. Default: HTTP/1.1. */
  isHttp2?: boolean;
  /** The token that it shows with each request; a function is asked for each, as where a file is replaced. */
  token?: string | (() => string) | undefined;
}

/** What the clients of a secure system speak, in turn; the clients of a plain one speak HTTP/1.1. */
export function protocolsOf(tls: ClientTls | undefined, token?: string | undefined): readonly ClientProtocol[] {
  return tls === undefined
    ? [{ token }]
    : [
        { tls, isHttp2: true, token },
        { tls, token },
      ];
}

export class HttpClient {
  readonly #origins: readonly string[];
  #origin: string;
  readonly #agent: Agent;
  readonly #token: () => string | undefined;

  /** With several origins, the client uses the next one after a refused connection. */
  constructor(origins: string | readonly [string, ...string[]], { tls, isHttp2 = false, token }: ClientProtocol = {}) {
    this.#token = typeof token === 'function' ? token : () => token;
    this.#agent = agentFor(tls, {
      headersTimeout: REQUEST_TIMEOUT_MS,
      bodyTimeout: REQUEST_TIMEOUT_MS,
      allowH2: isHttp2,
    });
    this.#origins = typeof origins === 'string' ? [origins] : origins;
    this.#origin = typeof origins === 'string' ? origins : origins[0];
  }

  async send(request: ClientRequest): Promise<Answer> {
    let origin = this.#origin;
    let answer = await this.#sendTo(origin, request);
    for (let others = this.#origins.length - 1; others > 0 && isRefused(answer); others -= 1) {
      const next = this.#origins[(this.#origins.indexOf(origin) + 1) % this.#origins.length] ?? origin;
      // Another request may have moved to the next origin already.
      if (this.#origin === origin) this.#origin = next;
      origin = next;
      answer = await this.#sendTo(origin, request);
    }
    return answer;
  }

  async #sendTo(origin: string, { method, path, headers, body: content }: ClientRequest): Promise<Answer> {
    const sentAtMs = performance.now();
    try {
      const token = this.#token();
      const credentials = token === undefined ? undefined : { authorization: `Bearer ${token}` };
      const response = await this.#agent.request({
        origin,
        method,
        path,
        headers: { ...credentials, ...headers },
        body: content === undefined ? null : JSON.stringify(content),
      });
      const text = await response.body.text();
      const latencyMs = performance.now() - sentAtMs;
      const isReplayed = response.headers[REPLAYED_HEADER] === 'true';
      const body = text === '' ? undefined : parse(text);
      return { kind: 'answered', status: response.statusCode, body, text, isReplayed, latencyMs };
    } catch (error) {
      return { kind: 'failed', reason: describeFailure(error) };
    }
  }

  /** Aborts requests in flight. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Why a response is not a success, for the ledger; the body of an error has a message (`{ error_code, message }`). */
export function describeRefusal(answer: Answer): { kind: string; message: string | undefined } {
  if (answer.kind === 'failed') return { kind: answer.reason, message: undefined };
  const { message } = (answer.body ?? {}) as { message?: unknown };
  return { kind: `HTTP ${answer.status}`, message: typeof message === 'string' ? message : undefined };
}

const REFUSED = 'connection refused';

function isRefused(answer: Answer): boolean {
  return answer.kind === 'failed' && answer.reason === REFUSED;
}

const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  ECONNRESET: 'connection lost',
  EPIPE: 'connection lost',
  UND_ERR_SOCKET: 'connection lost',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect timeout',
};

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return FAILURES[code] ?? code;
}
