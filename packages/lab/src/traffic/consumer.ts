/** One consumer of a group: creates itself, subscribes, and polls until it is stopped. */
import { setTimeout as delay } from 'node:timers/promises';
import { KAFKA_V2, RECORDS } from '@causeway/protocol/content-types.ts';
import { instancePath } from '@causeway/protocol/paths.ts';
import { type Answer, type ClientRequest, describeRefusal, type HttpClient } from './client.ts';
import type { ClientOperation, Ledger } from './ledger.ts';

/** A poll waits this long for records. */
const POLL_TIMEOUT_MS = 1_000;
/** After a failed request; a client that asks again at once would only add to the trouble. */
const PAUSE_MS = 200;
/** A poll that runs when the consumer is stopped has this long to end. */
const STOP_GRACE_MS = POLL_TIMEOUT_MS + 500;

export interface ConsumerOptions {
  client: HttpClient;
  ledger: Ledger;
  topic: string;
  group: string;
  name: string;
  /** Records of other runs are not counted. */
  runId: string;
}

export class Consumer {
  /** Settles with the first poll that is answered with records, be it none: from then on it is a member of its group. */
  readonly joined: Promise<void>;
  readonly #options: ConsumerOptions;
  readonly #path: string;
  readonly #markJoined: () => void;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
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
    const answer = await this.#options.client.send({ method: 'DELETE', path: this.#path });
    if (!isUnknownConsumer(answer)) this.#succeeded('deleteConsumer', answer);
  }

  async #run(): Promise<void> {
    await this.#create();
    while (!this.#isStopping) {
      const answer = await this.#options.client.send({
        method: 'GET',
        path: `${this.#path}/records?timeout=${POLL_TIMEOUT_MS}`,
        headers: { accept: RECORDS.json },
      });
      if (this.#isStopping && answer.kind === 'failed') return;
      if (isUnknownConsumer(answer)) {
        await this.#recreate();
      } else if (this.#succeeded('poll', answer)) {
        this.#markJoined();
        for (const record of recordsOfRun(answer, this.#options.runId)) {
          this.#options.ledger.deliver(record, this.#options.name);
        }
      } else {
        await this.#pause();
      }
    }
  }

  /** Until both requests succeed; a name that is taken already is one that can be used. */
  async #create(): Promise<void> {
    const { group, name, topic } = this.#options;
    while (!this.#isStopping) {
      const created = await this.#options.client.send({
        ...v2Request(`/consumers/${encodeURIComponent(group)}`),
        body: { name, format: 'json', 'auto.offset.reset': 'earliest' },
      });
      const isTaken = created.kind === 'answered' && created.status === 409;
      if (isTaken || this.#succeeded('createConsumer', created)) {
        const subscribed = await this.#options.client.send({
          ...v2Request(`${this.#path}/subscription`),
          body: { topics: [topic] },
        });
        if (isUnknownConsumer(subscribed)) this.#options.ledger.recreated();
        else if (this.#succeeded('subscribe', subscribed)) return;
      }
      await this.#pause();
    }
  }

  /** What a client has to do when the bridge that held its consumer is gone. */
  async #recreate(): Promise<void> {
    this.#options.ledger.recreated();
    await this.#create();
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Whether the answer is a success; if not, it goes into the ledger. */
  #succeeded(operation: ClientOperation, answer: Answer): boolean {
    if (answer.kind === 'answered' && answer.status >= 200 && answer.status < 300) return true;
    this.#options.ledger.clientError({ operation, ...describeRefusal(answer) });
    return false;
  }

  async #pause(): Promise<void> {
    await delay(PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

function v2Request(path: string): ClientRequest {
  return { method: 'POST', path, headers: { 'content-type': KAFKA_V2 } };
}

/** Whether the answer says that nobody knows this consumer (any more). */
function isUnknownConsumer(answer: Answer): boolean {
  return answer.kind === 'answered' && answer.status === 404;
}

/** The numbers of this run's records in the answer to a poll. */
export function recordsOfRun(answer: Answer, runId: string): number[] {
  if (answer.kind === 'failed' || !Array.isArray(answer.body)) return [];
  return (answer.body as { value?: unknown }[]).flatMap(({ value }) => recordNumber(value, runId) ?? []);
}

/** The number in a record's value, if it is one of this run. */
export function recordNumber(value: unknown, runId: string): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { n, run } = value as { n?: unknown; run?: unknown };
  return run === runId && typeof n === 'number' ? n : undefined;
}
