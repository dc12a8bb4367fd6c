/**
 * One consumer instance: the operations of its client, one after another, until the session is over here. Its parts do the
 * work.
 */
import { toBridgeError } from '../kafka/client/failure.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { OffsetSpec } from '../kafka/client/list-offsets.ts';
import type { Liveness } from '../kafka/client/liveness.ts';
import { checkAlive, type Ownership } from '../ownership/ownership.ts';
import type { ServedSession } from '../ownership/served-session.ts';
import type { LoggedSeek, SessionDescription } from '../ownership/session-entry.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import { isOver } from '../ownership/session-life.ts';
import type { PartitionOffset, TopicPartition } from '../records.ts';
import type { DeliveryLog } from './delivery.ts';
import type { LoggedSession } from './logged-session.ts';
import { withFault } from './operation-fault.ts';
import type { PollRequest } from './poller.ts';
import type { SessionAccount } from './session-account.ts';
import type { SessionOptions } from './session-options.ts';
import { type SessionDependencies, SessionParts } from './session-parts.ts';
import type { SubscriptionState } from './subscription-state.ts';
import type { TopicAccess } from './topic-access.ts';
import type { TopicPattern } from './topic-pattern.ts';

/** A session as operators see it: what it reads, or how it ended here. */
export type SessionStateKind = SubscriptionState['kind'] | 'closing' | 'fenced' | 'released';

/** Fetched records are freed when no client polls the consumer for this long. */
const IDLE_RECORDS_MS = 10_000;
/** And its connections to brokers: longer than most clients pause, since the next poll has to connect again. */
const IDLE_CONNECTIONS_MS = 30_000;

export class Session implements ServedSession {
  readonly identity: SessionIdentity;
  readonly options: SessionOptions;
  /** As whom it uses Kafka. */
  readonly account: SessionAccount;
  readonly #parts: SessionParts;
  readonly #leaveAccount: () => void;
  readonly #ownership: Ownership;
  readonly #liveness: Liveness;
  /** Of the bridge's requests to Kafka, which bounds the client's choice. */
  readonly #longestTimeoutMs: number;
  #lastPollAtMs: number | undefined;

  constructor(identity: SessionIdentity, options: SessionOptions, dependencies: SessionDependencies) {
    this.identity = identity;
    this.options = options;
    this.#ownership = dependencies.ownership;
    this.#liveness = dependencies.liveness;
    this.#longestTimeoutMs = dependencies.kafka.requestTimeoutMs;
    this.account = dependencies.account;
    this.#leaveAccount = this.account.retain();
    this.#parts = new SessionParts(identity, options, dependencies);
  }

  get stateKind(): SessionStateKind {
    const { life } = this.#ownership;
    if (!isOver(life)) return this.#parts.subscription.state.kind;
    return life.kind === 'ended' ? 'closing' : life.kind;
  }

  get deliveries(): DeliveryLog {
    return this.#parts.deliveries;
  }

  get logged(): LoggedSession {
    return this.#parts.logged;
  }

  /** When its client polled last, in milliseconds since 1970; `undefined` before that happened here. */
  get lastPollAtMs(): number | undefined {
    return this.#lastPollAtMs;
  }

  /** The partitions whose lag can be known. */
  get positioned(): readonly TopicPartition[] {
    return this.#parts.fetcher.partitions.positions;
  }

  /** Ends of partitions as Kafka reported them, by {@link partitionKey}. */
  noteEnds(ends: ReadonlyMap<string, bigint>): void {
    this.#parts.fetcher.partitions.noteEnds(ends);
  }

  /** {@link lagRecords}; `undefined` while it reads nothing, or not every position and end is known. */
  get knownLagRecords(): number | undefined {
    return this.#parts.fetcher.partitions.isLagKnown ? this.lagRecords : undefined;
  }

  /** Records that its client has not got yet, as far as the last fetches, or a look-up since, show the ends. */
  get lagRecords(): number {
    return this.#parts.fetcher.partitions.lagRecords;
  }

  /** Since the last operation, in milliseconds; 0 while one is running. */
  idleMs(): number {
    return this.#parts.operations.idleMs();
  }

  /** Frees what an idle consumer does not need: fetched records, later its connections, too. Positions stay. */
  rest(): void {
    const idleMs = this.idleMs();
    if (idleMs >= IDLE_CONNECTIONS_MS) this.#parts.fetcher.rest();
    else if (idleMs >= IDLE_RECORDS_MS) this.#parts.fetcher.dropRecords();
  }

  /** Topics that the client may read from now on: each of its requests says it. */
  permit(access: TopicAccess): void {
    this.#parts.subscription.permit(access);
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`. */
  checkSubscribable(): void {
    this.#parts.subscription.checkSubscribable();
  }

  /** Errors: `notSubscribed`, `misdirected` once it lives elsewhere. */
  checkSubscribed(): void {
    this.#parts.subscription.checkSubscribed();
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while a pattern is subscribed to. */
  async subscribe(topics: readonly string[]): Promise<void> {
    await this.#change(() => this.#parts.subscription.subscribe(topics));
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while topics are subscribed to. */
  async subscribePattern(pattern: TopicPattern): Promise<void> {
    await this.#change(() => this.#parts.subscription.subscribePattern(pattern));
  }

  /** Reads partitions that the client chose instead of the group. Errors: `subscriptionConflict`, `consumerNotFound`. */
  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#change(() => this.#parts.subscription.assign(partitions));
  }

  /** Ends the subscription or assignment, whichever there is. Errors: `consumerNotFound`. */
  async unsubscribe(): Promise<void> {
    await this.#change(() => this.#parts.subscription.end());
  }

  /** The partitions that it reads now. Errors: `consumerNotFound`, `kafkaUnavailable` while its group has not answered. */
  async assigned(): Promise<readonly TopicPartition[]> {
    checkAlive(this.#ownership);
    const { operations, fetcher, subscription } = this.#parts;
    operations.touch();
    const { assigned } = fetcher.partitions;
    // Only the group can say that a member has no partitions.
    if (assigned.length === 0 && subscription.isJoining) {
      await this.#liveness.confirm({ sinceMs: performance.now() });
    }
    return assigned;
  }

  /** The next offset to read of each partition, where it is known or can be found. Errors: `kafkaUnavailable`, `consumerNotFound`. */
  async positions(): Promise<readonly PartitionOffset[]> {
    if ((await this.assigned()).length > 0) await this.#parts.positions.findKnown(this.#requestLimits());
    return this.#parts.subscription.permitted(this.#parts.fetcher.partitions.positions);
  }

  /** The commits of the group for its partitions. Errors: as Kafka has them; `kafkaUnavailable`, `consumerNotFound`. */
  async committed(): Promise<PartitionOffset[]> {
    const assigned = this.#parts.subscription.permitted(await this.assigned());
    if (assigned.length === 0) return [];
    try {
      return await this.#parts.coordinator.committed(assigned, this.#requestLimits(), { isStable: false });
    } catch (error) {
      throw toBridgeError(error, { group: this.identity.group });
    }
  }

  /** Moves positions, one after another until one fails. Errors: `notAssigned`, `negativeOffset`, `consumerNotFound`. */
  async seek(offsets: readonly PartitionOffset[]): Promise<void> {
    await this.#run(async () => {
      checkAlive(this.#ownership);
      const { positions, logged } = this.#parts;
      try {
        for (const place of offsets) positions.seekTo(place, place.offset);
      } finally {
        await logged.keepSought(offsets);
      }
    });
  }

  /**
   * Moves positions to an end of their partitions, as it is now; of all that are assigned and permitted when none are given.
   * Errors: `notAssigned`, `kafkaUnavailable` (they are moved all the same, later), `consumerNotFound`.
   */
  async seekTo(end: OffsetSpec, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#run(async () => {
      checkAlive(this.#ownership);
      const { positions, logged, fetcher, subscription } = this.#parts;
      const sought = partitions.length === 0 ? subscription.permitted(fetcher.partitions.assigned) : partitions;
      for (const partition of sought) positions.seekTo(partition, end);
      await positions.findKnown(this.#requestLimits());
      await logged.keepSought(sought);
    });
  }

  /**
   * Hands records to the client, and commits those of the previous poll, if the consumer commits automatically: see
   * {@link Poller.answer}. Errors: also `consumerBusy` behind another poll.
   */
  async poll(request: PollRequest): Promise<void> {
    this.#lastPollAtMs = Date.now();
    const { operations, poller } = this.#parts;
    await this.#withFault(() => operations.poll((turn) => poller.answer(request, turn), request));
  }

  /**
   * Commits the given positions, or those of all delivered records.
   * Errors: `commitRefused` when the group no longer knows the consumer, `kafkaRefused`, `kafkaUnavailable`.
   */
  async commit(offsets: readonly PartitionOffset[] | undefined): Promise<void> {
    await this.#run(async () => {
      checkAlive(this.#ownership);
      const { commits, commitGrace, logged, positions } = this.#parts;
      if (offsets === undefined) await positions.findContinued(this.#requestLimits());
      await commits.commitForClient(offsets).finally(() => commitGrace.end());
      await logged.onCommitted(offsets ?? this.positioned);
    });
  }

  async restore(description: SessionDescription, limits: Limits): Promise<void> {
    const { operations, logged, subscription } = this.#parts;
    await operations.run(async () => {
      logged.restore(description);
      await subscription.restore(description.subscription);
      await subscription.join(limits);
    });
  }

  resumeAt(seeks: readonly LoggedSeek[]): void {
    this.#parts.resumeAt(seeks);
  }

  async inTurn(operation: () => Promise<void>, options?: { isClients: boolean }): Promise<void> {
    await this.#parts.operations.run(operation, options);
  }

  endPolls(): void {
    this.#parts.poller.end();
  }

  stop(): void {
    this.#parts.stop();
  }

  async commitDelivered(limits: Limits): Promise<void> {
    await this.#parts.commits.commitDelivered(limits);
  }

  async leave(limits: Limits): Promise<void> {
    this.#parts.commitGrace.end();
    await this.#parts.subscription.close(limits);
    await this.#parts.fetcher.close();
    this.#leaveAccount();
  }

  async abandon(): Promise<void> {
    this.#parts.subscription.abandon();
    this.#parts.stop();
    await this.#parts.fetcher.close();
    this.#leaveAccount();
  }

  /** Changes the subscription, and logs that for the next owner before the client gets its response. */
  async #change(change: () => void | Promise<void>): Promise<void> {
    await this.#run(async () => {
      this.#parts.commitGrace.end();
      await change();
      await this.#parts.logged.onChanged();
    });
  }

  /** An operation of the client, when its turn comes. Errors: also `consumerBusy` when that takes too long. */
  async #run(operation: () => Promise<void>): Promise<void> {
    await this.#withFault(() => this.#parts.operations.run(operation, { isBounded: true }));
  }

  async #withFault(run: () => Promise<void>): Promise<void> {
    const isShortened = this.options.requestTimeoutMs < this.#longestTimeoutMs;
    await withFault(run, { liveness: this.#liveness, isShortened });
  }

  #requestLimits(): Limits {
    return within(this.options.requestTimeoutMs);
  }
}
