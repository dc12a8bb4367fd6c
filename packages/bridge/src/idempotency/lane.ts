/**
 * A lane of this bridge: one transactional id, under which the requests of its slots are stored, group by group. What arrives while a
 * transaction is under way goes into the next one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BridgeError } from '../errors.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { isForbidden } from '../kafka/client/kafka-errors.ts';
import { backoffMs, bounded, type Limits, within } from '../kafka/client/limits.ts';
import { TransactionEnded } from '../kafka/transactions/transaction-ended.ts';
import type { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import { Partitioner } from '../producer/partitioner.ts';
import type { RecordLimits } from '../producer/refusal.ts';
import type { AnswerLog } from './answer-log.ts';
import type { Answer } from './answers.ts';
import { answerPartitionOf } from './claims.ts';
import { planRecords, storeRecords } from './group.ts';
import { answerOf, storeAnswers } from './group-answers.ts';
import type { IdempotencyTotals } from './idempotency-totals.ts';
import type { KeyedRequest } from './keyed-request.ts';
import { LeavingSlots, storeFreedom } from './leaving-slots.ts';
import { PartitionTrouble } from './partition-trouble.ts';
import { RequestQueue, type RequestQueueOptions } from './request-queue.ts';

export interface LaneLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LaneOptions extends RecordLimits, RequestQueueOptions {
  producer: TransactionalProducer;
  answerLog: AnswerLog;
  totals: IdempotencyTotals;
  /** The transactional id was taken over: reads both logs to the end, and finds the slots that the lane holds. */
  regain: (limits: Limits) => Promise<void>;
  /** The transactional id may belong to another producer: the lane holds no slot. */
  suspend: () => void;
  /** The lane has freed this slot. */
  onFreed: (slot: number) => void;
  log: LaneLog;
}

/** A transaction that takes longer is given up, and its requests go into another one. */
const GROUP_TIMEOUT_MS = 8_000;
/** How long taking the id over, and reading the logs, may take at once. */
const RECOVERY_TIMEOUT_MS = 10_000;
/** Another bridge has the id, and needs this long to claim slots; doubled with each further time in a row. */
const FENCED_PAUSE_MS = { minMs: 100, maxMs: 2_000 } as const;
/** After further transactions in a row that ended otherwise: each attempt leaves aborted records in the topics. */
const BROKEN_PAUSE_MS = { minMs: 25, maxMs: 2_000 } as const;
/** While all requests wait for partitions in trouble. */
const DEFERRED_PAUSE_MS = 25;

export class Lane {
  readonly id: string;
  readonly #options: LaneOptions;
  readonly #partitioner = new Partitioner(Math.random);
  readonly #trouble = new PartitionTrouble();
  readonly #answerPartition: number;
  readonly #queue: RequestQueue;
  readonly #leaving = new LeavingSlots();
  #isReady = false;
  #hasId = false;
  #running: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #checking: Promise<void> | undefined;
  #brokenCount = 0;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.id = options.producer.transactionalId;
    this.#answerPartition = answerPartitionOf(this.id);
    this.#queue = new RequestQueue(options);
  }

  /** Whether the lane has its transactional id, as far as it knows. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Whether this process has taken the transactional id over, or does so: what another one left open is aborted. */
  get hasId(): boolean {
    return this.#hasId;
  }

  /** Takes the transactional id over, unless this lane has it. Errors: `kafkaForbidden`, `kafkaUnavailable`. */
  async ready(limits: Limits): Promise<void> {
    if (this.#isReady) return;
    await bounded(
      this.#inTurn(async () => {
        if (!this.#isReady) await this.#recover(limits);
      }),
      limits,
    );
  }

  /**
   * Takes the transactional id over again, after the transaction under way: the lane finds out which slots it holds. Once for all that ask
   * at the same time: each check takes the slots from those that found them in the one before. Errors: as {@link ready}.
   */
  async check(limits: Limits): Promise<void> {
    this.#checking ??= this.#inTurn(async () => {
      this.#leave();
      await this.#recover(within(RECOVERY_TIMEOUT_MS));
    }).finally(() => {
      this.#checking = undefined;
    });
    await bounded(this.#checking, limits);
  }

  push(request: KeyedRequest): void {
    this.#queue.push(request);
    this.#start();
  }

  /** Frees slots of this lane with its next transaction; what it cannot take is for the next owner. Waits as long as Kafka takes. */
  async free(slots: readonly number[]): Promise<void> {
    this.#leaving.add(slots);
    this.#start();
    await this.#leaving.untilGone(slots);
  }

  /** Resolves when no request is left. */
  async untilIdle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  close(): void {
    this.#isClosed = true;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#hasWork && !this.#isClosed) this.#start();
    });
  }

  get #hasWork(): boolean {
    return this.#queue.length > 0 || this.#leaving.size > 0;
  }

  async #run(): Promise<void> {
    for (let attempt = 0; this.#hasWork && !this.#isClosed; attempt += 1) {
      try {
        await this.ready(within(RECOVERY_TIMEOUT_MS));
        // Requests that arrive meanwhile share the transaction: those of clients that the last one answered.
        await this.#options.producer.settled(within(GROUP_TIMEOUT_MS));
        if (this.#leaving.size === 0 && this.#queue.isDeferred(performance.now())) await delay(DEFERRED_PAUSE_MS);
        await this.#inTurn(async () => {
          if (this.#isReady) await this.#transact(this.#queue.take(performance.now()));
        });
        attempt = 0;
      } catch (error) {
        const reason = toBridgeError(error);
        this.#queue.expire(reason, performance.now());
        if (reason.code === 'kafkaForbidden') this.#leaving.clear();
        await delay(backoffMs(attempt, { minMs: 25, maxMs: 500 }));
      }
    }
  }

  /** One at a time: a transaction, or taking the id over. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #leave(): void {
    this.#isReady = false;
    this.#options.suspend();
  }

  async #transact(taken: readonly KeyedRequest[]): Promise<void> {
    const { producer, totals, holds } = this.#options;
    const leaving = this.#leaving.heldBy(holds);
    const [partitioner, trouble] = [this.#partitioner, this.#trouble];
    const { requests: group, queues, deferred } = planRecords(taken, { ...this.#options, partitioner, trouble });
    this.#queue.push(...deferred);
    if (group.length === 0 && leaving.length === 0) return;
    const limits = within(GROUP_TIMEOUT_MS);
    const startedAtMs = performance.now();
    try {
      await storeRecords(producer, queues, { ...this.#options, trouble, limits });
      const offsets = await storeAnswers(producer, group, { partition: this.#answerPartition, limits });
      await storeFreedom(producer, leaving, limits);
      for (const request of group) request.isUncertain = true;
      // Their texts are written while Kafka commits.
      const [answers] = await Promise.all([Promise.all(group.map(answerOf)), producer.commit(limits)]);
      totals.committed(group.length, performance.now() - startedAtMs);
      this.#brokenCount = 0;
      this.#onFreed(leaving);
      this.#answer(group, { answers, offsets });
    } catch (error) {
      await this.#broke(error, group);
    }
  }

  #answer(
    group: readonly KeyedRequest[],
    { answers, offsets }: { answers: readonly Answer[]; offsets: readonly number[] },
  ): void {
    const { answerLog } = this.#options;
    for (const [place, request] of group.entries()) {
      answerLog.add(request.keyHash, { partition: this.#answerPartition, offset: offsets[place] as number });
      request.resolve({ kind: 'answered', answer: answers[place] as Answer, results: request.results });
    }
  }

  #onFreed(slots: readonly number[]): void {
    if (slots.length === 0) return;
    for (const slot of slots) this.#options.onFreed(slot);
    this.#leaving.delete(slots);
    this.#queue.lose(slots);
  }

  /** The transaction is not committed, or may be: its requests go to the front of the queue again. */
  async #broke(error: unknown, group: readonly KeyedRequest[]) {
    const { totals, log } = this.#options;
    this.#leave();
    if (!(error instanceof TransactionEnded)) {
      log.error({ err: error }, 'a transaction of idempotency keys failed unexpectedly');
      for (const request of group) request.reject(new BridgeError('internal', { cause: error }));
      return;
    }
    totals.broken(error.errorId);
    log.info(
      { reason: error.message, requests: group.length },
      'a transaction of idempotency keys ended without a commit',
    );
    if (isHopeless(error)) {
      for (const request of group) request.reject(new BridgeError('kafkaForbidden', { message: error.message }));
    } else {
      this.#queue.putBack(group);
    }
    const count = this.#brokenCount;
    this.#brokenCount += 1;
    if (error.isFenced) await delay(backoffMs(count, FENCED_PAUSE_MS));
    else if (count > 0) await delay(backoffMs(count - 1, BROKEN_PAUSE_MS));
  }

  async #recover(limits: Limits): Promise<void> {
    const { producer, regain } = this.#options;
    const hadId = this.#hasId;
    this.#hasId = true;
    await producer.init(limits).catch((error: unknown) => {
      this.#hasId = hadId;
      throw error;
    });
    await regain(limits);
    this.#isReady = true;
    this.#queue.recover();
  }
}

/** Whether the bridge lacks a right: nothing is stored, and another attempt does not help. */
function isHopeless({ errorId, mayBeCommitted }: TransactionEnded): boolean {
  return errorId !== undefined && isForbidden(errorId) && !mayBeCommitted;
}
