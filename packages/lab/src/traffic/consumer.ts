/** One consumer: creates itself once, subscribes or assigns, and polls until it is stopped, whatever is answered. */
import { setTimeout as delay } from 'node:timers/promises';
import { KAFKA_V2, RECORDS } from '@causeway/protocol/content-types.ts';
import { instancePath } from '@causeway/protocol/paths.ts';
import type { ClientOperation, ConsumerBooks, Delivery } from './books.ts';
import { type Answer, type ClientRequest, describeRefusal, type HttpClient } from './client.ts';

/** A poll waits this long for records. */
const POLL_TIMEOUT_MS = 1_000;
/** After a failed request; a client that asks again at once would only add to the trouble. */
const PAUSE_MS = 200;
/** A poll that runs when the consumer is stopped has this long to end. */
const STOP_GRACE_MS = POLL_TIMEOUT_MS + 500;

/** How a consumer comes by its partitions, and who says what it has read. */
export type Reading =
  /** Subscribed; each poll commits what the one before brought. */
  | { kind: 'autoCommit' }
  /** Subscribed; commits by a request of its own after each poll that brought something. */
  | { kind: 'manualCommit' }
  /** Reads these partitions, from the beginning because it seeks there. */
  | { kind: 'assigned'; partitions: readonly number[] };

export interface ConsumerOptions {
  client: HttpClient;
  books: ConsumerBooks;
  topic: string;
  group: string;
  name: string;
  /** Records of other runs are not counted. */
  runId: string;
  /** Default: `autoCommit`. */
  reading?: Reading | undefined;
}

export class Consumer {
  /** Settles with the first poll that is answered with records, be it none: from then on it is a member of its group. */
  readonly joined: Promise<void>;
  readonly #options: ConsumerOptions;
  readonly #reading: Reading;
  readonly #path: string;
  readonly #markJoined: () => void;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#reading = options.reading ?? { kind: 'autoCommit' };
    this.#path = instancePath(options.group, options.name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.joined = promise;
    this.#markJoined = resolve;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the polling and deletes the consumer, as a well-behaved client does. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([this.#running, delay(STOP_GRACE_MS)]);
    await this.#send('deleteConsumer', { method: 'DELETE', path: this.#path });
  }

  async #run(): Promise<void> {
    await this.#create();
    for (const { operation, request } of this.#preparations()) {
      while (!this.#isStopping && !isSuccess(await this.#send(operation, request))) await this.#pause();
    }
    while (!this.#isStopping) {
      const answer = await this.#send('poll', {
        method: 'GET',
        path: `${this.#path}/records?timeout=${POLL_TIMEOUT_MS}`,
        headers: { accept: RECORDS.json },
      });
      if (isSuccess(answer)) await this.#received(answer);
      else await this.#pause();
    }
  }

  async #received(answer: Answer): Promise<void> {
    const { books, name, runId } = this.#options;
    this.#markJoined();
    const deliveries = deliveriesOfRun(answer, runId);
    books.delivered(name, deliveries);
    if (this.#reading.kind !== 'manualCommit' || deliveries.length === 0) return;
    // What is not committed comes again, so a failure needs no other answer than that it is counted.
    await this.#send('commit', v2Request(`${this.#path}/offsets`));
  }

  /** Until it is there. A name that is taken is its own: a request before was carried out and its answer lost. */
  async #create(): Promise<void> {
    const { group, name, books } = this.#options;
    const hasSeek = this.#reading.kind === 'assigned';
    const request: ClientRequest = {
      ...v2Request(`/consumers/${encodeURIComponent(group)}`),
      body: {
        name,
        format: 'json',
        'enable.auto.commit': this.#reading.kind !== 'manualCommit',
        // Where the seek decides, the reset must not.
        'auto.offset.reset': hasSeek ? 'latest' : 'earliest',
      },
    };
    for (let attempt = 1; !this.#isStopping; attempt += 1) {
      books.creating();
      const answer = await this.#options.client.send(request);
      const isTaken = attempt > 1 && answer.kind === 'answered' && answer.status === 409;
      if (isTaken || this.#succeeded('createConsumer', answer)) return;
      await this.#pause();
    }
  }

  /** What is asked between the create and the first poll. */
  #preparations(): { operation: ClientOperation; request: ClientRequest }[] {
    const { topic } = this.#options;
    if (this.#reading.kind !== 'assigned') {
      const subscription = { ...v2Request(`${this.#path}/subscription`), body: { topics: [topic] } };
      return [{ operation: 'subscribe', request: subscription }];
    }
    const body = { partitions: this.#reading.partitions.map((partition) => ({ topic, partition })) };
    return [
      { operation: 'assign', request: { ...v2Request(`${this.#path}/assignments`), body } },
      { operation: 'seekToBeginning', request: { ...v2Request(`${this.#path}/positions/beginning`), body } },
    ];
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #send(operation: ClientOperation, request: ClientRequest): Promise<Answer> {
    const answer = await this.#options.client.send(request);
    this.#succeeded(operation, answer);
    return answer;
  }

  /** Whether the answer is a success; if not, it goes into the books. */
  #succeeded(operation: ClientOperation, answer: Answer): boolean {
    if (isSuccess(answer)) return true;
    // A poll that was given up at the end is nobody's failure.
    if (operation === 'poll' && this.#isStopping && answer.kind === 'failed') return false;
    this.#options.books.clientError({ operation, ...describeRefusal(answer) });
    return false;
  }

  async #pause(): Promise<void> {
    await delay(PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

function v2Request(path: string): ClientRequest {
  return { method: 'POST', path, headers: { 'content-type': KAFKA_V2 } };
}

function isSuccess(answer: Answer): boolean {
  return answer.kind === 'answered' && answer.status >= 200 && answer.status < 300;
}

/** This run's records in the answer to a poll. */
export function deliveriesOfRun(answer: Answer, runId: string): Delivery[] {
  if (answer.kind === 'failed' || !Array.isArray(answer.body)) return [];
  return (answer.body as { value?: unknown; partition: number; offset: number }[]).flatMap(
    ({ value, partition, offset }) => {
      const record = recordNumber(value, runId);
      return record === undefined ? [] : [{ record, partition, offset }];
    },
  );
}

/** The number in a record's value, if it is one of this run. */
export function recordNumber(value: unknown, runId: string): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { n, run } = value as { n?: unknown; run?: unknown };
  return run === runId && typeof n === 'number' ? n : undefined;
}
