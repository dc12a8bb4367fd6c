/** The good clients of a run: a producer, a group that commits implicitly, and a group that sends commits. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../errors.ts';
import type { ClientTls } from '../secure/client-tls.ts';
import type { KafkaAccess } from '../stack/kafka-client.ts';
import { HttpClient } from '../traffic/client.ts';
import { Consumer } from '../traffic/consumer.ts';
import { Producer } from '../traffic/producer.ts';
import { readBack } from '../traffic/read-back.ts';
import { GoodBooks } from './good-books.ts';

const RECORDS_PER_SECOND = 20;
const MAX_IN_FLIGHT = 512;
const JOIN_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 30_000;
const DRAIN_POLL_MS = 20;
const READ_BACK_TIMEOUT_MS = 60_000;
/** Enough that both regions have some. */
const CONSUMER_COUNT = 4;

export const PARTITION_COUNT = 8;

export interface GoodClientsOptions {
  /** Of the tier-1 gateway. */
  url: string;
  /** Of a secure system. */
  tls?: ClientTls | undefined;
  /** The Kafka from which the topic is read back. */
  kafka: KafkaAccess;
  /** With `PARTITION_COUNT` partitions. */
  topic: string;
}

export class GoodClients {
  readonly books = new GoodBooks(() => performance.now());
  readonly #options: GoodClientsOptions;
  readonly #runId = randomBytes(4).toString('hex');
  readonly #client: HttpClient;
  readonly #producer: Producer;
  readonly #consumers: Consumer[];

  constructor(options: GoodClientsOptions) {
    this.#options = options;
    this.#client = new HttpClient(options.url, { tls: options.tls });
    const { topic } = options;
    this.#producer = new Producer({
      client: this.#client,
      books: this.books,
      topic,
      runId: this.#runId,
      recordsPerSecond: RECORDS_PER_SECOND,
      maxInFlight: MAX_IN_FLIGHT,
    });
    this.#consumers = (['autoCommit', 'manualCommit'] as const).flatMap((kind) => {
      const books = this.books.addGroup(kind);
      return Array.from(
        { length: CONSUMER_COUNT },
        (_, index) =>
          new Consumer({
            client: this.#client,
            books,
            topic,
            runId: this.#runId,
            reading: { kind },
            group: `good-${this.#runId}-${kind}`,
            name: `good-${index + 1}`,
          }),
      );
    });
  }

  /** Lets the consumers join, then starts producing. Errors: `startTimedOut` when they cannot. */
  async start(): Promise<void> {
    for (const consumer of this.#consumers) consumer.start();
    const giveUp = new AbortController();
    const isJoined = await Promise.race([
      Promise.all(this.#consumers.map(({ joined }) => joined)).then(() => true),
      delay(JOIN_TIMEOUT_MS, false, { signal: giveUp.signal }).catch(() => false),
    ]);
    giveUp.abort();
    if (!isJoined) throw new LabError('startTimedOut', 'The good consumers did not join their groups.');
    this.#producer.start();
  }

  /** Waits until every acknowledged record is delivered, within a limit. */
  async drain(): Promise<void> {
    const deadlineMs = performance.now() + DRAIN_TIMEOUT_MS;
    while (this.books.undeliveredCount() > 0 && performance.now() < deadlineMs) await delay(DRAIN_POLL_MS);
  }

  /** Ends the traffic and reads the topic back. Errors: those of kafkajs. */
  async finish(): Promise<{ notStored: number; storedTwice: number; undelivered: number }> {
    await this.#producer.stop();
    await this.drain();
    await this.close();
    const { kafka, topic } = this.#options;
    const signal = AbortSignal.timeout(READ_BACK_TIMEOUT_MS);
    const stored = await readBack({ kafka, topic, runId: this.#runId, signal });
    return { ...this.books.compareWithKafka(stored), undelivered: this.books.undeliveredCount() };
  }

  async close(): Promise<void> {
    await this.#producer.stop();
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.#client.close();
  }
}
