/** Access tokens by the client credentials grant: https://www.rfc-editor.org/rfc/rfc6749#section-4.4 */
import { readSecret, type SecretSource } from '@causeway/config/secret.ts';

export interface OAuthOptions {
  tokenEndpointUrl: string;
  clientId: string;
  clientSecret: SecretSource;
  scope: string | undefined;
  /** Time limit of a request to the endpoint. */
  timeoutMs: number;
}

interface Token {
  value: string;
  /** On the clock of `performance.now()`. */
  renewAtMs: number;
  expiresAtMs: number;
}

/** A margin for clocks of brokers and for the network. */
const RENEWAL_RATIO = 0.8;
/** For an endpoint that does not return `expires_in`. */
const DEFAULT_LIFETIME_SECONDS = 300;

/** Keeps one token, and renews it on demand after four fifths of its lifetime. */
export class OAuthTokens {
  readonly #options: OAuthOptions;
  #token: Token | undefined;
  #pending: Promise<Token> | undefined;

  constructor(options: OAuthOptions) {
    this.#options = options;
  }

  /** Errors: `Error` with the reason, when there is no valid token. */
  async get(): Promise<string> {
    const nowMs = performance.now();
    if (this.#token !== undefined && nowMs < this.#token.renewAtMs) return this.#token.value;
    this.#pending ??= this.#request().finally(() => {
      this.#pending = undefined;
    });
    try {
      this.#token = await this.#pending;
    } catch (error) {
      // The endpoint may recover before the token expires.
      if (this.#token === undefined || nowMs >= this.#token.expiresAtMs) throw error;
    }
    return this.#token.value;
  }

  async #request(): Promise<Token> {
    const { tokenEndpointUrl, clientId, clientSecret, scope, timeoutMs } = this.#options;
    const requestedAtMs = performance.now();
    const response = await this.#post(tokenEndpointUrl, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: basicAuthorization(clientId, readSecret(clientSecret) ?? ''),
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }),
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    });
    const answer = await readJson(response);
    const value = answer['access_token'];
    if (!response.ok || typeof value !== 'string') {
      // Only the error code (section 5.2): the endpoint's text might repeat the secret.
      const code = typeof answer['error'] === 'string' ? `, ${answer['error']}` : '';
      throw new Error(`The token endpoint ${tokenEndpointUrl} gave no token: status ${response.status}${code}`);
    }
    const lifetimeMs = 1000 * (Number(answer['expires_in']) || DEFAULT_LIFETIME_SECONDS);
    return {
      value,
      renewAtMs: requestedAtMs + RENEWAL_RATIO * lifetimeMs,
      expiresAtMs: requestedAtMs + lifetimeMs,
    };
  }

  async #post(url: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (cause) {
      throw new Error(`The token endpoint ${url} does not answer`, { cause });
    }
  }
}

/** Section 2.3.1: both parts are form-encoded first. */
function basicAuthorization(clientId: string, clientSecret: string): string {
  const encoded = [clientId, clientSecret].map(formEncode).join(':');
  return `Basic ${Buffer.from(encoded).toString('base64')}`;
}

function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

async function readJson(response: Response): Promise<Record<string, unknown>> {
  try {
    const answer: unknown = await response.json();
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
