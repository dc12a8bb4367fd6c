/** One consumer: creates itself, subscribes or assigns, and polls until it is stopped, also after errors. */
import { setTimeout as delay } from 'node:timers/promises';
import { KAFKA_V2, RECORDS } from '@causeway/protocol/content-types.ts';
import { instancePath } from '@causeway/protocol/paths.ts';
import type { ClientOperation, ConsumerBooks, Delivery } from './books.ts';
import { type Answer, type ClientRequest, describeRefusal, type HttpClient } from './client.ts';

/** A poll waits this long for records. */
const POLL_TIMEOUT_MS = 1_000;
/** Pause after a failed request, so that the client adds no load. */
const PAUSE_MS = 200;
/** Time for the last poll after the consumer is stopped. */
const STOP_GRACE_MS = POLL_TIMEOUT_MS + 500;

/** How a consumer gets its partitions, and how it commits. */
export type Reading =
  /** Subscribed; each poll commits the records of the previous one. */
  | { kind: 'autoCommit' }
  /** Subscribed; sends a commit after each poll with records. */
  | { kind: 'manualCommit' }
  /** Assigned these partitions; seeks to the beginning. */
  | { kind: 'assigned'; partitions: readonly number[] };

export interface ConsumerOptions {
  client: HttpClient;
  books: ConsumerBooks;
  topic: string;
  group: string;
  name: string;
  /** Records of other runs are not counted. Default: all records are. */
  runId?: string | undefined;
  /** Whether it creates itself again when it is unknown, as after a night in which nothing could be reached. Default: false. */
  createsAgain?: boolean | undefined;
  /** Default: `autoCommit`. */
  reading?: Reading | undefined;
  /** Whether it reads with `read_committed`. Default: false. */
  readsCommitted?: boolean | undefined;
}

export class Consumer {
  /** Settles with the first successful poll: from then on it is a member of its group. */
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

  /** Stops polling and deletes the consumer. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([this.#running, delay(STOP_GRACE_MS)]);
    await this.#send('deleteConsumer', { method: 'DELETE', path: this.#path });
  }

  async #run(): Promise<void> {
    await this.#prepare();
    while (!this.#isStopping) {
      const answer = await this.#send('poll', {
        method: 'GET',
        path: `${this.#path}/records?timeout=${POLL_TIMEOUT_MS}`,
        headers: { accept: RECORDS.json },
      });
      if (isSuccess(answer)) await this.#received(answer);
      else if (this.#options.createsAgain === true && isUnknown(answer)) await this.#prepare();
      else await this.#pause();
    }
  }

  /** Everything before the first poll. */
  async #prepare(): Promise<void> {
    await this.#create();
    for (const { operation, request } of this.#preparations()) {
      while (!this.#isStopping && !isSuccess(await this.#send(operation, request))) await this.#pause();
    }
  }

  async #received(answer: Answer): Promise<void> {
    const { books, name, runId } = this.#options;
    this.#markJoined();
    const deliveries = deliveriesOfRun(answer, runId);
    books.delivered(name, deliveries);
    if (this.#reading.kind !== 'manualCommit' || deliveries.length === 0) return;
    // Uncommitted records come again, so a failure is only counted.
    await this.#send('commit', v2Request(`${this.#path}/offsets`));
  }

  /** Retries until the consumer exists. A name in use is its own: an earlier request succeeded and its response was lost. */
  async #create(): Promise<void> {
    const { group, name, books, readsCommitted = false } = this.#options;
    const hasSeek = this.#reading.kind === 'assigned';
    const request: ClientRequest = {
      ...v2Request(`/consumers/${encodeURIComponent(group)}`),
      body: {
        name,
        format: 'json',
        'enable.auto.commit': this.#reading.kind !== 'manualCommit',
        // The seek decides the position, not the reset.
        'auto.offset.reset': hasSeek ? 'latest' : 'earliest',
        // A plain server need not know it.
        ...(readsCommitted ? { 'isolation.level': 'read_committed' } : {}),
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

  /** The requests between the create and the first poll. */
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

  /** Whether the response is a success; otherwise reports the error. */
  #succeeded(operation: ClientOperation, answer: Answer): boolean {
    if (isSuccess(answer)) return true;
    // A poll that is aborted at the end is not a failure.
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

function isUnknown(answer: Answer): boolean {
  return answer.kind === 'answered' && answer.status === 404;
}

/** This run's records in the response to a poll, or all of them. */
export function deliveriesOfRun(answer: Answer, runId: string | undefined): Delivery[] {
  if (answer.kind === 'failed' || !Array.isArray(answer.body)) return [];
  return (answer.body as { value?: unknown; partition: number; offset: number }[]).flatMap(
    ({ value, partition, offset }) => {
      const record = runId === undefined ? 0 : recordNumber(value, runId);
      return record === undefined ? [] : [{ record, partition, offset }];
    },
  );
}

/** The number in a record's value, if it belongs to this run. */
export function recordNumber(value: unknown, runId: string): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { n, run } = value as { n?: unknown; run?: unknown };
  return run === runId && typeof n === 'number' ? n : undefined;
}
