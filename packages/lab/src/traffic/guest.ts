/** A client that is to be refused: once a second it tries what it may not do, with its own token and with none. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import type { ClientTls } from '../secure/client-tls.ts';
import { describeRefusal, HttpClient } from './client.ts';

const INTERVAL_MS = 1_000;

/** What a request of the guest must get, and how often it did. */
export interface Refusals {
  /** Without a token. */
  unauthenticated: number;
  /** With its own token, in a topic of a tenant. */
  forbidden: number;
}

export interface GuestOptions {
  url: string;
  tls: ClientTls | undefined;
  token: string;
  /** A topic of a tenant. */
  topic: string;
}

export class Guest {
  readonly #clients: readonly { client: HttpClient; expected: number; count: keyof Refusals }[];
  readonly #topic: string;
  readonly #refusals: Refusals = { unauthenticated: 0, forbidden: 0 };
  readonly #surprises = new Map<string, number>();
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ url, tls, token, topic }: GuestOptions) {
    this.#topic = topic;
    this.#clients = [
      { client: new HttpClient(url, { tls }), expected: 401, count: 'unauthenticated' },
      { client: new HttpClient(url, { tls, token }), expected: 403, count: 'forbidden' },
    ];
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      for (const attempt of this.#clients) {
        const request = this.#try(attempt).finally(() => this.#inFlight.delete(request));
        this.#inFlight.add(request);
      }
    }, INTERVAL_MS);
  }

  /** Stops trying, and waits for outstanding responses. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#inFlight);
    await Promise.all(this.#clients.map(({ client }) => client.close()));
  }

  get refusals(): Readonly<Refusals> {
    return this.#refusals;
  }

  /** Responses that it must not get, such as `HTTP 200`, with their number. */
  get surprises(): ReadonlyMap<string, number> {
    return this.#surprises;
  }

  async #try({
    client,
    expected,
    count,
  }: {
    client: HttpClient;
    expected: number;
    count: keyof Refusals;
  }): Promise<void> {
    const answer = await client.send({
      method: 'POST',
      path: `/topics/${encodeURIComponent(this.#topic)}`,
      headers: { 'content-type': RECORDS.json },
      body: { records: [{ value: 'not mine' }] },
    });
    if (answer.kind === 'answered' && answer.status === expected) {
      this.#refusals[count] += 1;
      return;
    }
    const { kind } = describeRefusal(answer);
    this.#surprises.set(kind, (this.#surprises.get(kind) ?? 0) + 1);
  }
}
