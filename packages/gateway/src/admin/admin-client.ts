/** Asks other processes of the system: regional gateways for their admin API, bridges for their sessions. */
import { Agent } from 'undici';
import { describeConnectionFailure } from '../regions/connection-failure.ts';

export class AdminClient {
  readonly #token: () => string | undefined;
  readonly #agent = new Agent({ connections: 2, pipelining: 1, keepAliveTimeout: 5_000 });

  /** `token` is this gateway's own: the gateways of a system share it. */
  constructor(token: () => string | undefined) {
    this.#token = token;
  }

  /** What a gateway's admin API answers. Errors: as {@link get}. */
  getFromGateway(url: string, timeoutMs: number): Promise<unknown> {
    return this.get(url, timeoutMs, authorization(this.#token()));
  }

  /** The JSON of an answer 200. Errors: anything else, with the reason. */
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
    if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
    return JSON.parse(text) as unknown;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** The header that shows a token, if there is one. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
}

/** Why somebody could not be asked, in a few words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.name === 'TimeoutError'
    ? 'no answer in time'
    : describeConnectionFailure(error);
}
