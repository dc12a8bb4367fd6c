/** Produces numbered records at a steady rate, one request each or many in a large one. By itself it never repeats a request. */
import { RECORDS } from '@causeway/protocol/content-types.ts';
import type { ProducerBooks } from './books.ts';
import { type Answer, type ClientRequest, describeRefusal } from './client.ts';
import type { AcknowledgedPlace } from './loss-reports.ts';

export interface ProducerOptions {
  /** An `HttpClient` sends each request once. */
  client: ProduceSender;
  books: ProducerBooks;
  topic: string;
  /** Distinguishes the records of this run from others in the same topic. */
  runId: string;
  recordsPerSecond: number;
  /** With this many requests in flight the producer waits. */
  maxInFlight: number;
  /** Of each request. Default: one short record. */
  body?: RequestSize | undefined;
}

export interface ProduceSender {
  /** `records`: the numbers of the request's records. Returns what its client has at the end. */
  send(request: ClientRequest, records: readonly number[]): Promise<Answer>;
}

export interface RequestSize {
  recordCount: number;
  /** Of each record. */
  paddingBytes: number;
}

export class Producer {
  readonly #options: ProducerOptions;
  readonly #size: RequestSize;
  readonly #padding: { padding: string } | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#size = options.body ?? { recordCount: 1, paddingBytes: 0 };
    const { paddingBytes } = this.#size;
    this.#padding = paddingBytes === 0 ? undefined : { padding: 'x'.repeat(paddingBytes) };
  }

  start(): void {
    const pauseMs = (1_000 * this.#size.recordCount) / this.#options.recordsPerSecond;
    this.#timer ??= setInterval(() => this.#produceNext(), pauseMs);
  }

  /** Stops sending, and waits for outstanding responses. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#inFlight);
  }

  /** Sends one request, and waits for its response. */
  async produceOnce(): Promise<void> {
    await this.#produce(Array.from({ length: this.#size.recordCount }, () => this.#options.books.nextRecord()));
  }

  #produceNext(): void {
    if (this.#inFlight.size >= this.#options.maxInFlight) return;
    const request = this.produceOnce().finally(() => this.#inFlight.delete(request));
    this.#inFlight.add(request);
  }

  async #produce(records: readonly number[]): Promise<void> {
    const { client, books, topic, runId } = this.#options;
    const padding = this.#padding;
    const request: ClientRequest = {
      method: 'POST',
      path: `/topics/${encodeURIComponent(topic)}`,
      headers: { 'content-type': RECORDS.json },
      body: { records: records.map((n) => ({ key: `order-${n}`, value: { n, run: runId, ...padding } })) },
    };
    const answer = await client.send(request, records);
    const failure = produceFailure(answer);
    if (failure !== undefined) books.clientError({ operation: 'send', ...failure });
    else if (answer.kind === 'answered') {
      const places = placesOf(answer);
      for (const [index, record] of records.entries()) books.acknowledge(record, answer.latencyMs, places[index]);
    }
  }
}

/** Of the records of a successful response, in their order. */
function placesOf({ body }: Answer & { kind: 'answered' }): AcknowledgedPlace[] {
  return ((body ?? {}) as { offsets?: AcknowledgedPlace[] }).offsets ?? [];
}

/** Why the records are not acknowledged; a response 200 may still refuse one. */
export function produceFailure(answer: Answer): { kind: string; message: string | undefined } | undefined {
  if (answer.kind === 'failed' || answer.status !== 200) return describeRefusal(answer);
  const { offsets } = (answer.body ?? {}) as {
    offsets?: { offset?: unknown; error_code?: unknown; message?: unknown }[];
  };
  const entries = Array.isArray(offsets) ? offsets : [];
  const entry = entries.find(({ offset }) => typeof offset !== 'number');
  if (entry === undefined && entries.length > 0) return undefined;
  if (entry?.error_code === undefined) return { kind: 'a response without an offset', message: undefined };
  const message = typeof entry.message === 'string' ? entry.message : undefined;
  return { kind: `record refused with ${entry.error_code}`, message };
}
