/** HTTP client for other processes of the system: the admin API of regional gateways, the sessions of bridges. */
import type { SecureContext } from 'node:tls';
import { Agent, buildConnector } from 'undici';
import { explainConnectionFailure } from '../regions/connection-failure.ts';

/** How other processes are authenticated over TLS. */
export interface AdminPeers {
  /** Authorities and certificate for a new connection over TLS. */
  secureContext: () => SecureContext;
  /** The name that the certificate at an origin must have; `undefined`: its host. */
  serverNameOf: (origin: string) => string | undefined;
}

export interface AdminClientOptions {
  /** This gateway's own: the gateways of a system share it. */
  token: () => string | undefined;
  peers: AdminPeers;
  /** Default: {@link MAX_CONNECTION_AGE_MS}. */
  maxConnectionAgeMs?: number;
}

/** A connection older than this carries no further request: the next one follows the name of the other end. */
export const MAX_CONNECTION_AGE_MS = 300_000;

export class AdminClient {
  /** Opens a connection, and verifies the certificate of the other end. */
  readonly connect: buildConnector.connector;
  readonly #token: () => string | undefined;
  readonly #agent: Agent;

  constructor({ token, peers, maxConnectionAgeMs = MAX_CONNECTION_AGE_MS }: AdminClientOptions) {
    this.#token = token;
    this.connect = connector(peers);
    this.#agent = new Agent({
      connections: 2,
      pipelining: 1,
      keepAliveTimeout: 5_000,
      clientTtl: maxConnectionAgeMs,
      connect: this.connect,
    });
  }

  /** Fetches from a gateway's admin API. Errors: as {@link get}. */
  getFromGateway(url: string, timeoutMs: number): Promise<unknown> {
    return this.get(url, timeoutMs, authorization(this.#token()));
  }

  /** Returns the JSON of a response 200. Throws for any other response, with the reason. */
  async get(url: string, timeoutMs: number, headers: Record<string, string>): Promise<unknown> {
    const { origin, pathname, search } = new URL(url);
    const { statusCode, body } = await this.#agent.request({
      origin,
      path: `${pathname}${search}`,
      method: 'GET',
      headers: { accept: 'application/json', ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`response ${statusCode}`);
    return JSON.parse(text) as unknown;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Without a cache of TLS sessions: a resumed one would outlive the authorities and the certificate that it began with. */
function connector({ secureContext, serverNameOf }: AdminPeers): buildConnector.connector {
  const open = buildConnector({ allowH2: false });
  return (options, callback) => {
    if (options.protocol !== 'https:') {
      open(options, callback);
      return;
    }
    const serverName = serverNameOf(`https://${options.host ?? options.hostname}`);
    const openSecure = buildConnector({ allowH2: false, maxCachedSessions: 0, secureContext: secureContext() });
    openSecure(serverName === undefined ? options : { ...options, servername: serverName }, callback);
  };
}

/** Returns the header that carries the token, if there is one. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
}

/** Describes why a process could not be reached, in a few words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.name === 'TimeoutError'
    ? 'no response in time'
    : explainConnectionFailure(error);
}
