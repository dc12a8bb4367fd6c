/**
 * A producer with a transactional id: what it sends is committed as a whole, or never (KIP-98).
 *
 * Kafka lets one producer at a time use the id. {@link TransactionalProducer.init} takes it over: Kafka aborts the transaction of the
 * producer before, and refuses its commit. No clock is involved.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { partitionKey } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { javaException, toBridgeError } from '../client/failure.ts';
import { reasonOf } from '../client/failure-reason.ts';
import { type ErrorId, errorText } from '../client/kafka-errors.ts';
import { backoffMs, bounded, type Limits, remainingMs, within } from '../client/limits.ts';
import type { BatchOutcome, PartitionBatch, ProduceClient } from '../produce/produce.ts';
import { BatchNumbers } from './batch-numbers.ts';
import { isInDoubt, stepAfter } from './batch-step.ts';
import { CONCURRENT_PAUSES, TransactionCoordinator } from './transaction-coordinator.ts';
import { endedBy, TransactionEnded } from './transaction-ended.ts';
import { type ProducerIdentity, type TransactionVersion, transactionVersion } from './transaction-requests.ts';

export interface TransactionalProducerOptions {
  transactionalId: string;
  /** After this long without an end, Kafka aborts a transaction, in milliseconds. */
  transactionTimeoutMs: number;
}

/** A batch without its stamp. */
export type TransactionBatch = Omit<PartitionBatch, 'stamp'>;

export class TransactionalProducer {
  readonly transactionalId: string;
  readonly #cluster: Cluster;
  readonly #client: ProduceClient;
  readonly #coordinator: TransactionCoordinator;
  #version: TransactionVersion = 1;
  #identity: ProducerIdentity | undefined;
  readonly #numbers = new BatchNumbers();
  /** Partitions that the open transaction has, where the brokers do not add them. */
  readonly #added = new Set<string>();
  #isOpen = false;
  #hasStored = false;
  /** A broker may have, or get later, a batch that counts as not stored, or a partition that counts as not added. */
  #isInDoubt = false;
  /** Why a leader did not respond, for those who read logs. */
  #lastFailure: unknown;
  /** The markers of the last transaction; a sooner batch would wait longer. */
  #settling: Promise<void> | undefined;

  constructor(cluster: Cluster, client: ProduceClient, options: TransactionalProducerOptions) {
    this.#cluster = cluster;
    this.#client = client;
    this.transactionalId = options.transactionalId;
    const { transactionalId, transactionTimeoutMs: timeoutMs } = options;
    this.#coordinator = new TransactionCoordinator(cluster, { transactionalId, timeoutMs });
  }

  /**
   * Takes the id over: when it resolves, the transaction of the producer before is aborted, or committed with all its markers.
   * Errors: `kafkaForbidden`, `kafkaUnavailable`.
   */
  async init(limits: Limits): Promise<void> {
    this.#identity = undefined;
    try {
      this.#version = await this.#cluster.onAnyBroker(transactionVersion, limits);
      this.#identity = await this.#coordinator.init(undefined, limits);
    } catch (error) {
      throw toBridgeError(error);
    }
    this.#begin();
    this.#numbers.clear();
  }

  /** Resolves when the markers of the last transaction are written, and the next one may begin. Never rejects. */
  async settled(limits: Limits): Promise<void> {
    if (this.#settling === undefined) return;
    await bounded(this.#settling, limits).catch(() => {});
    this.#settling = undefined;
  }

  /**
   * Sends batches of the open transaction, at most one for each partition, each to its leader, until every one is stored or refused
   * for good. Errors: {@link TransactionEnded}.
   */
  async send(batches: readonly TransactionBatch[], limits: Limits): Promise<BatchOutcome[]> {
    const outcomes: (BatchOutcome | undefined)[] = new Array(batches.length);
    const doubtful = new Set<TransactionBatch>();
    this.#isOpen ||= batches.length > 0;
    await this.settled(limits);
    try {
      let open = batches.map((_, index) => index);
      for (let attempt = 0; open.length > 0; attempt += 1) {
        if (attempt > 0) await this.#pause(attempt, { batches, open, outcomes }, limits);
        const sent = open.map((index) => batches[index] as TransactionBatch);
        const found = await this.#sendOnce(sent, limits);
        open = open.filter((index, place) => {
          outcomes[index] = found[place];
          return this.#settle(batches[index] as TransactionBatch, found[place], doubtful) === 'again';
        });
      }
    } finally {
      this.#isInDoubt ||= doubtful.size > 0;
    }
    return outcomes as BatchOutcome[];
  }

  /** A transaction without a stored record is aborted. Errors: {@link TransactionEnded}. */
  async commit(limits: Limits): Promise<void> {
    await this.#end(this.#hasStored, limits);
  }

  /** Errors: {@link TransactionEnded}. */
  async abort(limits: Limits): Promise<void> {
    await this.#end(false, limits);
  }

  async #end(isCommitted: boolean, limits: Limits): Promise<void> {
    if (!this.#isOpen) return;
    const identity = this.#known();
    let mayBeEnded = false;
    const onDoubt = (isInDoubt: boolean): void => {
      mayBeEnded = isInDoubt;
    };
    try {
      const ending = { version: this.#version, identity, isCommitted };
      // Where the brokers do not add partitions, a transaction without any has not begun.
      const hasBegun = this.#version === 2 || this.#added.size > 0;
      const ended = hasBegun ? await this.#coordinator.end(ending, limits, onDoubt) : { identity, isRepeated: false };
      let next = ended.identity;
      // A late repetition would end the next transaction, and a late batch would be part of it: in the next epoch they are refused.
      // Transactions of version 2 begin it with every end.
      if (this.#version === 1 && (ended.isRepeated || this.#isInDoubt))
        next = await this.#coordinator.init(next, limits);
      if (next.producerId !== identity.producerId || next.epoch !== identity.epoch) this.#numbers.clear();
      this.#identity = next;
    } catch (error) {
      throw endedBy(error, { mayBeCommitted: isCommitted && mayBeEnded });
    }
    this.#begin();
    this.#settling = this.#coordinator.untilSettled();
  }

  #begin(): void {
    this.#added.clear();
    this.#isOpen = false;
    this.#hasStored = false;
    this.#isInDoubt = false;
  }

  /** Errors: {@link TransactionEnded}. */
  #settle(
    batch: TransactionBatch,
    outcome: BatchOutcome | undefined,
    doubtful: Set<TransactionBatch>,
  ): 'done' | 'again' {
    const step = stepAfter(outcome, { mayBeStored: doubtful.has(batch) });
    if (outcome?.kind === 'stored') {
      this.#numbers.advance(batch, batch.records.length);
      this.#hasStored = true;
      doubtful.delete(batch);
    }
    if (isInDoubt(outcome)) doubtful.add(batch);
    if (step === 'ended') throw endedWith(refusedWith(outcome));
    return step;
  }

  /** An outcome of each; `undefined`: its leader did not respond. */
  async #sendOnce(batches: readonly TransactionBatch[], limits: Limits): Promise<(BatchOutcome | undefined)[]> {
    const refused = this.#version === 1 ? await this.#add(batches, limits) : NONE_REFUSED;
    if (refused.size > 0) {
      return batches.map(({ topic, partition }) =>
        refusedBy(refused.get(partitionKey(topic, partition)) ?? 'OPERATION_NOT_ATTEMPTED'),
      );
    }
    const transaction = { transactionalId: this.transactionalId, addsPartitions: this.#version === 2 };
    const outcomes = new Map<TransactionBatch, BatchOutcome>();
    await Promise.all(
      [...Map.groupBy(batches, (batch) => this.#leaderOf(batch))].map(async ([leader, led]) => {
        const stamped = led.map((batch) => Object.assign({ stamp: this.#stamp(batch) }, batch));
        const sending = this.#client.send(leader, stamped, transaction);
        const found = await bounded(sending, limits).catch((error: unknown) => {
          this.#lastFailure = error;
          return [];
        });
        for (const [index, batch] of led.entries()) if (found[index] !== undefined) outcomes.set(batch, found[index]);
      }),
    );
    return batches.map((batch) => outcomes.get(batch));
  }

  async #add(batches: readonly TransactionBatch[], limits: Limits): Promise<ReadonlyMap<string, ErrorId>> {
    const isNew = ({ topic, partition }: TransactionBatch): boolean => !this.#added.has(partitionKey(topic, partition));
    const missing = batches.filter(isNew);
    if (missing.length === 0) return NONE_REFUSED;
    try {
      const errors = await this.#coordinator.add(this.#known(), missing, limits);
      if (errors.size === 0)
        for (const { topic, partition } of missing) this.#added.add(partitionKey(topic, partition));
      return errors;
    } catch (error) {
      this.#isInDoubt = true;
      throw endedBy(error);
    }
  }

  #leaderOf({ topic, partition }: TransactionBatch): number {
    return this.#cluster.knownTopic(topic)?.partitions[partition]?.leader ?? -1;
  }

  #stamp(batch: TransactionBatch) {
    return Object.assign({ sequence: this.#numbers.next(batch), isTransactional: true }, this.#known());
  }

  #known(): ProducerIdentity {
    if (this.#identity === undefined) throw new TypeError('the producer has no identity');
    return this.#identity;
  }

  /** Before batches are sent again. Errors: {@link TransactionEnded} when the time is over. */
  async #pause(attempt: number, { batches, open, outcomes }: Attempts, limits: Limits): Promise<void> {
    const isConcurrent = open.every((index) => refusedWith(outcomes[index]) === 'CONCURRENT_TRANSACTIONS');
    const pauseMs = backoffMs(attempt - 1, isConcurrent ? CONCURRENT_PAUSES : this.#cluster.backoff);
    if (remainingMs(limits) <= pauseMs) {
      const unsettled = open.filter((index) => !isOfTransaction(refusedWith(outcomes[index])));
      const first = refusedWith(outcomes[unsettled[0] ?? (open[0] as number)]);
      throw endedWith(first, {
        cause: this.#lastFailure,
        unsettled: unsettled.map((index) => batches[index] as TransactionBatch),
      });
    }
    await delay(pauseMs);
    if (isConcurrent) return;
    const names = [...new Set(open.map((index) => (batches[index] as TransactionBatch).topic))];
    const { requestTimeoutMs } = this.#cluster.options;
    await this.#cluster
      .topics(names, within(Math.min(requestTimeoutMs, remainingMs(limits))), { maxAgeMs: 0 })
      .catch(() => {});
  }
}

/** Batches that are sent, the places of those that are open, and the outcome of each one's last attempt. */
interface Attempts {
  batches: readonly TransactionBatch[];
  open: readonly number[];
  outcomes: readonly (BatchOutcome | undefined)[];
}

const NONE_REFUSED: ReadonlyMap<string, ErrorId> = new Map();

function refusedWith(outcome: BatchOutcome | undefined): ErrorId | undefined {
  return outcome?.kind === 'refused' ? outcome.errorId : undefined;
}

function refusedBy(errorId: ErrorId): BatchOutcome {
  return { kind: 'refused', errorId, message: errorText(errorId), badRecords: new Map() };
}

/** `cause`: why the broker did not respond, where it did not. */
function endedWith(
  errorId: ErrorId | undefined,
  { cause, unsettled = [] }: { cause?: unknown; unsettled?: readonly TransactionBatch[] } = {},
): TransactionEnded {
  if (errorId !== undefined) return new TransactionEnded(javaException(errorId), { errorId, unsettled });
  return new TransactionEnded(`a leader did not respond: ${reasonOf(cause)}`, { cause, unsettled });
}

/** Whether a batch was refused for the transaction before, or for another batch. */
function isOfTransaction(errorId: ErrorId | undefined): boolean {
  return errorId === 'CONCURRENT_TRANSACTIONS' || errorId === 'OPERATION_NOT_ATTEMPTED';
}
