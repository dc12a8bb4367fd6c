/** The traffic of a run, or of one tenant: a producer and consumers of one group, through one URL, and their ledger. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { LossReport } from '@causeway/protocol/clusters.ts';
import { KeyedHistory } from '../exactly-once/history.ts';
import { summarizeHistory } from '../exactly-once/history-check.ts';
import { KeyedSender } from '../exactly-once/keyed-sender.ts';
import type { ClientTls } from '../secure/client-tls.ts';
import type { KafkaAccess } from '../stack/kafka-client.ts';
import { HttpClient, protocolsOf } from './client.ts';
import { Consumer } from './consumer.ts';
import { Ledger } from './ledger.ts';
import { TopicLosses } from './loss-reports.ts';
import { Producer } from './producer.ts';
import { readStored } from './read-back.ts';

const DEFAULT_CONSUMER_COUNT = 2;
const RECORDS_PER_SECOND = 20;
/** More than three seconds without a response; then the producer waits, as a client with bounded memory would. */
const MAX_IN_FLIGHT = 64;
/** Consumers join before the first record is produced; after this time the traffic starts in any case. */
const JOIN_TIMEOUT_MS = 15_000;
/** Time after the last record until every acknowledged record must be delivered. */
export const DRAIN_TIMEOUT_MS = 15_000;
const DRAIN_POLL_MS = 20;
const READ_BACK_TIMEOUT_MS = 30_000;

export interface TrafficOptions {
  /** The URL of the tier-1 gateway, or of any server of the REST API. */
  url: string;
  /** Of a secure system. */
  tls?: ClientTls | undefined;
  /** The Kafka from which the topic is read back; a function is asked at the end. */
  kafka: KafkaAccess | (() => KafkaAccess);
  /** Of a system with two clusters: what promotions lost, asked at the end. */
  lossReports?: (() => Promise<readonly LossReport[]>) | undefined;
  topic: string;
  /** Default: 20. */
  recordsPerSecond?: number | undefined;
  /** Default: 2. */
  consumerCount?: number | undefined;
  /** Of the tenant whose traffic it is; default: clients are anonymous. */
  token?: string | undefined;
  /** The beginning of the name of the consumers' group. Default: none. */
  groupPrefix?: string | undefined;
  /** The producer sends keys and repeats requests, consumers read with `read_committed`. Default: false. */
  isExactlyOnce?: boolean | undefined;
}

export class Traffic {
  readonly ledger = new Ledger(() => performance.now());
  readonly group: string;
  readonly topic: string;
  readonly recordsPerSecond: number;
  readonly #options: TrafficOptions;
  readonly #runId = randomBytes(4).toString('hex');
  readonly #clients: readonly HttpClient[];
  readonly #history: KeyedHistory | undefined;
  readonly #keyedSender: KeyedSender | undefined;
  readonly #producer: Producer;
  readonly #consumers: Consumer[];

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.topic = options.topic;
    this.recordsPerSecond = options.recordsPerSecond ?? RECORDS_PER_SECOND;
    this.group = `${options.groupPrefix ?? ''}lab-${this.#runId}`;
    const protocols = protocolsOf(options.tls, options.token);
    const [client, ...others] = protocols.map((protocol) => new HttpClient(options.url, protocol));
    if (client === undefined) throw new TypeError('no client');
    this.#clients = [client, ...others];
    const common = { books: this.ledger, topic: options.topic, runId: this.#runId };
    const { recordsPerSecond } = this;
    const history = options.isExactlyOnce ? new KeyedHistory(() => performance.now()) : undefined;
    this.#history = history;
    this.#keyedSender = history && new KeyedSender({ client, history, name: this.#runId, isRepeating: true });
    const sender = this.#keyedSender ?? client;
    this.#producer = new Producer({ ...common, client: sender, recordsPerSecond, maxInFlight: MAX_IN_FLIGHT });
    this.#consumers = Array.from(
      { length: options.consumerCount ?? DEFAULT_CONSUMER_COUNT },
      (_, index) =>
        new Consumer({
          ...common,
          client: this.#clients[index % this.#clients.length] ?? client,
          group: this.group,
          name: `consumer-${index + 1}`,
          readsCommitted: history !== undefined,
        }),
    );
  }

  /** Lets the consumers join, then starts producing. */
  async start(signal?: AbortSignal | undefined): Promise<void> {
    for (const consumer of this.#consumers) consumer.start();
    const waits = [AbortSignal.timeout(JOIN_TIMEOUT_MS), ...(signal === undefined ? [] : [signal])];
    await settledOrAborted(Promise.all(this.#consumers.map((consumer) => consumer.joined)), AbortSignal.any(waits));
    this.ledger.startTraffic();
    this.#producer.start();
  }

  /**
   * Ends the traffic: stops the producer, waits until every acknowledged record is delivered (at most `drainTimeoutMs`), deletes
   * the consumers, and reads the topic back. Returns why the topic could not be read back, if so.
   */
  async finish(drainTimeoutMs: number = DRAIN_TIMEOUT_MS): Promise<{ readBackFailure: unknown }> {
    const giveUp = setTimeout(() => this.#keyedSender?.giveUp(), drainTimeoutMs);
    await this.#producer.stop();
    clearTimeout(giveUp);
    this.ledger.endTraffic();
    const deadlineMs = performance.now() + drainTimeoutMs;
    while (this.ledger.undelivered > 0 && performance.now() < deadlineMs) await delay(DRAIN_POLL_MS);
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await Promise.all(this.#clients.map((client) => client.close()));
    try {
      const { kafka, topic, lossReports } = this.#options;
      if (lossReports !== undefined) this.ledger.compareWithReports(new TopicLosses(topic, await lossReports()));
      const signal = AbortSignal.timeout(READ_BACK_TIMEOUT_MS);
      const access = typeof kafka === 'function' ? kafka() : kafka;
      const { places } = await readStored({ kafka: access, topic, runId: this.#runId, signal });
      const keyed = this.#history && summarizeHistory(this.#history.requests, places);
      this.ledger.compareWithKafka(new Map([...places].map(([record, { length }]) => [record, length])), keyed);
      return { readBackFailure: undefined };
    } catch (error) {
      return { readBackFailure: error };
    }
  }
}

async function settledOrAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await Promise.race([work, aborted]);
  signal.removeEventListener('abort', onAbort);
}
