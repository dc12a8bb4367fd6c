/** Produces numbered records at a steady rate, one request each, and never repeats a request. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import type { ProducerBooks } from './books.ts';
import { type Answer, describeRefusal, type HttpClient } from './client.ts';

export interface ProducerOptions {
  client: HttpClient;
  books: ProducerBooks;
  topic: string;
  /** Distinguishes the records of this run from others in the same topic. */
  runId: string;
  recordsPerSecond: number;
  /** With this many requests in flight the producer waits. */
  maxInFlight: number;
}

export class Producer {
  readonly #options: ProducerOptions;
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#produceNext(), 1_000 / this.#options.recordsPerSecond);
  }

  /** Stops sending, and waits for outstanding responses. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#inFlight);
  }

  #produceNext(): void {
    if (this.#inFlight.size >= this.#options.maxInFlight) return;
    const request = this.#produce(this.#options.books.nextRecord()).finally(() => this.#inFlight.delete(request));
    this.#inFlight.add(request);
  }

  async #produce(record: number): Promise<void> {
    const { client, books, topic, runId } = this.#options;
    const answer = await client.send({
      method: 'POST',
      path: `/topics/${encodeURIComponent(topic)}`,
      headers: { 'content-type': RECORDS.json },
      body: { records: [{ key: `order-${record}`, value: { n: record, run: runId } }] },
    });
    const failure = produceFailure(answer);
    if (failure !== undefined) books.clientError({ operation: 'send', ...failure });
    else if (answer.kind === 'answered') books.acknowledge(record, answer.latencyMs);
  }
}

/** Why the record is not acknowledged; a response 200 may still refuse the record. */
export function produceFailure(answer: Answer): { kind: string; message: string | undefined } | undefined {
  if (answer.kind === 'failed' || answer.status !== 200) return describeRefusal(answer);
  const { offsets } = (answer.body ?? {}) as {
    offsets?: { offset?: unknown; error_code?: unknown; message?: unknown }[];
  };
  const entry = Array.isArray(offsets) ? offsets[0] : undefined;
  if (typeof entry?.offset === 'number') return undefined;
  if (entry?.error_code === undefined) return { kind: 'a response without an offset', message: undefined };
  const message = typeof entry.message === 'string' ? entry.message : undefined;
  return { kind: `record refused with ${entry.error_code}`, message };
}
