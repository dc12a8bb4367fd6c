/** HTTP client for other processes of the system: the admin API of regional gateways, the sessions of bridges. */
import { Agent } from 'undici';
import { describeConnectionFailure } from '../regions/connection-failure.ts';

export class AdminClient {
  readonly #token: () => string | undefined;
  readonly #agent = new Agent({ connections: 2, pipelining: 1, keepAliveTimeout: 5_000 });

  /** `token` is this gateway's own: the gateways of a system share it. */
  constructor(token: () => string | undefined) {
    this.#token = token;
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

/** Returns the header that carries the token, if there is one. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
}

/** Describes why a process could not be reached, in a few words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.name === 'TimeoutError'
    ? 'no response in time'
    : describeConnectionFailure(error);
}
