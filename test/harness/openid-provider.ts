/** A real OpenID provider in the test's process, whose keys rotate and which fails when the test says so. */
import { generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { agentFor } from '@causeway/lab/secure/client-tls.ts';
import { Provider } from 'oidc-provider';

export interface ProviderClient {
  /** Also the subject of its tokens. */
  id: string;
  /** The claim `roles` of its tokens. */
  roles?: readonly string[];
}

export interface ProviderOptions {
  clients: readonly ProviderClient[];
  /** The claim `aud` of tokens. Default: {@link AUDIENCE}. */
  audience?: string;
  /** Default: an hour. */
  tokenSeconds?: number;
  /** Default: ES256. */
  algorithm?: SigningAlgorithm;
  /** Serves `https`, with a certificate for 127.0.0.1 (PEM). `ca` signed it. */
  tls?: { cert: string; key: string; ca: string };
}

export type SigningAlgorithm = 'ES256' | 'RS256' | 'PS256' | 'EdDSA';

/** A private key that signs tokens; its public half is in the JWKS. */
export interface SigningKey {
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/**
 * - `up`: serves.
 * - `down`: ends connections without a response.
 * - `failing`: responds 503.
 * - `silent`: accepts requests and never responds.
 */
export type ProviderState = 'up' | 'down' | 'failing' | 'silent';

/** A URI, as the provider demands of resources (RFC 8707). */
export const AUDIENCE = 'urn:causeway:test';

const HOUR_SECONDS = 3_600;
const SECRET = 'the-secret-of-every-client-of-the-test';

export class OpenIdProvider {
  /** How it behaves now. */
  state: ProviderState = 'up';
  /** Requests that it got in any state, by path. */
  readonly requests = new Map<string, number>();
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly audience: string;
  readonly #options: ProviderOptions;
  readonly #server: Server;
  readonly #agent;
  #keys: SigningKey[];
  #serve: (request: IncomingMessage, response: ServerResponse) => unknown;
  #keyCount = 0;

  private constructor(server: Server, options: ProviderOptions) {
    const { port } = server.address() as AddressInfo;
    this.#options = options;
    this.#server = server;
    this.#agent = agentFor(options.tls === undefined ? undefined : { ca: options.tls.ca });
    this.issuer = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    this.jwksUrl = `${this.issuer}/jwks`;
    this.audience = options.audience ?? AUDIENCE;
    this.#keys = [this.#newKey()];
    this.#serve = this.#provider();
    server.on('request', (request, response) => this.#respond(request, response));
  }

  static async start(options: ProviderOptions): Promise<OpenIdProvider> {
    const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OpenIdProvider(server, options);
  }

  /** Signs new tokens. */
  get signingKey(): SigningKey {
    const key = this.#keys.at(-1);
    if (key === undefined) throw new Error('the provider has no key');
    return key;
  }

  /** What a gateway needs to know it, as YAML: an element of `auth.jwt.issuers`. */
  get issuerYaml(): { issuer: string; audience: string[] } {
    return { issuer: this.issuer, audience: [this.audience] };
  }

  /** What it publishes at `jwksUrl`. */
  get jwks(): { keys: webcrypto.JsonWebKey[] } {
    return {
      keys: this.#keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), ...this.#usage(kid) })),
    };
  }

  /** Adds a key that signs from now on; those before stay in the JWKS until {@link forgetOldKeys}. */
  rotate(): SigningKey {
    const key = this.#newKey();
    this.#keys.push(key);
    this.#serve = this.#provider();
    return key;
  }

  /** Removes all keys but the newest from the JWKS. */
  forgetOldKeys(): void {
    this.#keys = this.#keys.slice(-1);
    this.#serve = this.#provider();
  }

  /** A token for a client, by its credentials (RFC 6749 §4.4): a request to the provider. */
  async token(clientId: string): Promise<string> {
    const response = await this.#agent.request({
      origin: this.issuer,
      path: '/token',
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${SECRET}`).toString('base64')}`,
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: this.audience }).toString(),
    });
    const body = (await response.body.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(`no token for ${clientId}: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #respond(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.requests.set(path, (this.requests.get(path) ?? 0) + 1);
    switch (this.state) {
      case 'up':
        return void this.#serve(request, response);
      case 'down':
        return void request.socket.destroy();
      case 'failing':
        return void response.writeHead(503).end();
      case 'silent':
        return;
    }
  }

  /** Tokens hold all state, so a new provider with other keys continues where the one before stopped. */
  #provider(): (request: IncomingMessage, response: ServerResponse) => unknown {
    const { clients, tokenSeconds = HOUR_SECONDS, algorithm = 'ES256' } = this.#options;
    const roles = new Map(clients.map(({ id, roles = [] }) => [id, roles]));
    const { kid } = this.signingKey;
    const provider = new Provider(this.issuer, {
      clients: clients.map(({ id }) => ({
        client_id: id,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      })),
      clientDefaults: { id_token_signed_response_alg: algorithm },
      cookies: { keys: [SECRET] },
      ttl: { ClientCredentials: tokenSeconds },
      jwks: {
        keys: this.#keys.map((key) => ({ ...key.privateKey.export({ format: 'jwk' }), ...this.#usage(key.kid) })),
      } as never,
      extraTokenClaims: (_, token) => ({ roles: roles.get(token.clientId ?? '') ?? [] }),
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, audience) => ({
            audience,
            scope: '',
            accessTokenFormat: 'jwt',
            accessTokenTTL: tokenSeconds,
            jwt: { sign: { alg: algorithm, kid } },
          }),
        },
      },
    });
    return provider.callback();
  }

  #usage(kid: string): { kid: string; alg: string; use: string } {
    return { kid, alg: this.#options.algorithm ?? 'ES256', use: 'sig' };
  }

  #newKey(): SigningKey {
    this.#keyCount += 1;
    return { kid: `key-${this.#keyCount}`, ...keyPair(this.#options.algorithm ?? 'ES256') };
  }
}

function keyPair(algorithm: SigningAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: 2_048 });
  }
}
