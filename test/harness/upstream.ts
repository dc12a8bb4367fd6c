/** A real HTTP server in place of a bridge or gateway, on loopback and a port that the system chooses. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { BRIDGE_HEADER } from '@causeway/protocol/routing.ts';

export interface UpstreamRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
  /** Settles when the client closes the connection before the response is complete. */
  aborted: Promise<void>;
}

export type UpstreamHandler = (request: UpstreamRequest, response: ServerResponse) => void;

export interface Upstream {
  url: string;
  port: number;
  /** Requests so far, without probes. */
  requests: UpstreamRequest[];
  /** The status of `/ready`. */
  readyStatus: number;
  /** Headers about Kafka in responses to probes. */
  kafkaHeaders: Record<string, string>;
  /** Headers about Kafka clusters in responses to probes. */
  clusterHeaders: Record<string, string>;
  /** The bridge that it claims to be, as `region/bridge`. */
  bridge: string | undefined;
  /** Does not respond to probes. */
  isFrozen: boolean;
  /** Responds to probes again, also to those that wait. */
  thaw(): void;
  handle: UpstreamHandler;
  /** The number of open connections. */
  connectionCount(): Promise<number>;
  /** Destroys every connection and stops listening. */
  kill(): Promise<void>;
  /** Listens again, on the same port. */
  revive(): Promise<void>;
}

/** Where an upstream listens: on 127.0.0.1 and a port that the system chooses, by default. */
export interface UpstreamPlace {
  host?: string;
  port?: number;
}

/** With `tls`, over HTTPS. */
export async function startUpstream(
  handle: UpstreamHandler = answerJson({}),
  tls?: ServerOptions,
  { host = '127.0.0.1', port: chosenPort = 0 }: UpstreamPlace = {},
): Promise<Upstream> {
  const frozen: (() => void)[] = [];
  const listener: RequestListener = (request, response) => {
    if (request.url === '/ready') {
      const answer = (): void => {
        const { bridge, readyStatus, kafkaHeaders, clusterHeaders } = upstream;
        const own = bridge === undefined ? {} : { [BRIDGE_HEADER]: bridge };
        // Probes share connections with requests: without this, whether a request is the first of its connection were chance.
        response.writeHead(readyStatus, { connection: 'close', ...own, ...kafkaHeaders, ...clusterHeaders }).end();
      };
      if (upstream.isFrozen) frozen.push(answer);
      else answer();
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const received: UpstreamRequest = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        aborted: new Promise((resolve) => response.once('close', () => response.writableFinished || resolve())),
      };
      upstream.requests.push(received);
      upstream.handle(received, response);
    });
  };
  const server = tls === undefined ? createServer(listener) : createHttpsServer(tls, listener);
  server.listen(chosenPort, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const upstream: Upstream = {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    requests: [],
    readyStatus: 200,
    kafkaHeaders: {},
    clusterHeaders: {},
    bridge: undefined,
    isFrozen: false,
    thaw() {
      upstream.isFrozen = false;
      for (const answer of frozen.splice(0)) answer();
    },
    handle,
    connectionCount: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    async kill() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    async revive() {
      server.listen(port, host);
      await once(server, 'listening');
    },
  };
  return upstream;
}

/** Responds to every request with the same JSON. */
export function answerJson(value: unknown, status = 200): UpstreamHandler {
  return (_, response) => {
    const body = JSON.stringify(value);
    response.writeHead(status, {
      'content-type': 'application/vnd.kafka.v2+json',
      'content-length': String(Buffer.byteLength(body)),
    });
    response.end(body);
  };
}
