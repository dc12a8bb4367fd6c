/**
 * A producer with a transactional id: what it sends is committed as a whole, or never (KIP-98).
 *
 * Kafka lets one producer at a time use the id. {@link TransactionalProducer.init} takes it over: Kafka aborts the transaction of the
 * producer before, and refuses its commit. No clock is involved.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { partitionKey } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { Coordinator } from '../client/coordinator.ts';
import { javaException, protocolErrorId, toBridgeError } from '../client/failure.ts';
import { type ErrorId, errorText, isRetriable, kafkaError } from '../client/kafka-errors.ts';
import { backoffMs, type Limits, remainingMs, within } from '../client/limits.ts';
import type { BatchOutcome, PartitionBatch, ProduceClient } from '../produce/produce.ts';
import { endedBy, TransactionEnded } from './transaction-ended.ts';
import {
  addPartitions,
  endTransaction,
  initProducer,
  type ProducerIdentity,
  type TransactionVersion,
  transactionVersion,
} from './transaction-requests.ts';

export interface TransactionalProducerOptions {
  transactionalId: string;
  /** After this long without an end, Kafka aborts a transaction, in milliseconds. */
  transactionTimeoutMs: number;
}

/** A batch without its stamp. */
export type TransactionBatch = Omit<PartitionBatch, 'stamp'>;

/** While the markers of the last transaction are written, Kafka refuses the next one. */
const CONCURRENT_PAUSES = { minMs: 1, maxMs: 50 } as const;

export class TransactionalProducer {
  readonly transactionalId: string;
  readonly #cluster: Cluster;
  readonly #client: ProduceClient;
  readonly #coordinator: Coordinator;
  readonly #timeoutMs: number;
  #version: TransactionVersion = 1;
  #identity: ProducerIdentity | undefined;
  /** The number of the next record, by partition. */
  readonly #sequences = new Map<string, number>();
  /** Partitions that the open transaction has, where the brokers do not add them. */
  readonly #added = new Set<string>();
  #isOpen = false;

  constructor(cluster: Cluster, client: ProduceClient, options: TransactionalProducerOptions) {
    this.#cluster = cluster;
    this.#client = client;
    this.transactionalId = options.transactionalId;
    this.#timeoutMs = options.transactionTimeoutMs;
    this.#coordinator = new Coordinator(cluster, { kind: 'transaction', key: options.transactionalId });
  }

  /**
   * Takes the id over: when it resolves, the transaction of the producer before is aborted, or committed with all its markers.
   * Errors: `kafkaForbidden`, `kafkaUnavailable`.
   */
  async init(limits: Limits): Promise<void> {
    this.#identity = undefined;
    try {
      this.#version = await this.#cluster.onAnyBroker(transactionVersion, limits);
      this.#identity = await this.#whileConcurrent(
        async () =>
          await this.#coordinator.sendAndStore(
            async (connection) => await initProducer(connection, this.transactionalId, this.#timeoutMs),
            limits,
          ),
        limits,
      );
    } catch (error) {
      throw toBridgeError(error);
    }
    this.#sequences.clear();
    this.#begin();
  }

  /** Whether records were sent since the last transaction ended. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Sends batches of the open transaction, each to its leader, until every one is stored or refused.
   * Errors: {@link TransactionEnded}.
   */
  async send(batches: readonly TransactionBatch[], limits: Limits): Promise<BatchOutcome[]> {
    const outcomes: BatchOutcome[] = new Array(batches.length);
    let open = batches.map((_, index) => index);
    for (let attempt = 0; open.length > 0; attempt += 1) {
      if (attempt > 0) await this.#pause(attempt, batches, open, outcomes, limits);
      const sent = open.map((index) => batches[index] as TransactionBatch);
      const found = await this.#sendOnce(sent, limits);
      open.forEach((index, place) => {
        outcomes[index] = found[place] as BatchOutcome;
      });
      for (const outcome of found) throwIfEnded(outcome);
      open = open.filter((index) => isUndecided(outcomes[index] as BatchOutcome));
    }
    return outcomes;
  }

  /** Errors: {@link TransactionEnded}; unless it {@link TransactionEnded.isFenced}, the transaction may be committed. */
  async commit(limits: Limits): Promise<void> {
    await this.#end(true, limits);
  }

  /** Errors: {@link TransactionEnded}. */
  async abort(limits: Limits): Promise<void> {
    await this.#end(false, limits);
  }

  async #end(isCommitted: boolean, limits: Limits): Promise<void> {
    if (!this.#isOpen) return;
    const { producerId, epoch } = this.#known();
    const ending = { transactionalId: this.transactionalId, producerId, epoch, isCommitted };
    try {
      const next = await this.#whileConcurrent(
        async () =>
          await this.#coordinator.sendAndStore(
            async (connection) => await endTransaction(connection, this.#version, ending),
            limits,
          ),
        limits,
      );
      // In another epoch, the numbers begin at 0 again.
      if (next.producerId !== producerId || next.epoch !== epoch) this.#sequences.clear();
      this.#identity = next;
    } catch (error) {
      throw endedBy(error);
    }
    this.#begin();
  }

  #begin(): void {
    this.#added.clear();
    this.#isOpen = false;
  }

  async #sendOnce(batches: readonly TransactionBatch[], limits: Limits): Promise<BatchOutcome[]> {
    this.#isOpen = true;
    const refused = this.#version === 1 ? await this.#add(batches, limits) : undefined;
    if (refused !== undefined && refused.size > 0) {
      return batches.map(({ topic, partition }) =>
        outcomeOf(refused.get(partitionKey(topic, partition)) ?? 'OPERATION_NOT_ATTEMPTED'),
      );
    }
    const transaction = { transactionalId: this.transactionalId, addsPartitions: this.#version === 2 };
    const byLeader = Map.groupBy(batches, (batch) => this.#leaderOf(batch));
    const outcomes = new Map<TransactionBatch, BatchOutcome>();
    try {
      await Promise.all(
        [...byLeader].map(async ([leader, led]) => {
          const stamped = led.map((batch) => Object.assign({ stamp: this.#stamp(batch) }, batch));
          const found = await this.#client.send(leader, stamped, transaction);
          for (const [index, batch] of led.entries()) outcomes.set(batch, found[index] as BatchOutcome);
        }),
      );
    } catch (error) {
      throw endedBy(error);
    }
    for (const batch of batches) if (outcomes.get(batch)?.kind === 'stored') this.#advance(batch);
    return batches.map((batch) => outcomes.get(batch) as BatchOutcome);
  }

  async #add(batches: readonly TransactionBatch[], limits: Limits): Promise<Map<string, ErrorId>> {
    const isNew = ({ topic, partition }: TransactionBatch): boolean => !this.#added.has(partitionKey(topic, partition));
    const missing = batches.filter(isNew);
    if (missing.length === 0) return new Map();
    const identity = Object.assign({ transactionalId: this.transactionalId }, this.#known());
    try {
      const errors = await this.#coordinator.sendAndStore(
        async (connection) => await addPartitions(connection, identity, missing),
        limits,
      );
      if (errors.size === 0)
        for (const { topic, partition } of missing) this.#added.add(partitionKey(topic, partition));
      return errors;
    } catch (error) {
      throw endedBy(error);
    }
  }

  #leaderOf({ topic, partition }: TransactionBatch): number {
    return this.#cluster.knownTopic(topic)?.partitions[partition]?.leader ?? -1;
  }

  #stamp({ topic, partition }: TransactionBatch) {
    const sequence = this.#sequences.get(partitionKey(topic, partition)) ?? 0;
    return Object.assign({ sequence, isTransactional: true }, this.#known());
  }

  #advance({ topic, partition, records }: TransactionBatch): void {
    const key = partitionKey(topic, partition);
    this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + records.length) % SEQUENCE_COUNT);
  }

  #known(): ProducerIdentity {
    if (this.#identity === undefined) throw new TypeError('the producer has no identity');
    return this.#identity;
  }

  /** Before batches are sent again. */
  async #pause(
    attempt: number,
    batches: readonly TransactionBatch[],
    open: readonly number[],
    outcomes: readonly BatchOutcome[],
    limits: Limits,
  ): Promise<void> {
    const isConcurrent = open.every((index) => refusedWith(outcomes[index]) === 'CONCURRENT_TRANSACTIONS');
    const pauseMs = backoffMs(attempt - 1, isConcurrent ? CONCURRENT_PAUSES : this.#cluster.backoff);
    const [first] = open;
    if (remainingMs(limits) <= pauseMs) {
      const errorId = first === undefined ? undefined : refusedWith(outcomes[first]);
      throw new TransactionEnded(errorId === undefined ? 'Kafka did not respond' : javaException(errorId), { errorId });
    }
    await delay(pauseMs);
    if (isConcurrent) return;
    const names = [...new Set(open.map((index) => (batches[index] as TransactionBatch).topic))];
    const { requestTimeoutMs } = this.#cluster.options;
    await this.#cluster
      .topics(names, within(Math.min(requestTimeoutMs, remainingMs(limits))), { maxAgeMs: 0 })
      .catch(() => {});
  }

  /** Repeats a request while the transaction before ends. */
  async #whileConcurrent<T>(send: () => Promise<T>, limits: Limits): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await send();
      } catch (error) {
        const pauseMs = backoffMs(attempt, CONCURRENT_PAUSES);
        if (protocolErrorId(error) !== 'CONCURRENT_TRANSACTIONS' || remainingMs(limits) <= pauseMs) throw error;
        await delay(pauseMs);
      }
    }
  }
}

/** Numbers are 32 bits without the sign, and wrap around to 0. */
const SEQUENCE_COUNT = 2 ** 31;

function refusedWith(outcome: BatchOutcome | undefined): ErrorId | undefined {
  return outcome?.kind === 'refused' ? outcome.errorId : undefined;
}

/** The broker may store the same batch later. */
function isUndecided(outcome: BatchOutcome): boolean {
  const errorId = refusedWith(outcome);
  return errorId !== undefined && (isRetriable(errorId) || errorId === 'OPERATION_NOT_ATTEMPTED');
}

function throwIfEnded(outcome: BatchOutcome): void {
  const errorId = refusedWith(outcome);
  if (errorId === undefined) return;
  const { endsTransaction, stored, remedy } = kafkaError(errorId);
  // What may be stored has no known offset: the whole transaction is done again.
  const isUnclear = stored !== undefined && remedy === undefined;
  if (endsTransaction === true || isUnclear || errorId === 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED') {
    throw new TransactionEnded(javaException(errorId), { errorId });
  }
}

function outcomeOf(errorId: ErrorId): BatchOutcome {
  return { kind: 'refused', errorId, message: errorText(errorId), badRecords: new Map() };
}
