/** Targets that send scripted bytes over real sockets, and transports to them. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { ConnectionPool } from '@causeway/gateway/upstream/connection-pool.ts';
import type { ResponseHeaders } from '@causeway/gateway/upstream/response-head.ts';
import type {
  Transport,
  TransportDefaults,
  TransportOptions,
  UpstreamControl,
  UpstreamHandler,
  UpstreamRequest,
} from '@causeway/gateway/upstream/transport.ts';
import { beforeAll, onTestFinished } from 'vitest';
import { type CertifiedKey, TestAuthority } from './certificates.ts';

export interface Listening {
  url: string;
  /** Open connections. */
  sockets: Set<Socket>;
  /** Connections since the start. */
  connectionCount: number;
  close(): Promise<void>;
}

export async function listen(server: Server, scheme = 'http', host = '127.0.0.1'): Promise<Listening> {
  const listening: Listening = { url: '', sockets: new Set(), connectionCount: 0, close: async () => {} };
  server.on(scheme === 'https' ? 'secureConnection' : 'connection', (socket: Socket) => {
    listening.connectionCount += 1;
    listening.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => listening.sockets.delete(socket));
  });
  server.listen(0, host === 'localhost' ? '127.0.0.1' : host);
  await once(server, 'listening');
  listening.url = `${scheme}://${host}:${(server.address() as AddressInfo).port}`;
  listening.close = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of listening.sockets) socket.destroy();
    await closed;
  };
  onTestFinished(listening.close);
  return listening;
}

export const http = (listener: RequestListener, host?: string): Promise<Listening> =>
  listen(createServer({ keepAliveTimeout: 60_000 }, listener), 'http', host);

/** Sends the same text after the first byte of each request. */
export const says = (text: string, then: (socket: Socket) => void = () => {}): Promise<Listening> =>
  listen(
    createTcpServer((socket) => {
      socket.on('data', () => socket.write(text, 'latin1', () => then(socket)));
    }),
  );

export function poolOf(
  url: string,
  options: Partial<TransportOptions> = {},
  defaults?: TransportDefaults,
): ConnectionPool {
  const now = (): number => performance.now();
  const pool = new ConnectionPool(
    { url, connectTimeoutMs: 10_000, keepAliveMs: 60_000, maxAgeMs: 0, now, ...options },
    defaults,
  );
  onTestFinished(() => pool.destroy());
  return pool;
}

/** What is under HTTP: the same tests run over both. */
export interface Wire {
  /** `onConnection` gets what the target writes to, and the TCP connection under it, which may be the same. */
  listen(onConnection: (socket: Socket, tcp: Socket) => void): Promise<Listening>;
  pool(url: string, options?: Partial<TransportOptions>, defaults?: TransportDefaults): ConnectionPool;
}

export const TCP: Wire = {
  listen: (onConnection) => listen(createTcpServer((socket) => onConnection(socket, socket))),
  pool: poolOf,
};

/** TLS with a certificate that only its own pools trust. For the top of a test file or a `describe`. */
export function tlsWire(): Wire {
  let certified: CertifiedKey;
  let secureContext: SecureContext;
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-wire-'));
    const authority = await TestAuthority.create(directory);
    certified = await authority.certify('target', { ip: ['127.0.0.1'] });
    secureContext = createSecureContext({ ca: authority.cert });
    rmSync(directory, { recursive: true });
  });
  return {
    async listen(onConnection) {
      const server = createTcpServer((tcp) => {
        const { cert, key } = certified;
        const socket = new TLSSocket(tcp, { isServer: true, secureContext: createSecureContext({ cert, key }) });
        socket.on('error', () => {});
        // As `tls.Server` does: the session ends with its connection.
        tcp.on('close', () => socket.destroy());
        onConnection(socket, tcp);
      });
      const listening = await listen(server);
      listening.url = listening.url.replace('http:', 'https:');
      return listening;
    },
    // Handshakes take their time on a busy machine.
    pool: (url, options, defaults = {}) =>
      poolOf(url, { connectTimeoutMs: 60_000, ...options }, { secureContext: () => secureContext, ...defaults }),
  };
}

export interface Answered {
  status: number;
  headers: ResponseHeaders;
  body: Buffer;
  error: Error | undefined;
  /** The request got a connection. */
  hasStarted: boolean;
}

export interface Sent {
  control: UpstreamControl | undefined;
  answered: Promise<Answered>;
  /** Received so far. */
  soFar: Answered;
}

export const GET: UpstreamRequest = { method: 'GET', path: '/', headers: [], body: undefined };

export function send(
  pool: Transport,
  request: Partial<UpstreamRequest> = {},
  more: Partial<UpstreamHandler> = {},
): Sent {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const soFar: Answered = { status: 0, headers: {}, body: Buffer.alloc(0), error: undefined, hasStarted: false };
  const sent: Sent = { control: undefined, answered: promise, soFar };
  let isEnded = false;
  const end = (error?: Error): void => {
    if (isEnded) reject(new Error('the end was reported twice'));
    isEnded = true;
    soFar.error = error;
    resolve(soFar);
  };
  pool.dispatch(
    { ...GET, ...request },
    {
      onRequestStart: (control) => {
        soFar.hasStarted = true;
        sent.control = control;
        return true;
      },
      onResponseStart: (status, headers) => {
        soFar.status = status;
        soFar.headers = headers;
      },
      onResponseData: (chunk) => {
        soFar.body = Buffer.concat([soFar.body, chunk]);
        return true;
      },
      onResponseEnd: () => end(),
      onResponseError: end,
      ...more,
    },
  );
  return sent;
}

export async function textOf(pool: Transport, request?: Partial<UpstreamRequest>): Promise<string> {
  const { body, error } = await send(pool, request).answered;
  if (error !== undefined) throw error;
  return body.toString('latin1');
}

/** Bytes that show their position. */
export const pattern = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251));
