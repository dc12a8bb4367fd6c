/** An attacker's HTTP client: invalid requests, and connections that no library would make. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import type { Address } from './address.ts';

/** The time limit of a patient client. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Bytes of a response that are kept; further bytes are only counted. */
const MAX_KEPT_BYTES = 1_000_000;

export interface Asked {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  /** Text and bytes are sent unchanged, other values as JSON. */
  body?: unknown;
  timeoutMs?: number;
}

export interface Reply {
  /** 0 without a response. */
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  byteCount: number;
  tookMs: number;
  /** Why there is no response. */
  failure: string | undefined;
}

export class AttackClient {
  readonly #address: Address;
  readonly #agent: Agent;

  constructor(address: Address) {
    this.#address = address;
    const { tls } = address;
    this.#agent = tls === undefined ? new Agent({ keepAlive: true }) : new SecureAgent({ keepAlive: true, ...tls });
  }

  ask(asked: Asked): Promise<Reply> {
    const { method = asked.body === undefined ? 'GET' : 'POST', path, body, timeoutMs = REQUEST_TIMEOUT_MS } = asked;
    const bytes =
      body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const headers = { ...(bytes === undefined ? {} : { 'content-type': KAFKA_V2 }), ...asked.headers };
    const startedAtMs = performance.now();
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const fail = (failure: string): void =>
      resolve({ status: 0, headers: {}, text: '', byteCount: 0, tookMs: performance.now() - startedAtMs, failure });
    const { host, port, tls } = this.#address;
    const send = tls === undefined ? request : secureRequest;
    const outgoing = send({ agent: this.#agent, host, port, method, path, headers }, (response) => {
      read(response).then(
        ({ text, byteCount }) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            byteCount,
            tookMs: performance.now() - startedAtMs,
            failure: undefined,
          }),
        (error: Error) => fail(`response broke off: ${error.message}`),
      );
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no response within ${timeoutMs} ms`)), timeoutMs);
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.on('error', (error) => fail(error.message));
    outgoing.end(bytes);
    return promise;
  }

  /** Aborts requests in flight. */
  close(): void {
    this.#agent.destroy();
  }
}

async function read(response: IncomingMessage): Promise<{ text: string; byteCount: number }> {
  const kept: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (byteCount < MAX_KEPT_BYTES) kept.push(chunk);
    byteCount += chunk.length;
  }
  return { text: Buffer.concat(kept).toString('utf8'), byteCount };
}

/** A raw connection. */
export class RawConnection {
  readonly #socket: Socket;
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;
  isClosed = false;
  receivedBytes = 0;
  #kept = '';

  constructor({ host, port, tls }: Address, { isReading = true }: { isReading?: boolean } = {}) {
    const options = { host, port, allowHalfOpen: true };
    this.#socket = tls === undefined ? connect(options) : connectSecurely({ ...options, ...tls });
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    this.opened = opened;
    this.closed = closed;
    this.#socket.on(tls === undefined ? 'connect' : 'secureConnect', open);
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => this.#socket.end());
    this.#socket.on('close', () => {
      this.isClosed = true;
      open();
      close();
    });
    if (isReading) {
      this.#socket.on('data', (chunk: Buffer) => {
        this.receivedBytes += chunk.length;
        if (this.#kept.length < MAX_KEPT_BYTES) this.#kept += chunk.toString('latin1');
      });
    }
  }

  /** The first megabyte that was received. */
  get received(): string {
    return this.#kept;
  }

  /** Resolves when the operating system has accepted the bytes, or the connection is closed. */
  async write(bytes: string | Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.isClosed) return;
    this.#socket.write(bytes, () => resolve());
    await Promise.race([promise, this.closed]);
  }

  /** Sends FIN; the response is still read. */
  finish(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
