/**
 * A lane of this bridge: one transactional id, under which the requests of its slots are stored, group by group. What arrives while a
 * transaction is under way goes into the next one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BridgeError } from '../errors.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { backoffMs, bounded, type Limits, within } from '../kafka/client/limits.ts';
import { TransactionEnded } from '../kafka/transactions/transaction-ended.ts';
import type { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import { Partitioner } from '../producer/partitioner.ts';
import type { RecordLimits } from '../producer/refusal.ts';
import type { RecordToProduce } from '../records.ts';
import type { AnswerLog } from './answer-log.ts';
import { encodeAnswer, encodeShortAnswer } from './answers.ts';
import { answerPartitionOf, CLAIM_KEY, encodeClaim, freeClaim } from './claims.ts';
import { CommitPace } from './commit-pace.ts';
import { storeRecords } from './group.ts';
import type { IdempotencyTotals } from './idempotency-totals.ts';
import type { KeyedRequest } from './keyed-request.ts';
import { decideRecovered } from './rules.ts';
import { ANSWER_TOPIC, SLOT_TOPIC } from './topics.ts';

export interface LaneLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LaneOptions extends RecordLimits {
  producer: TransactionalProducer;
  answerLog: AnswerLog;
  totals: IdempotencyTotals;
  /** The most bytes and records of one transaction; a single request may have more. */
  maxBatchBytes: number;
  maxBatchRecords: number;
  /** Whether this bridge holds the slot, and the lane may store its requests. */
  holds: (slot: number) => boolean;
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

export class Lane {
  readonly id: string;
  readonly #options: LaneOptions;
  readonly #partitioner = new Partitioner(Math.random);
  readonly #answerPartition: number;
  #queue: KeyedRequest[] = [];
  /** Slots to be freed by the next transaction. */
  #leaving = new Set<number>();
  #isReady = false;
  #running: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #checking: Promise<void> | undefined;
  #fencedCount = 0;
  #isClosed = false;
  readonly #pace = new CommitPace();

  constructor(options: LaneOptions) {
    this.#options = options;
    this.id = options.producer.transactionalId;
    this.#answerPartition = answerPartitionOf(this.id);
  }

  /** Whether the lane has its transactional id, as far as it knows. */
  get isReady(): boolean {
    return this.#isReady;
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

  /** Frees slots of this lane, after the requests that came before. */
  free(slots: readonly number[]): void {
    for (const slot of slots) this.#leaving.add(slot);
    this.#start();
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
        const pauseMs = this.#pace.leftMs(performance.now());
        if (pauseMs > 0) await delay(pauseMs);
        await this.#inTurn(async () => {
          if (this.#isReady) await this.#transact(this.#take());
        });
        attempt = 0;
      } catch (error) {
        this.#expire(toBridgeError(error));
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

  /** The first requests that fit into one transaction, and whose slots the lane holds. */
  #take(): KeyedRequest[] {
    const { maxBatchBytes, maxBatchRecords, holds } = this.#options;
    const group: KeyedRequest[] = [];
    let [bytes, records, taken] = [0, 0, 0];
    const nowMs = performance.now();
    for (const request of this.#queue) {
      if (request.deadlineAtMs <= nowMs) {
        request.reject(tooLate(request));
      } else if (holds(request.slot)) {
        bytes += request.bytes;
        records += request.records.length;
        if (group.length > 0 && (bytes > maxBatchBytes || records > maxBatchRecords)) break;
        group.push(request);
      } else {
        request.resolve({ kind: 'lost' });
      }
      taken += 1;
    }
    this.#queue.splice(0, taken);
    return group;
  }

  async #transact(group: readonly KeyedRequest[]): Promise<void> {
    const { producer, totals, holds } = this.#options;
    const leaving = this.#queue.length === 0 ? [...this.#leaving].filter(holds) : [];
    if (this.#queue.length === 0) this.#leaving.clear();
    if (group.length === 0 && leaving.length === 0) return;
    const limits = within(GROUP_TIMEOUT_MS);
    const startedAtMs = performance.now();
    try {
      await storeRecords(producer, group, { ...this.#options, partitioner: this.#partitioner, limits });
      this.#pace.onFirstSent(startedAtMs, performance.now() - startedAtMs);
      const firstOffset = await this.#storeAnswers(group, limits);
      await this.#storeFreedom(leaving, limits);
      for (const request of group) request.isUncertain = true;
      await producer.commit(limits);
      this.#pace.onCommitted(performance.now());
      totals.committed(group.length, performance.now() - startedAtMs);
      this.#fencedCount = 0;
      this.#onFreed(leaving);
      this.#answer(group, firstOffset);
    } catch (error) {
      await this.#broke(error, { group, leaving });
    }
  }

  #answer(group: readonly KeyedRequest[], firstOffset: bigint): void {
    const { answerLog } = this.#options;
    for (const [place, request] of group.entries()) {
      answerLog.add(request.keyHash, { partition: this.#answerPartition, offset: Number(firstOffset) + place });
      if (request.answer !== undefined) request.resolve({ kind: 'answered', answer: request.answer });
    }
  }

  /** Requests that came meanwhile are for the next owner: it may have executed them by the time this bridge owns the slot again. */
  #onFreed(slots: readonly number[]): void {
    if (slots.length === 0) return;
    for (const slot of slots) this.#options.onFreed(slot);
    for (const { slot, resolve } of this.#queue) if (slots.includes(slot)) resolve({ kind: 'lost' });
    this.#queue = this.#queue.filter(({ slot }) => !slots.includes(slot));
  }

  /** Returns the offset of the first answer; the others follow. */
  async #storeAnswers(group: readonly KeyedRequest[], limits: Limits): Promise<bigint> {
    const records: RecordToProduce[] = [];
    for (const request of group) {
      const described = request.describe(request.results);
      request.answer = described instanceof Promise ? await described : described;
      const { fingerprint, identity } = request;
      const logged = Object.assign({ fingerprint }, request.answer);
      records.push(recordOf(identity, encodeShortAnswer(logged) ?? (await encodeAnswer(logged))));
    }
    if (records.length === 0) return 0n;
    const batch = { topic: ANSWER_TOPIC, partition: this.#answerPartition, records };
    const [outcome] = await this.#options.producer.send([batch], limits);
    if (outcome?.kind === 'stored') return outcome.baseOffset;
    throw new TransactionEnded(`the answers were refused: ${outcome?.message}`, { errorId: outcome?.errorId });
  }

  async #storeFreedom(slots: readonly number[], limits: Limits): Promise<void> {
    if (slots.length === 0) return;
    const batches = slots.map((slot) => ({
      topic: SLOT_TOPIC,
      partition: slot,
      records: [recordOf(CLAIM_KEY, encodeClaim(freeClaim(slot)))],
    }));
    const outcomes = await this.#options.producer.send(batches, limits);
    const refused = outcomes.find((outcome) => outcome.kind === 'refused');
    if (refused !== undefined) throw new TransactionEnded(`claims were refused: ${refused.message}`, {});
  }

  /** The transaction is not committed, or may be: its requests go to the front of the queue again. */
  async #broke(error: unknown, { group, leaving }: { group: readonly KeyedRequest[]; leaving: readonly number[] }) {
    const { totals, log } = this.#options;
    this.#leave();
    for (const slot of leaving) this.#leaving.add(slot);
    if (!(error instanceof TransactionEnded)) {
      log.error({ err: error }, 'a transaction of idempotency keys failed unexpectedly');
      for (const request of group) request.reject(new BridgeError('internal', { cause: error }));
      return;
    }
    this.#queue.unshift(...group);
    totals.broken(error.errorId);
    log.info(
      { reason: error.message, requests: group.length },
      'a transaction of idempotency keys ended without a commit',
    );
    if (!error.isFenced) return;
    await delay(backoffMs(this.#fencedCount, FENCED_PAUSE_MS));
    this.#fencedCount += 1;
  }

  async #recover(limits: Limits): Promise<void> {
    const { producer, regain, answerLog, holds } = this.#options;
    await producer.init(limits);
    await regain(limits);
    this.#isReady = true;
    const waiting = this.#queue;
    this.#queue = [];
    for (const request of waiting) {
      const isLogged = answerLog.placeOf(request.keyHash) !== undefined;
      const decision = decideRecovered({ isLogged, isHeld: holds(request.slot) });
      // A lost slot's request looks for its answer where the slot is now, and one in the log is found at once.
      if (decision === 'again') this.#queue.push(Object.assign(request, { isUncertain: false }));
      else request.resolve({ kind: 'lost' });
    }
  }

  /** Requests whose time is over get `error`. */
  #expire(error: BridgeError): void {
    const nowMs = performance.now();
    const isOver = ({ deadlineAtMs }: KeyedRequest): boolean =>
      deadlineAtMs <= nowMs || error.code === 'kafkaForbidden';
    for (const request of this.#queue.filter(isOver)) request.reject(request.isUncertain ? tooLate(request) : error);
    this.#queue = this.#queue.filter((request) => !isOver(request));
    if (error.code === 'kafkaForbidden') this.#leaving.clear();
  }
}

function tooLate({ isUncertain }: KeyedRequest): BridgeError {
  const whether = isUncertain ? 'They may be stored' : 'They are not stored';
  return new BridgeError('kafkaUnavailable', {
    message: `Kafka did not commit the records in time. ${whether}: repeat the request with the same Idempotency-Key`,
    retryAfterSeconds: 1,
  });
}

export function recordOf(key: Buffer, value: Buffer): RecordToProduce {
  return { key, value, headers: undefined, partition: undefined, timestampMs: undefined };
}
