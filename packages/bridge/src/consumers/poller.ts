/**
 * Serves a consumer's polls, one at a time: waits for the group, for positions and for records, commits the records of the previous
 * poll meanwhile, and responds with records only while this bridge is confirmed as the owner. While it waits, it gives way to the
 * consumer's other operations, and continues after them.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { bounded, type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { Liveness } from '../kafka/client/liveness.ts';
import type { Fetcher } from '../kafka/fetch/fetcher.ts';
import type { Partitions } from '../kafka/fetch/partitions.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';
import type { Membership } from '../kafka/group/membership.ts';
import { checkAlive, isOwned, type Ownership } from '../ownership/ownership.ts';
import type { CommitGrace } from './commit-grace.ts';
import type { Commits } from './commits.ts';
import type { Deliver, DeliveryLog } from './delivery.ts';
import type { PollTurn } from './operation-queue.ts';
import type { Positions } from './positions.ts';
import type { SessionOptions } from './session-options.ts';
import type { Subscription } from './subscription.ts';
import { isReading } from './subscription-state.ts';
import type { TopicAccess } from './topic-access.ts';

export interface PollerDependencies {
  subscription: Subscription;
  positions: Positions;
  fetcher: Fetcher;
  deliveries: DeliveryLog;
  commits: Commits;
  commitGrace: CommitGrace;
  ownership: Ownership;
  liveness: Liveness;
  /** Of one response. */
  maxRecords: number;
}

export interface PollRequest {
  timeoutMs: number;
  /** When it arrived, by `performance.now()`: its timeout counts from then, also while it waits for its turn. */
  startedAtMs: number;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /** Of this request: a later one may narrow it for the session while this poll waits, and cannot widen it. */
  access: TopicAccess;
  /** The gateway confirms later that the client has the response (`causeway-delivered`). */
  isConfirming: boolean;
  /**
   * Makes a response of records; the function that it resolves with writes it. Called again when other records are to be sent after all.
   * `limits`: of the poll. Their signal ends what it waits for.
   */
  convert: (reader: RecordReader, limits: Limits) => Deliver | Promise<Deliver>;
}

interface Answer {
  reader: RecordReader;
  result: { deliver: Deliver } | { error: unknown };
}

/** A poll that runs. */
interface PollProgress {
  /** Replaced when the client subscribes again while the poll waits. */
  membership: Membership | undefined;
  /** The commit of earlier records, as far as the response waits for it. Never rejects. */
  committing: Promise<void>;
  /** The signal ends the poll: its client has gone, the consumer ends. */
  limits: Limits;
  turn: PollTurn;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  startedAtMs: number;
  access: TopicAccess;
  convert: PollRequest['convert'];
}

/**
 * A poll waits at least this long, or its own timeout, for a lease that fits and for the commit of earlier records; then it
 * responds without.
 */
const COMMIT_WAIT_MS = 1000;
/**
 * Fetched records wait this long for the confirmation that this bridge owns the session, also beyond the poll's time. A poll that
 * has time left then asks again, unless no broker responds.
 */
const CONFIRM_TIMEOUT_MS = 2000;
/** Before a poll with time left tries again what failed: it may fail at once. */
const RETRY_PAUSE_MS = 50;
/** How often a waiting poll looks for partitions that do not exist yet. */
const MISSING_PARTITIONS_INTERVAL_MS = 500;

export class Poller {
  readonly #options: SessionOptions;
  readonly #dependencies: PollerDependencies;
  readonly #partitions: Partitions;
  /** Ends the poll that runs. */
  #over: AbortController | undefined;
  /** Interrupts its current wait. */
  #waiting: AbortController | undefined;
  #isEnded = false;

  constructor(options: SessionOptions, dependencies: PollerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#partitions = dependencies.fetcher.partitions;
  }

  /** For good: a waiting poll responds now, and later ones do not wait. */
  end(): void {
    this.#isEnded = true;
    this.#over?.abort();
  }

  /**
   * Hands records to the client as soon as there are any, and none when the time is over. Commits the records of the previous
   * poll, if the consumer commits automatically: the response is made meanwhile, and waits for the commit. Otherwise a failover
   * could repeat records that the client has acknowledged by asking again, besides those of the last response.
   * Errors: `notSubscribed`, `forbidden`, `misdirected` once the session lives elsewhere, `kafkaUnavailable` where Kafka has not responded
   * during the whole poll, refusals of Kafka, and errors of `convert`.
   */
  async answer(request: PollRequest, turn: PollTurn): Promise<void> {
    const { timeoutMs, startedAtMs, signal, access, isConfirming, convert } = request;
    const { subscription, ownership, commits, commitGrace, deliveries, liveness } = this.#dependencies;
    commitGrace.end();
    const { requestTimeoutMs } = this.#options;
    const membership = subscription.readAs();
    const over = this.#begin(signal);
    const limits = { deadlineAtMs: startedAtMs + timeoutMs, signal: over.signal };
    const commitLimits = within(Math.max(COMMIT_WAIT_MS, remainingMs(limits)), over.signal);
    const fitting = ownership.fit(within(requestTimeoutMs));
    // At the same time: a claim that takes all of the time would leave none for the commit.
    const committing = bounded(commits.commitDelivered(within(requestTimeoutMs)), commitLimits).catch(() => {});
    // A failure is reported where the claim is needed.
    if (fitting !== undefined) await bounded(fitting, commitLimits).catch(() => {});
    if (this.#partitions.hasRecords) ownership.confirmAhead();
    let answer: Answer | undefined;
    try {
      answer = await this.#nextAnswer({ membership, committing, limits, turn, signal, startedAtMs, access, convert });
    } catch (error) {
      if (!over.signal.aborted) throw error;
    } finally {
      // Frees memory: consumers may be idle for long, and there are many.
      this.#waiting = undefined;
    }
    // A response without records, too, proves that earlier records are committed.
    if (answer === undefined) await committing;
    // No records means that Kafka has none, not that it does not respond.
    if (answer === undefined && !over.signal.aborted) await liveness.confirm({ sinceMs: startedAtMs });
    if (signal.aborted) return;
    // A poll that waited here continues where the session lives now.
    if (ownership.life.kind !== 'ended') checkAlive(ownership);
    const { reader, result } = answer ?? (await this.#answerOf(0, { convert, limits }));
    if ('error' in result) throw result.error;
    await deliveries.deliver(reader, isConfirming, result.deliver);
    if (answer !== undefined) commitGrace.begin();
  }

  /** A poll ends with its client, with the session, or with the bridge. */
  #begin(signal: AbortSignal): AbortController {
    const over = new AbortController();
    this.#over = over;
    over.signal.addEventListener('abort', () => this.#waiting?.abort(), { once: true });
    signal.addEventListener('abort', () => over.abort(), { once: true });
    if (signal.aborted || this.#isEnded) over.abort();
    return over;
  }

  /** Waits until there are records, or the time is over; gives way to other operations whenever they come. */
  async #waitForRecords(progress: PollProgress): Promise<boolean> {
    const { limits, turn } = progress;
    const { deadlineAtMs } = limits;
    while (true) {
      const waiting = this.#startWaiting(progress);
      try {
        return await this.#waitOnce(progress, { deadlineAtMs, signal: waiting.signal });
      } catch (error) {
        if (limits.signal?.aborted === true || error !== waiting.signal.reason) throw error;
      } finally {
        turn.onWanted = undefined;
      }
      if (!(await this.#giveWay(progress))) return false;
    }
  }

  /** Lets the operations that wait run, and returns whether the poll continues after them. */
  async #giveWay(progress: PollProgress): Promise<boolean> {
    const { subscription } = this.#dependencies;
    try {
      await bounded(progress.turn.giveWay(), progress.limits);
    } catch {
      // An operation that waits for Kafka outlasts the poll.
      return false;
    }
    // The client unsubscribed meanwhile.
    if (!isReading(subscription.state)) return false;
    progress.membership = subscription.readAs();
    return true;
  }

  /** The controller of a wait that another operation interrupts. */
  #startWaiting({ limits, turn }: PollProgress): AbortController {
    const waiting = new AbortController();
    this.#waiting = waiting;
    if (limits.signal?.aborted === true) waiting.abort();
    turn.onWanted = () => waiting.abort();
    // Not at once: an endless series of operations must not keep a poll from fetching.
    if (turn.isWanted) setImmediate(() => waiting.abort());
    return waiting;
  }

  /**
   * Waits for the group, for positions and for records, in this order, as often as the group changes. Whether there are
   * records.
   */
  async #waitOnce({ membership, startedAtMs }: PollProgress, limits: Limits): Promise<boolean> {
    const { fetcher } = this.#dependencies;
    while (true) {
      if (!(await this.#isReady(membership, limits))) {
        if (!(await this.#mayRetry(limits, startedAtMs))) return false;
        continue;
      }
      const isComplete = this.#partitions.isPositioned;
      const waitMs = isComplete ? remainingMs(limits) : Math.min(MISSING_PARTITIONS_INTERVAL_MS, remainingMs(limits));
      await fetcher.fill(within(waitMs, limits.signal));
      if (membership?.isJoined === false) continue;
      if (this.#partitions.hasRecords) return true;
      if (remainingMs(limits) === 0) return false;
    }
  }

  /** Waits for the group and for positions: whether they were there in time. */
  async #isReady(membership: Membership | undefined, limits: Limits): Promise<boolean> {
    const { subscription, positions } = this.#dependencies;
    if (!(await subscription.knowsTopics(limits))) return false;
    if (membership !== undefined && !(await membership.join(limits))) return false;
    return await positions.find(limits);
  }

  /** A response with records that this bridge may send; `undefined` when there are no records in time. */
  async #nextAnswer(progress: PollProgress): Promise<Answer | undefined> {
    const { ownership, subscription, maxRecords } = this.#dependencies;
    while (await this.#waitForRecords(progress)) {
      const { membership } = progress;
      const making = this.#answerOf(maxRecords, progress);
      await progress.committing;
      const answer = await making;
      // The end of the poll is no error of its records.
      if ('error' in answer.result && progress.limits.signal?.aborted === true) return undefined;
      if (!(await isOwned(ownership, within(CONFIRM_TIMEOUT_MS, progress.signal)))) {
        const { limits, turn, startedAtMs } = progress;
        if (!(await this.#mayRetry(limits, startedAtMs))) return undefined;
        if (turn.isWanted && !(await this.#giveWay(progress))) return undefined;
        continue;
      }
      // The group may have taken partitions away meanwhile.
      if (membership?.isJoined === false || !this.#partitions.isCurrent(answer.reader)) continue;
      subscription.checkPermitted(answer.reader, progress.access);
      return answer;
    }
    return undefined;
  }

  /**
   * After Kafka did not do in time what the poll needs: whether the poll has time to try again, after a pause. Kafka may be slow, or
   * only some brokers may be gone. Errors: `kafkaUnavailable` where none responds; the signal's reason.
   */
  async #mayRetry(limits: Limits, startedAtMs: number): Promise<boolean> {
    if (remainingMs(limits) <= RETRY_PAUSE_MS) return false;
    limits.signal?.throwIfAborted();
    await this.#dependencies.liveness.confirm({ sinceMs: startedAtMs });
    await delay(RETRY_PAUSE_MS);
    limits.signal?.throwIfAborted();
    return true;
  }

  /** Made before this bridge is confirmed as the owner: an error is reported after that. Never rejects. */
  async #answerOf(maxCount: number, { convert, limits }: Pick<PollProgress, 'convert' | 'limits'>): Promise<Answer> {
    const reader = this.#partitions.read(maxCount);
    try {
      return { reader, result: { deliver: await convert(reader, limits) } };
    } catch (error) {
      return { reader, result: { error } };
    }
  }
}
