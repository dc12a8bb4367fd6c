/**
 * Reads the session log as far as it goes now: asks Kafka for its end, and waits until the tail has read up to there. Calls
 * share their questions, but none that was asked before they came.
 */
import { elapsedMs, type Instant, readClocks } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import { SharedQuestion } from '../kafka/client/shared-question.ts';
import type { SessionLogPartitions } from './session-log-partitions.ts';
import type { SessionLogRenewal } from './session-log-renewal.ts';
import { SESSION_PARTITION_COUNT } from './session-topic.ts';

export interface SessionLogEndsDependencies {
  cluster: Cluster;
  topic: string;
  partitions: SessionLogPartitions;
  renewal: SessionLogRenewal;
  requestTimeoutMs: number;
  /** How far a partition was read: the offset after the last record. */
  position: (partition: number) => bigint;
  /** The error as `kafkaUnavailable`, with the reason for which the log cannot be read now. */
  explained: (error: unknown) => BridgeError;
}

interface Waiter {
  ends: readonly bigint[];
  resolve: () => void;
}

/** Of this many questions the quickest shows how far Kafka is: others met a busy moment. */
const ANSWERS_KEPT = 8;

const NUMBERS = Array.from({ length: SESSION_PARTITION_COUNT }, (_, number) => number);
const NEVER_REACHED: readonly bigint[] = NUMBERS.map(() => 2n ** 63n);

export class SessionLogEnds {
  readonly #dependencies: SessionLogEndsDependencies;
  readonly #waiters = new Set<Waiter>();
  readonly #question = new SharedQuestion(() => this.#askAndRead());
  /** What the last questions took. */
  readonly #answerMs: number[] = [];

  constructor(dependencies: SessionLogEndsDependencies) {
    this.#dependencies = dependencies;
  }

  /** How long Kafka's answers take when nothing is in their way, in milliseconds; 0 before the first. */
  get answerMs(): number {
    return this.#answerMs.length === 0 ? 0 : Math.min(...this.#answerMs);
  }

  /** Reads everything that is in the log at this moment. Errors: `kafkaUnavailable`. */
  async readToEnd(limits: Limits): Promise<void> {
    await this.#inTime(this.#question.fresh(), limits);
  }

  /** {@link readToEnd} for a caller whom a question on its way serves as well. Errors: as that. */
  readAhead(): Promise<void> {
    return this.#question.any();
  }

  /**
   * Reads up to a record that was stored here, and not beyond. That proves as much as a question for the log's end that was
   * asked when the record was sent: all that the log had then is before it. Errors: as {@link readToEnd}.
   */
  async readTo(
    partition: number,
    { offset, sentAt }: { offset: bigint; sentAt: Instant },
    limits: Limits,
  ): Promise<void> {
    const { renewal, partitions } = this.#dependencies;
    if (renewal.isRunning || renewal.hasBegunSince(sentAt.monotonicMs)) return await this.readToEnd(limits);
    const ends = NUMBERS.map((number) => (number === partition ? offset + 1n : 0n));
    await this.#readUpTo(ends, limits);
    if (renewal.hasBegunSince(sentAt.monotonicMs)) await this.readToEnd(limits);
    else partitions.confirm(partition, sentAt);
  }

  /** The tail has read on. */
  wake(): void {
    const { partitions, position } = this.#dependencies;
    for (const waiter of this.#waiters) {
      const isReached = waiter.ends.every((end, number) => partitions.isComplete(number) && position(number) >= end);
      if (!isReached) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** The log was recreated: callers that wait for offsets of the old one ask again. */
  wakeAll(): void {
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
  }

  /** For a caller that may have less time than the question. */
  async #inTime(asking: Promise<void>, limits: Limits): Promise<void> {
    try {
      await bounded(asking, limits);
    } catch (error) {
      throw error instanceof BridgeError ? this.#dependencies.explained(error) : error;
    }
  }

  async #askAndRead(): Promise<void> {
    const { renewal, requestTimeoutMs, explained } = this.#dependencies;
    const limits = within(requestTimeoutMs);
    while (true) {
      try {
        await renewal.untilSettled(limits);
      } catch (error) {
        throw explained(error);
      }
      if (await this.#askOnce(readClocks(), limits)) return;
    }
  }

  /** Whether the log is still the one that was asked for its end. */
  async #askOnce(askedAt: Instant, limits: Limits): Promise<boolean> {
    const { renewal, partitions, position } = this.#dependencies;
    const positions = NUMBERS.map(position);
    const ends = await this.#askForEnds(limits);
    if (renewal.hasBegunSince(askedAt.monotonicMs)) return false;
    // Offsets that are lower than before are those of another log: the tail finds that out, and wakes all who wait.
    const isAnother = ends.some((end, number) => end < (positions[number] ?? 0n));
    await this.#readUpTo(isAnother ? NEVER_REACHED : ends, limits);
    if (renewal.hasBegunSince(askedAt.monotonicMs)) return false;
    this.#answerMs.push(elapsedMs(askedAt, readClocks()));
    if (this.#answerMs.length > ANSWERS_KEPT) this.#answerMs.shift();
    partitions.confirmAll(askedAt);
    return true;
  }

  async #askForEnds(limits: Limits): Promise<bigint[]> {
    const { cluster, topic, explained } = this.#dependencies;
    const partitions = NUMBERS.map((partition) => ({ topic, partition }));
    const ends = NUMBERS.map(() => 0n);
    try {
      const found = await listOffsets(cluster, partitions, {
        spec: 'latest',
        isolationLevel: 'read_uncommitted',
        limits,
      });
      for (const { partition, offset } of found) ends[partition] = offset;
    } catch (error) {
      throw explained(error);
    }
    return ends;
  }

  /** Until every partition was read up to there, or the log is another. Errors: as {@link readToEnd}. */
  async #readUpTo(ends: readonly bigint[], limits: Limits): Promise<void> {
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { ends, resolve };
    this.#waiters.add(waiter);
    this.wake();
    try {
      await bounded(reached, limits);
    } catch (error) {
      throw this.#dependencies.explained(error);
    } finally {
      this.#waiters.delete(waiter);
    }
  }
}
