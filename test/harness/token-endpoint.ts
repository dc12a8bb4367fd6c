/** An OAuth 2 token endpoint for a test. It grants unsigned tokens (Kafka calls them unsecured JWS). */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface TokenEndpointOptions {
  clientId: string;
  clientSecret: string;
  lifetimeMs: number;
}

/** https://www.rfc-editor.org/rfc/rfc7519#section-6; brokers without a configured validator accept it. */
export function unsecuredToken({ lifetimeMs = 60_000, subject = 'bridge', scope = 'kafka' } = {}): string {
  const nowSeconds = Date.now() / 1000;
  const claims = { sub: subject, scope, iat: nowSeconds - 120, exp: nowSeconds + lifetimeMs / 1000 };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode(claims)}.`;
}

/** Grants tokens for the credentials of one client: https://www.rfc-editor.org/rfc/rfc6749#section-4.4 */
export class TokenEndpoint {
  grantedCount = 0;
  /** Every requested scope. */
  readonly scopes = new Set<string | null>();
  readonly #options: TokenEndpointOptions;
  readonly #server: Server;

  private constructor(options: TokenEndpointOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(options: TokenEndpointOptions): Promise<TokenEndpoint> {
    const endpoint = new TokenEndpoint(options);
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    const { clientId, clientSecret, lifetimeMs } = this.#options;
    const [id, secret] = credentialsOf(request);
    response.setHeader('content-type', 'application/json');
    if (id !== clientId || secret !== clientSecret || form.get('grant_type') !== 'client_credentials') {
      response.writeHead(401).end(JSON.stringify({ error: 'invalid_client', error_description: `not ${secret}` }));
      return;
    }
    this.grantedCount += 1;
    this.scopes.add(form.get('scope'));
    const token = unsecuredToken({ lifetimeMs });
    response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: lifetimeMs / 1000 }));
  }
}

/** Both parts are form-encoded in the header. */
function credentialsOf({ headers }: IncomingMessage): string[] {
  const [, encoded = ''] = headers.authorization?.split(' ') ?? [];
  const decode = (part: string): string => new URLSearchParams(`v=${part}`).get('v') ?? '';
  return Buffer.from(encoded, 'base64').toString('utf8').split(':').map(decode);
}
