/** The clients of a scenario: producers, groups that commit in each way, and a consumer with assigned partitions. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../errors.ts';
import { KeyedHistory } from '../exactly-once/history.ts';
import { type KeyedSummary, summarizeHistory } from '../exactly-once/history-check.ts';
import { KeyedSender } from '../exactly-once/keyed-sender.ts';
import type { ClientTls } from '../secure/client-tls.ts';
import type { KafkaAccess } from '../stack/kafka-client.ts';
import { HttpClient, protocolsOf } from '../traffic/client.ts';
import { Consumer, type Reading } from '../traffic/consumer.ts';
import { Producer, type ProduceSender, type RequestSize } from '../traffic/producer.ts';
import { readStored, type StoredRecords } from '../traffic/read-back.ts';
import { FleetLedger } from './fleet-ledger.ts';
import type { DeliveryIdentity } from './group-books.ts';

const PRODUCER_COUNT = 8;
/** With keys: one in so many producers repeats its requests by itself. */
const REPEATING_EVERY = 3;
const AUTO_COMMIT_GROUP_COUNT = 6;
const MANUAL_COMMIT_GROUP_COUNT = 2;
const CONSUMERS_PER_GROUP = 2;
const MANUAL = 'manual';
export const PARTITION_COUNT = 6;
/** Rate of each producer: all together leave the system enough of two cores. */
const RECORDS_PER_SECOND = 4;
/** 8 MiB a request, one every four seconds: each group reads 2 MiB/s then. */
const LARGE_BODY: RequestSize = { recordCount: 128, paddingBytes: 65_536 };
const LARGE_RECORDS_PER_SECOND = 32;
const LARGE_PRODUCER_COUNT = 1;
const MAX_IN_FLIGHT = 64;
const JOIN_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 20_000;
const DRAIN_POLL_MS = 20;
const READ_BACK_TIMEOUT_MS = 30_000;

export interface FleetOptions {
  /** URLs of the tier-1 gateways: half of the clients start with each, and use the other after a refused connection. */
  urls: readonly string[];
  /** Of a secure system. */
  tls?: ClientTls | undefined;
  /** The Kafka from which `finish` reads the topic back. */
  kafka: KafkaAccess;
  /** With `PARTITION_COUNT` partitions. */
  topic: string;
  /** Few clients with bodies of 8 MiB. Default: many with short ones. */
  hasLargeBodies?: boolean | undefined;
  /** Of each producer with short bodies. Default: 4. */
  recordsPerSecond?: number | undefined;
  /**
   * Producers send a key with each request, consumers read with `read_committed`. One more producer of short bodies has no keys: the
   * gateways make them. `twins`: each request is sent twice at once, through different tier-1 gateways.
   */
  keys?: 'each' | 'twins' | undefined;
  /** Acknowledged records whose delivery is not awaited at the end: a planted fault has lost them. */
  lostRecords?: ReadonlySet<number> | undefined;
  /** Default: `place`. */
  identity?: DeliveryIdentity | undefined;
}

export class Fleet {
  readonly ledger: FleetLedger;
  readonly #options: FleetOptions;
  readonly #runId = randomBytes(4).toString('hex');
  readonly #clients: HttpClient[];
  readonly #producers: Producer[];
  readonly #consumers: Consumer[];
  readonly #history: KeyedHistory | undefined;
  readonly #keyedSenders: KeyedSender[];
  #keyed: KeyedSummary | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.ledger = new FleetLedger(() => performance.now(), options.identity);
    this.#history = options.keys && new KeyedHistory(() => performance.now());
    const protocols = protocolsOf(options.tls);
    this.#clients = options.urls.flatMap((_, first) =>
      protocols.map((protocol, index) => new HttpClient(rotated(options.urls, first + index), protocol)),
    );
    const isLarge = options.hasLargeBodies === true;
    const producerCount = isLarge ? LARGE_PRODUCER_COUNT : PRODUCER_COUNT;
    this.#keyedSenders = Array.from({ length: producerCount }, (_, index) => this.#keyedSender(index)).flat();
    const senders =
      this.#history === undefined
        ? Array.from({ length: producerCount }, (_, index) => this.#clientOf(index))
        : [...this.#keyedSenders, ...(isLarge ? [] : [this.#clientOf(0)])];
    this.#producers = senders.map((sender) => this.#producer(sender));
    this.#consumers = [
      ...this.#groups('auto', isLarge ? 1 : AUTO_COMMIT_GROUP_COUNT, { kind: 'autoCommit' }),
      ...this.#groups(MANUAL, isLarge ? 1 : MANUAL_COMMIT_GROUP_COUNT, { kind: 'manualCommit' }),
      ...this.#group('assigned', 1, {
        kind: 'assigned',
        partitions: Array.from({ length: PARTITION_COUNT }, (_, partition) => partition),
      }),
    ];
  }

  /** Lets the consumers join, and with keys the first one be stored, which creates topics; then starts producing. Errors: `startTimedOut` when they cannot. */
  async start(): Promise<void> {
    for (const consumer of this.#consumers) consumer.start();
    const joined = Promise.all(this.#consumers.map((consumer) => consumer.joined)).then(() => true);
    const giveUp = new AbortController();
    const isJoined = await Promise.race([
      joined,
      delay(JOIN_TIMEOUT_MS, false, { signal: giveUp.signal }).catch(() => false),
    ]);
    giveUp.abort();
    if (!isJoined) {
      const errors = JSON.stringify(this.ledger.summarize().errors);
      throw new LabError('startTimedOut', `The consumers did not join their groups: ${errors}.`);
    }
    if (this.#history !== undefined) await this.#producers[0]?.produceOnce();
    for (const producer of this.#producers) producer.start();
  }

  /**
   * Ends the traffic: stops the producers, waits until every acknowledged record is delivered, deletes the consumers, and
   * reads the topic back. Errors: those of kafkajs.
   */
  async finish(): Promise<void> {
    await this.endProducing();
    await this.endConsuming();
    const stored = await this.readBack(this.#options.kafka);
    this.ledger.compareWithKafka(stored);
    this.#keyed = this.#history && summarizeHistory(this.#history.requests, stored.places);
  }

  /** For callers that do more than `finish`: no more records are sent, and the last ones have their responses. */
  async endProducing(): Promise<void> {
    await Promise.all(this.#producers.map((producer) => producer.stop()));
    this.ledger.endTraffic();
  }

  /** Waits until every acknowledged record is delivered, and deletes the consumers. */
  async endConsuming(): Promise<void> {
    const deadlineMs = performance.now() + DRAIN_TIMEOUT_MS;
    while (this.#isDelivering() && performance.now() < deadlineMs) await delay(DRAIN_POLL_MS);
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.#closeClients();
  }

  /** The records of the fleet in its topic. Errors: those of kafkajs. */
  async readBack(kafka: KafkaAccess): Promise<StoredRecords> {
    const signal = AbortSignal.timeout(READ_BACK_TIMEOUT_MS);
    return await readStored({ kafka, topic: this.#options.topic, runId: this.#runId, signal });
  }

  /** Of its groups' names in Kafka: the name in the ledger follows. */
  get groupPrefix(): string {
    return `chaos-${this.#runId}-`;
  }

  #isDelivering(): boolean {
    const { lostRecords } = this.#options;
    return this.ledger.undelivered().some(({ records }) => records.some((record) => lostRecords?.has(record) !== true));
  }

  /** After `finish`, of a fleet with keys. */
  get keyed(): KeyedSummary | undefined {
    return this.#keyed;
  }

  /** Ends the traffic at once, after a failure. */
  async abandon(): Promise<void> {
    for (const sender of this.#keyedSenders) sender.giveUp();
    await this.#closeClients();
    await Promise.all([...this.#producers, ...this.#consumers].map((client) => client.stop()));
  }

  /** Aborts requests in flight. */
  async #closeClients(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  #producer(client: ProduceSender): Producer {
    const { topic, hasLargeBodies, recordsPerSecond = RECORDS_PER_SECOND } = this.#options;
    const isLarge = hasLargeBodies === true;
    return new Producer({
      client,
      books: this.ledger,
      topic,
      runId: this.#runId,
      recordsPerSecond: isLarge ? LARGE_RECORDS_PER_SECOND : recordsPerSecond,
      maxInFlight: MAX_IN_FLIGHT,
      body: isLarge ? LARGE_BODY : undefined,
    });
  }

  /** None without keys. */
  #keyedSender(index: number): KeyedSender[] {
    if (this.#history === undefined) return [];
    // Neighbours in the list of clients start with different gateways.
    const twin = this.#options.keys === 'twins' ? this.#clientOf(index ^ 1) : undefined;
    const isRepeating = index % REPEATING_EVERY === 0;
    const name = `${this.#runId}-${index}`;
    return [new KeyedSender({ client: this.#clientOf(index), history: this.#history, name, twin, isRepeating })];
  }

  #groups(name: string, count: number, reading: Reading): Consumer[] {
    return Array.from({ length: count }, (_, index) =>
      this.#group(`${name}-${index + 1}`, CONSUMERS_PER_GROUP, reading),
    ).flat();
  }

  #group(name: string, consumerCount: number, reading: Reading): Consumer[] {
    const books = this.ledger.addGroup(name, consumerCount);
    return Array.from(
      { length: consumerCount },
      (_, index) =>
        new Consumer({
          client: this.#clientOf(index),
          books,
          topic: this.#options.topic,
          runId: this.#runId,
          reading,
          group: `${this.groupPrefix}${name}`,
          name: `consumer-${index + 1}`,
          readsCommitted: this.#history !== undefined,
        }),
    );
  }

  #clientOf(index: number): HttpClient {
    const client = this.#clients[index % this.#clients.length];
    if (client === undefined) throw new TypeError('a fleet needs a tier-1 gateway');
    return client;
  }
}

/** Whether the clients of a group commit, and not its bridge. */
export function commitsByItself(group: string): boolean {
  return group.startsWith(MANUAL);
}

function rotated(urls: readonly string[], first: number): [string, ...string[]] {
  const start = first % urls.length;
  const [head, ...rest] = [...urls.slice(start), ...urls.slice(0, start)];
  if (head === undefined) throw new TypeError('a client needs an address');
  return [head, ...rest];
}
