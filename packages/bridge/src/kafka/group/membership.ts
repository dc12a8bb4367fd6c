/**
 * Membership in a consumer group, by the classic protocol and with a static identity (KIP-345): join, sync, heartbeat,
 * commit, leave. The library's own membership is not used: it joins again after its identity was taken over, where a member must stop.
 */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { BridgeError } from '../../errors.ts';
import type { PartitionOffset, TopicPartition } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { mayBeRetried, memberStateIn, protocolErrorId, toBridgeError } from '../client/failure.ts';
import type { MemberState } from '../client/kafka-errors.ts';
import { backoffMs, bounded, type Limits, within } from '../client/limits.ts';
import { throwForbidden } from '../client/metadata.ts';
import type { GroupCoordinator } from './coordinator.ts';
import { GroupLeader } from './group-leader.ts';
import { type MemberIdentity, sendHeartbeat, sendJoin, sendLeave, sendSync } from './member-requests.ts';
import { type CommitOutcome, type Committer, sendOffsets } from './offset-commit.ts';
import type { PreparedJoin } from './prepared-join.ts';

export interface MembershipOptions {
  /** The name of this member in Kafka's tools. */
  clientId: string;
  /** `group.instance.id`. */
  instanceId: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  heartbeatIntervalMs: number;
  requestTimeoutMs: number;
  topicRefreshMs: number;
  /** Whether a broker may create topics that do not exist. */
  allowAutoTopicCreation: boolean;
  /** For the first join. */
  prepared?: PreparedJoin | undefined;
}

/** Called for changes that the group or Kafka cause. */
export interface MembershipEvents {
  /** Other members may get the partitions next: the last chance to commit. */
  onRevoking: () => Promise<void>;
  onAssigned: (partitions: readonly TopicPartition[]) => void;
  /** Kafka no longer knows the member, and others may read its partitions. The next {@link Membership.join} rejoins. */
  onForgotten: () => void;
  /**
   * The member is about to rejoin after Kafka forgot it: another process may have had its identity meanwhile, and left. Throws if it
   * must not rejoin; `kafkaUnavailable` is retried.
   */
  onRejoining: (limits: Limits) => Promise<void>;
  /** Another process joined with the same identity. The member never joins again. */
  onFenced: () => void;
}

type State =
  | { kind: 'unjoined' }
  | { kind: 'joining' }
  | { kind: 'joined'; generation: number }
  | { kind: 'fenced' }
  | { kind: 'left' };

export class Membership implements Committer {
  readonly #cluster: Cluster;
  readonly #coordinator: GroupCoordinator;
  readonly #options: MembershipOptions;
  readonly #events: MembershipEvents;
  readonly #life = new AbortController();
  #state: State = { kind: 'unjoined' };
  /** Empty until Kafka gives one. */
  #memberId = '';
  #wasForgotten = false;
  #topics: readonly string[];
  #isTopicsChanged = false;
  #joining: Promise<void> | undefined;
  #heartbeatTimer: NodeJS.Timeout | undefined;
  /** While the member leads its group. */
  #leader: GroupLeader | undefined;

  constructor(
    cluster: Cluster,
    coordinator: GroupCoordinator,
    topics: readonly string[],
    options: MembershipOptions,
    events: MembershipEvents,
  ) {
    this.#cluster = cluster;
    this.#coordinator = coordinator;
    this.#topics = topics;
    this.#options = options;
    this.#events = events;
  }

  get isJoined(): boolean {
    return this.#state.kind === 'joined' && !this.#isTopicsChanged && this.#joining === undefined;
  }

  /** Whether a join is in flight. */
  get isJoining(): boolean {
    return this.#joining !== undefined;
  }

  /** Whether it has a generation; also while a rebalance is about to begin. */
  get isMember(): boolean {
    return this.#state.kind === 'joined';
  }

  /** Replaces the topics; the next {@link join} sends them to the group. */
  setTopics(topics: readonly string[]): void {
    const known = new Set(this.#topics);
    const isSame = topics.length === this.#topics.length && topics.every((topic) => known.has(topic));
    this.#topics = topics;
    if (!isSame) this.#isTopicsChanged = true;
  }

  /**
   * Waits until the member has its partitions; joining continues when the time is over.
   * Errors: `misdirected` once fenced; `consumerNotFound` once it left; final errors of Kafka.
   */
  async join(limits: Limits): Promise<boolean> {
    if (this.#state.kind === 'fenced') throw new BridgeError('misdirected');
    if (this.#state.kind === 'left') throw new BridgeError('consumerNotFound');
    if (this.isJoined) return true;
    const joining = this.#startJoining({ isCommitPossible: true });
    try {
      await bounded(joining, limits);
    } catch (error) {
      if (limits.signal?.aborted === true) throw error;
      if (error instanceof BridgeError && error.code === 'kafkaUnavailable') return false;
      throw error;
    }
    return this.isJoined;
  }

  /** Commits as this member, in its generation. Errors: those of the library; `kafkaUnavailable`. */
  async commit(offsets: readonly PartitionOffset[], limits: Limits): Promise<CommitOutcome> {
    if (this.#state.kind === 'fenced') return 'fenced';
    if (this.#state.kind === 'joining') return 'rebalancing';
    const state = this.#state;
    const member =
      state.kind === 'joined'
        ? { generation: state.generation, memberId: this.#memberId, instanceId: this.#options.instanceId }
        : undefined;
    try {
      await sendOffsets(this.#coordinator, offsets, { member, limits });
      return 'committed';
    } catch (error) {
      const found = memberStateIn(error);
      if (found === undefined) throw protocolErrorId(error) === undefined ? toBridgeError(error) : error;
      if (member === undefined) return 'notMember';
      this.#accept(state, found);
      if (found === 'fenced') return 'fenced';
      return found === 'forgotten' ? 'notMember' : 'rebalancing';
    }
  }

  /** Leaves the group at once, so that others get its partitions. Never throws. */
  async leave(limits: Limits): Promise<void> {
    const { kind } = this.#state;
    this.#stop({ kind: 'left' });
    if (kind === 'fenced' || kind === 'left' || kind === 'unjoined') return;
    try {
      await sendLeave(this.#coordinator, this.#identity, limits);
    } catch {
      // Kafka removes the member at the session timeout.
    }
  }

  /** Ends without leaving: the group keeps the member until its session times out. */
  abandon(): void {
    this.#stop({ kind: 'left' });
  }

  #stop(state: State): void {
    this.#state = state;
    this.#life.abort();
    clearTimeout(this.#heartbeatTimer);
    this.#leader?.close();
  }

  #startJoining({ isCommitPossible }: { isCommitPossible: boolean }): Promise<void> {
    this.#joining ??= this.#joinUntilDone(isCommitPossible).finally(() => {
      this.#joining = undefined;
    });
    // Callers that wait see the failure; a rebalance in the background is retried at the next poll.
    this.#joining.catch(() => {});
    return this.#joining;
  }

  async #joinUntilDone(isCommitPossible: boolean): Promise<void> {
    if (this.#state.kind === 'joined' && isCommitPossible) await this.#events.onRevoking();
    clearTimeout(this.#heartbeatTimer);
    this.#leader?.close();
    if (this.#isOver) return;
    this.#state = { kind: 'joining' };
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#joinOnce();
        return;
      } catch (error) {
        if (this.#isOver) return;
        const found = memberStateIn(error);
        if (found === 'fenced') {
          this.#fence();
          throw new BridgeError('misdirected', { cause: error });
        }
        if (found === 'forgotten') {
          this.#memberId = '';
          this.#wasForgotten = true;
          this.#events.onForgotten();
        } else if (found === undefined && !mayBeRetried(error)) {
          this.#state = { kind: 'unjoined' };
          throw toBridgeError(error, { group: this.#coordinator.group });
        }
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, this.#cluster.backoff)));
        if (this.#isOver) return;
      }
    }
  }

  get #isOver(): boolean {
    return this.#life.signal.aborted;
  }

  /** Join and sync, over a connection of its own: the coordinator responds when every member has joined. */
  async #joinOnce(): Promise<void> {
    const { clientId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, requestTimeoutMs } = this.#options;
    const timeoutMs = rebalanceTimeoutMs + requestTimeoutMs;
    const limits = within(timeoutMs, this.#life.signal);
    const pool =
      this.#options.prepared?.takePool() ?? this.#cluster.createPool({ clientId, requestTimeoutMs: timeoutMs });
    try {
      this.#isTopicsChanged = false;
      // Kafka assigns no partition of a topic that the bridge may not see: an error says so, instead of polls without records.
      const mayCreate = this.#options.allowAutoTopicCreation;
      throwForbidden(await this.#cluster.topics(this.#topics, limits, { mayCreate }));
      if (this.#wasForgotten) await this.#events.onRejoining(limits);
      const request = { ...this.#identity, topics: this.#topics, sessionTimeoutMs, rebalanceTimeoutMs };
      const joined = await sendJoin(this.#coordinator, request, { pool, limits });
      this.#memberId = joined.memberId;
      this.#wasForgotten = false;
      const isLeader = joined.leader === joined.memberId;
      const leader = isLeader ? new GroupLeader(this.#cluster, this.#coordinator, joined) : undefined;
      // A leader that came back under its old identity finds the assignment in place (KIP-814).
      const assignments = joined.skipAssignment ? undefined : await leader?.assign(limits);
      const sync = { instanceId, assignments: assignments ?? [] };
      const assigned = await sendSync(this.#coordinator, joined, sync, { pool, limits });
      if (this.#isOver) return;
      this.#onJoined(joined.generationId, leader, assigned);
    } finally {
      void this.#cluster.closePool(pool);
    }
  }

  #onJoined(generation: number, leader: GroupLeader | undefined, assigned: readonly TopicPartition[]): void {
    this.#state = { kind: 'joined', generation };
    this.#scheduleHeartbeat();
    this.#leader = leader;
    leader?.watch({
      intervalMs: this.#options.topicRefreshMs,
      limits: () => within(this.#options.requestTimeoutMs, this.#life.signal),
      onChanged: () => void this.#startJoining({ isCommitPossible: true }),
    });
    this.#events.onAssigned(assigned);
  }

  get #identity(): MemberIdentity {
    return { instanceId: this.#options.instanceId, memberId: this.#memberId };
  }

  #scheduleHeartbeat(): void {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => void this.#heartbeat(), this.#options.heartbeatIntervalMs);
  }

  async #heartbeat(): Promise<void> {
    const state = this.#state;
    if (state.kind !== 'joined' || this.#joining !== undefined) return;
    try {
      await sendHeartbeat(
        this.#coordinator,
        { ...this.#identity, generation: state.generation },
        within(this.#options.sessionTimeoutMs, this.#life.signal),
      );
    } catch (error) {
      const found = memberStateIn(error);
      if (found !== undefined) {
        this.#accept(state, found);
        return;
      }
    }
    if (this.#state === state && this.#joining === undefined) this.#scheduleHeartbeat();
  }

  /** Acts on an error that says that the member is no longer what `state` says. */
  #accept(state: State, found: MemberState): void {
    // Several requests report the same: the first one was acted on.
    if (this.#state !== state || state.kind !== 'joined') return;
    switch (found) {
      case 'fenced':
        this.#fence();
        break;
      case 'forgotten':
        this.#forget();
        break;
      case 'outdated':
      case 'rebalancing':
        void this.#startJoining({ isCommitPossible: found === 'rebalancing' });
        break;
      default:
        assertNever(found);
    }
  }

  #fence(): void {
    this.#stop({ kind: 'fenced' });
    this.#events.onFenced();
  }

  /** The member rejoins only at a poll: one that no client uses must not come back. */
  #forget(): void {
    clearTimeout(this.#heartbeatTimer);
    this.#leader?.close();
    this.#memberId = '';
    this.#wasForgotten = true;
    this.#state = { kind: 'unjoined' };
    this.#events.onForgotten();
  }
}
