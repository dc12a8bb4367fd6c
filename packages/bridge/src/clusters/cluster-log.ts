/**
 * A cluster's log, as one bridge reads and writes it: in its own cluster, or in the other one, which may be away. Keeps what the rules make of it, and
 * when Kafka last confirmed that nothing is missing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Instant, NEVER, readClocks } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { isRetriable } from '../kafka/client/kafka-errors.ts';
import { backoffMs, bounded, type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import { SharedQuestion } from '../kafka/client/shared-question.ts';
import { TopicTail } from '../kafka/fetch/topic-tail.ts';
import { ProduceClient } from '../kafka/produce/produce.ts';
import type { StoredRecord } from '../records.ts';
import { type ClusterFacts, NO_FACTS, withFact } from './cluster-facts.ts';
import { CLUSTER_TOPIC, ensureClusterTopic } from './cluster-topic.ts';
import { decodeFact, encodeFact, type FactToWrite } from './log-records.ts';
import type { ClusterView } from './rules.ts';

export interface ClusterLogOptions {
  /** The cluster that the log is about. */
  name: string;
  requestTimeoutMs: number;
  /** The facts are others, or known for the first time. */
  onChanged: () => void;
  /** Kafka was asked for all that the facts are made of at this moment. */
  onConfirmed: (askedAt: Instant) => void;
  /** The topic was recreated, and the facts are still those of the one before: they are to be written again. */
  onRecreated?: () => void;
  /** The log cannot be read, for this reason; `undefined` when it can. Called when that changes. */
  onTrouble: (reason: string | undefined) => void;
}

const WRITE_TIMEOUT_MS = 5000;
/** Of a question for the end: the next one may go to another broker. */
const ASK_TIMEOUT_MS = 2000;
const PARTITION = 0;

interface Waiter {
  end: bigint;
  resolve: () => void;
}

export class ClusterLog {
  readonly #cluster: Cluster;
  readonly #options: ClusterLogOptions;
  readonly #tail: TopicTail;
  readonly #client: ProduceClient;
  readonly #waiters = new Set<Waiter>();
  readonly #question = new SharedQuestion(() => this.#askOnce());
  #facts = NO_FACTS;
  /** While the log is read from its beginning. */
  #next: ClusterFacts | undefined = NO_FACTS;
  #isRecreated = false;
  #confirmedAt = NEVER;
  #trouble: string | undefined = 'it is being read';
  #wasTroubled = false;

  constructor(cluster: Cluster, options: ClusterLogOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#client = new ProduceClient(cluster, { acks: 'all', timeoutMs: WRITE_TIMEOUT_MS, compression: 'none' });
    const findTopic = (end: AbortSignal) => ensureClusterTopic(cluster, within(options.requestTimeoutMs, end));
    this.#tail = new TopicTail(
      cluster,
      { topic: CLUSTER_TOPIC, findTopic },
      {
        onRestart: () => {
          this.#next = NO_FACTS;
        },
        // Promotions only grow: what was known counts, and the records of the new log count behind it.
        onRecreated: () => {
          this.#isRecreated = this.isLoaded;
          this.#next = this.#facts;
        },
        onRecord: (record) => this.#apply(record),
        onFetched: () => this.#wake(),
        onEndReached: (_, askedAt) => this.#endReached(askedAt),
        onTrouble: (reason) => this.#note(reason),
      },
    );
  }

  /** Begins to read; Kafka may come later. */
  start(): void {
    this.#tail.start();
  }

  async close(): Promise<void> {
    await this.#tail.close();
    await this.#client.close();
  }

  get name(): string {
    return this.#options.name;
  }

  get facts(): ClusterFacts {
    return this.#facts;
  }

  get view(): ClusterView {
    return this.#facts.view;
  }

  /** Whether all that the log had was read once. */
  get isLoaded(): boolean {
    return this.#next === undefined;
  }

  /** Why it cannot be read; `undefined` while it can. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * Reads everything that is in the log at this moment. Calls share their questions to Kafka, but none that was asked before they came.
   * Errors: `kafkaUnavailable`.
   */
  async confirm(limits: Limits): Promise<void> {
    await bounded(this.#question.fresh(), limits);
  }

  /**
   * Writes records, in order and together. A write that fails may arrive nevertheless: rules ignore what comes too late or twice.
   * Errors: `kafkaUnavailable`, `kafkaRefused`.
   */
  async append(facts: readonly FactToWrite[], limits: Limits): Promise<void> {
    const records = facts.map((fact) => {
      const { key, value } = encodeFact(fact);
      return { key, value, headers: undefined, partition: PARTITION, timestampMs: undefined };
    });
    for (let attempt = 0; ; attempt += 1) {
      let error: BridgeError;
      try {
        const topics = await this.#cluster.topics([CLUSTER_TOPIC], limits, attempt === 0 ? {} : { maxAgeMs: 0 });
        const answer = topics.get(CLUSTER_TOPIC);
        const leader =
          answer !== undefined && 'topic' in answer ? (answer.topic.partitions[PARTITION]?.leader ?? -1) : -1;
        const sending = this.#client.send(leader, [{ topic: CLUSTER_TOPIC, partition: PARTITION, records }]);
        const [outcome] = await bounded(
          sending,
          within(Math.min(WRITE_TIMEOUT_MS, remainingMs(limits)), limits.signal),
        );
        if (outcome?.kind === 'stored') return;
        const message = `The log of the clusters refused a record: ${outcome?.message ?? ''}`;
        if (outcome !== undefined && !isRetriable(outcome.errorId)) throw new BridgeError('kafkaRefused', { message });
        error = new BridgeError('kafkaUnavailable', { message });
      } catch (cause) {
        error = toBridgeError(cause);
        if (error.code !== 'kafkaUnavailable') throw error;
      }
      const pauseMs = backoffMs(attempt, this.#cluster.backoff);
      if (remainingMs(limits) <= pauseMs || limits.signal?.aborted === true) throw error;
      await delay(pauseMs);
    }
  }

  async #askOnce(): Promise<void> {
    const limits = within(Math.min(ASK_TIMEOUT_MS, this.#options.requestTimeoutMs));
    const askedAt = readClocks();
    const [found] = await listOffsets(this.#cluster, [{ topic: CLUSTER_TOPIC, partition: PARTITION }], {
      spec: 'latest',
      isolationLevel: 'read_uncommitted',
      limits,
    }).catch((error: unknown) => {
      throw toBridgeError(error);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { end: found?.offset ?? 0n, resolve };
    this.#waiters.add(waiter);
    this.#wake();
    try {
      await bounded(promise, limits);
    } finally {
      this.#waiters.delete(waiter);
    }
    this.#confirmed(askedAt);
  }

  #apply({ value }: StoredRecord): void {
    const fact = value === null ? undefined : decodeFact(value);
    if (fact === undefined) return;
    const { name } = this.#options;
    if (this.#next !== undefined) this.#next = withFact(this.#next, fact, name);
    else {
      this.#facts = withFact(this.#facts, fact, name);
      this.#options.onChanged();
    }
  }

  #endReached(askedAt: Instant): void {
    if (this.#next !== undefined) {
      this.#facts = this.#next;
      this.#next = undefined;
      this.#options.onChanged();
    }
    this.#confirmed(askedAt);
    this.#wake();
    if (!this.#isRecreated) return;
    this.#isRecreated = false;
    this.#options.onRecreated?.();
  }

  #confirmed(askedAt: Instant): void {
    if (askedAt.monotonicMs <= this.#confirmedAt.monotonicMs) return;
    this.#confirmedAt = askedAt;
    this.#options.onConfirmed(askedAt);
  }

  #wake(): void {
    if (this.#next !== undefined) return;
    for (const waiter of this.#waiters) {
      if (this.#tail.position(PARTITION) < waiter.end) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  #note(reason: string | undefined): void {
    this.#trouble = reason;
    const isTroubled = reason !== undefined;
    if (isTroubled === this.#wasTroubled) return;
    this.#wasTroubled = isTroubled;
    this.#options.onTrouble(reason);
  }
}
