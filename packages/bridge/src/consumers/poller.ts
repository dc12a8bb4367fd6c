/**
 * Answers a consumer's polls, one at a time: waits for the group, for positions and for records, has what came before
 * committed meanwhile, and hands over no record without the word that this bridge may. While it waits, it gives way to the
 * consumer's other operations, and goes on after them.
 */

import { bounded, type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { Liveness } from '../kafka/client/liveness.ts';
import type { Fetcher } from '../kafka/fetch/fetcher.ts';
import type { Partitions } from '../kafka/fetch/partitions.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';
import type { Membership } from '../kafka/group/membership.ts';
import { checkAlive, isOwned, type Ownership } from '../ownership/ownership.ts';
import type { Commits } from './commits.ts';
import type { Deliver, DeliveryLog } from './delivery.ts';
import type { PollTurn } from './operation-queue.ts';
import type { Positions } from './positions.ts';
import type { SessionOptions } from './session-options.ts';
import type { Subscription } from './subscription.ts';
import { isReading } from './subscription-state.ts';

export interface PollerDependencies {
  subscription: Subscription;
  positions: Positions;
  fetcher: Fetcher;
  deliveries: DeliveryLog;
  commits: Commits;
  ownership: Ownership;
  liveness: Liveness;
  /** Of one answer. */
  maxRecords: number;
}

export interface PollRequest {
  timeoutMs: number;
  /** When it came, on the clock of `performance.now()`: its time begins then, also while it waits for its turn. */
  startedAtMs: number;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /** Whoever asks says later whether the answer arrived at the client (`causeway-delivered`). */
  isConfirming: boolean;
  /** Makes an answer of records; what it returns hands that over. Called again when others are to be answered after all. */
  convert: (reader: RecordReader) => Deliver | Promise<Deliver>;
}

interface Answer {
  reader: RecordReader;
  result: { deliver: Deliver } | { error: unknown };
}

/** What a poll has begun. */
interface PollProgress {
  /** Another one when the client subscribed anew while the poll waited. */
  membership: Membership | undefined;
  /** Of what came before, as far as the answer waits for it. Never rejects. */
  committing: Promise<void>;
  /** The signal ends the poll: its client has gone, the consumer ends. */
  limits: Limits;
  turn: PollTurn;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  convert: PollRequest['convert'];
}

/**
 * A poll waits at least so long, or its own time, for a lease that fits and for the commit of what came before it; its
 * answer is given all the same.
 */
const COMMIT_WAIT_MS = 1000;
/** Records that are there wait so long for the word that this bridge may answer them. */
const CONFIRM_TIMEOUT_MS = 2000;
/** Partitions that do not exist (yet) are looked for this often while a poll waits. */
const MISSING_PARTITIONS_INTERVAL_MS = 500;

export class Poller {
  readonly #options: SessionOptions;
  readonly #dependencies: PollerDependencies;
  readonly #partitions: Partitions;
  /** Ends the poll that runs. */
  #over: AbortController | undefined;
  /** Ends what it waits for now. */
  #waiting: AbortController | undefined;
  #isEnded = false;

  constructor(options: SessionOptions, dependencies: PollerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#partitions = dependencies.fetcher.partitions;
  }

  /** For good: a poll that waits answers now, and those that come do not wait. */
  end(): void {
    this.#isEnded = true;
    this.#over?.abort();
  }

  /**
   * Hands records to the client as soon as there are any, and none when the time is over. Commits what the poll before
   * delivered, if the consumer commits by itself: the answer is made meanwhile, and waits for the commit. Or a failover
   * could bring back what the client has acknowledged by asking again, beside the one answer that it has not.
   * Errors: `notSubscribed`, `misdirected` once it lives elsewhere, `kafkaUnavailable` where Kafka has not said a word in all
   * of its time, what Kafka refuses, and what `convert` throws.
   */
  async answer({ timeoutMs, startedAtMs, signal, isConfirming, convert }: PollRequest, turn: PollTurn): Promise<void> {
    const { subscription, ownership, commits, deliveries, liveness } = this.#dependencies;
    const { requestTimeoutMs } = this.#options;
    const membership = subscription.readAs();
    const over = this.#begin(signal);
    const limits = { deadlineAtMs: startedAtMs + timeoutMs, signal: over.signal };
    const commitLimits = within(Math.max(COMMIT_WAIT_MS, remainingMs(limits)), over.signal);
    const fitting = ownership.fit(within(requestTimeoutMs));
    // Meanwhile, or a claim that takes all of the time would leave none for the commit.
    const committing = bounded(commits.commitDelivered(within(requestTimeoutMs)), commitLimits).catch(() => {});
    // What fails is told where it is needed.
    if (fitting !== undefined) await bounded(fitting, commitLimits).catch(() => {});
    if (this.#partitions.hasRecords) ownership.confirmAhead();
    let answer: Answer | undefined;
    try {
      answer = await this.#nextAnswer({ membership, committing, limits, turn, signal, convert });
    } catch (error) {
      if (!over.signal.aborted) throw error;
    } finally {
      // A consumer may rest for long, and there are many.
      this.#waiting = undefined;
    }
    // An answer without records says, too, that what came before it is committed.
    if (answer === undefined) await committing;
    // That there is nothing is Kafka's word, and not that of a bridge which hears nothing.
    if (answer === undefined && !over.signal.aborted) await liveness.confirm({ sinceMs: startedAtMs });
    if (signal.aborted) return;
    // A poll that waited here goes on where the consumer lives now.
    if (ownership.life.kind !== 'ended') checkAlive(ownership);
    const { reader, result } = answer ?? (await this.#answerOf(0, convert));
    if ('error' in result) throw result.error;
    await deliveries.deliver(reader, isConfirming, result.deliver);
  }

  /** What ends a poll: its client going, this consumer's end, a bridge that stops. */
  #begin(signal: AbortSignal): AbortController {
    const over = new AbortController();
    this.#over = over;
    over.signal.addEventListener('abort', () => this.#waiting?.abort(), { once: true });
    signal.addEventListener('abort', () => over.abort(), { once: true });
    if (signal.aborted || this.#isEnded) over.abort();
    return over;
  }

  /** Until there are records, or the time is over; gives way to other operations as often as they come. */
  async #waitForRecords(progress: PollProgress): Promise<boolean> {
    const { subscription } = this.#dependencies;
    const { limits, turn } = progress;
    const { deadlineAtMs } = limits;
    while (true) {
      const waiting = this.#startWaiting(progress);
      try {
        return await this.#waitOnce(progress.membership, { deadlineAtMs, signal: waiting.signal });
      } catch (error) {
        if (limits.signal?.aborted === true || error !== waiting.signal.reason) throw error;
      } finally {
        turn.onWanted = undefined;
      }
      try {
        await bounded(turn.giveWay(), limits);
      } catch {
        // An operation that waits for Kafka takes longer than the poll has.
        return false;
      }
      // A poll that began before the client unsubscribed has nothing to tell.
      if (!isReading(subscription.state)) return false;
      progress.membership = subscription.readAs();
    }
  }

  /** Of a wait that another operation ends. */
  #startWaiting({ limits, turn }: PollProgress): AbortController {
    const waiting = new AbortController();
    this.#waiting = waiting;
    if (limits.signal?.aborted === true) waiting.abort();
    turn.onWanted = () => waiting.abort();
    // Not at once: clients that ask without end must not keep a poll from fetching.
    if (turn.isWanted) setImmediate(() => waiting.abort());
    return waiting;
  }

  /**
   * Waits for the group, for positions and for records, in this order, as often as the group changes. Whether there are
   * records.
   */
  async #waitOnce(membership: Membership | undefined, limits: Limits): Promise<boolean> {
    const { subscription, positions, fetcher } = this.#dependencies;
    while (true) {
      if (!(await subscription.knowsTopics(limits))) return false;
      if (membership !== undefined && !(await membership.join(limits))) return false;
      if (!(await positions.find(limits))) return false;
      const isComplete = this.#partitions.isPositioned;
      const waitMs = isComplete ? remainingMs(limits) : Math.min(MISSING_PARTITIONS_INTERVAL_MS, remainingMs(limits));
      await fetcher.fill(within(waitMs, limits.signal));
      if (membership?.isJoined === false) continue;
      if (this.#partitions.hasRecords) return true;
      if (remainingMs(limits) === 0) return false;
    }
  }

  /** An answer with records that this bridge may give; `undefined` when there is none in time. */
  async #nextAnswer(progress: PollProgress): Promise<Answer | undefined> {
    const { ownership, maxRecords } = this.#dependencies;
    while (await this.#waitForRecords(progress)) {
      const { membership } = progress;
      const making = this.#answerOf(maxRecords, progress.convert);
      await progress.committing;
      const answer = await making;
      if (!(await isOwned(ownership, within(CONFIRM_TIMEOUT_MS, progress.signal)))) return undefined;
      // The group may have taken partitions away meanwhile.
      if (membership?.isJoined !== false && this.#partitions.isCurrent(answer.reader)) return answer;
    }
    return undefined;
  }

  /** Made before it is known whether it may be given: what it throws is told then. Never rejects. */
  async #answerOf(maxCount: number, convert: PollRequest['convert']): Promise<Answer> {
    const reader = this.#partitions.read(maxCount);
    try {
      return { reader, result: { deliver: await convert(reader) } };
    } catch (error) {
      return { reader, result: { error } };
    }
  }
}
