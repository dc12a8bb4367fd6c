/** One consumer instance: what it is subscribed to, what was delivered, and when that is committed. */
import { createHash } from 'node:crypto';
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { assertNever, BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { GroupCoordinator } from '../kafka/coordinator.ts';
import { toBridgeError } from '../kafka/failure.ts';
import { type Checkpoint, Fetcher } from '../kafka/fetcher.ts';
import { bounded, type Limits, remainingMs, within } from '../kafka/limits.ts';
import type { OffsetSpec } from '../kafka/list-offsets.ts';
import { Membership } from '../kafka/membership.ts';
import { type Committer, LoneCommitter } from '../kafka/offset-commit.ts';
import type { PartitionOffset, StoredRecord, TopicPartition } from '../records.ts';
import { commitDelivered, commitForClient } from './commits.ts';
import { PatternWatch } from './pattern-watch.ts';
import { Positions } from './positions.ts';
import type { SessionOptions } from './session-options.ts';
import type { TopicPattern } from './topic-pattern.ts';

export interface SessionIdentity {
  group: string;
  name: string;
}

export interface SessionDependencies {
  cluster: Cluster;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  /** Until its next heartbeat; longer while the bridge has many consumers. */
  heartbeatPauseMs: () => number;
  /** Called once, when another bridge took this consumer over. */
  onFenced: () => void;
}

/** What a poll does with its records. */
export interface Delivery {
  /** How many of the records, from the first, were written to the client; `undefined` when it has gone. */
  writtenCount: number | undefined;
}

export interface PollRequest {
  timeoutMs: number;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /**
   * Writes an answer with the records. What it throws is thrown by the poll, and the records come again.
   * `takeBack` may be called later, when the connection turns out to have broken under the answer; it says whether it
   * was in time.
   */
  deliver: (records: readonly StoredRecord[], takeBack: () => boolean) => Promise<Delivery>;
}

type State =
  | { kind: 'idle' }
  /** No topics: an empty list was subscribed to, which is not the same as nothing. */
  | { kind: 'subscribed'; membership: Membership | undefined; watch: PatternWatch | undefined }
  /** To partitions of the client's choice, without the group's say. */
  | { kind: 'assigned'; isEmpty: boolean }
  | { kind: 'closing' }
  | { kind: 'fenced' };

/** How long a commit at a rebalance or an end may take; the group waits for it. */
const LAST_COMMIT_TIMEOUT_MS = 3000;
/** A client that needs longer than this for one answer has gone. */
const LONGEST_WRITE_MS = 60_000;
/** How long fewer bytes than the client asked for are waited with: Kafka's default of `fetch.max.wait.ms`. */
const MIN_BYTES_WAIT_MS = 500;
/** Partitions that do not exist (yet) are looked for this often while a poll waits. */
const MISSING_PARTITIONS_INTERVAL_MS = 500;
/** Legal topic names; Kafka's `Topic.validate`. */
const LEGAL_TOPIC = /^[a-zA-Z0-9._-]{1,249}$/;
const EXCLUSIVE =
  'java.lang.IllegalStateException: Subscription to topics, partitions and pattern are mutually exclusive';
/** After an empty list was subscribed to or assigned. */
const NOTHING_TO_READ =
  'java.lang.IllegalStateException: Consumer is not subscribed to any topics or assigned any partitions';
/** Names of instances that can be shown as they are in a `group.instance.id`. */
const PLAIN_NAME = /^[a-zA-Z0-9._-]{1,200}$/;

export class Session {
  readonly identity: SessionIdentity;
  readonly options: SessionOptions;
  readonly #dependencies: SessionDependencies;
  readonly #fetcher: Fetcher;
  readonly #coordinator: GroupCoordinator;
  readonly #lone: LoneCommitter;
  readonly #positions: Positions;
  /** Ends the wait of the poll that runs. */
  #waiting: AbortController | undefined;
  readonly #end = new AbortController();
  #state: State = { kind: 'idle' };
  /** Operations run one after another. */
  #last: Promise<unknown> = Promise.resolve();
  #runningCount = 0;
  #touchedAtMs = performance.now();
  /** Illegal names that were subscribed to: the next poll says so, once. */
  #illegalTopics: readonly string[] = [];
  /** What the last answer moved; nothing once another operation has begun. */
  #delivered: Checkpoint | undefined;
  #isReleasingPolls = false;

  constructor(identity: SessionIdentity, options: SessionOptions, dependencies: SessionDependencies) {
    this.identity = identity;
    this.options = options;
    this.#dependencies = dependencies;
    const { cluster, consumers, kafka } = dependencies;
    this.#fetcher = new Fetcher(cluster, options.resetPolicy === 'none' ? 'fail' : 'reset', {
      clientId: identity.name,
      isolationLevel: options.isolationLevel,
      minBytes: options.fetchMinBytes,
      maxBytes: consumers.fetchMaxBytes,
      maxWaitMs: options.fetchMinBytes > 1 ? MIN_BYTES_WAIT_MS : consumers.fetchMaxWaitMs,
      requestTimeoutMs: kafka.requestTimeoutMs,
    });
    this.#coordinator = new GroupCoordinator(cluster, identity.group);
    this.#lone = new LoneCommitter(this.#coordinator);
    this.#positions = new Positions(options, {
      ...{ cluster, coordinator: this.#coordinator, fetcher: this.#fetcher },
      // Or whoever takes this consumer over would begin at a later end, and skip what came between.
      onBegunAtEnd: (limits) => this.#commitDelivered(limits),
    });
  }

  /** Since the last operation, in milliseconds; 0 while one is running. */
  idleMs(): number {
    return this.#runningCount > 0 ? 0 : performance.now() - this.#touchedAtMs;
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`. */
  checkSubscribable(): void {
    this.#checkAlive();
    if (this.#state.kind === 'assigned') throw new BridgeError('subscriptionConflict');
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while a pattern is subscribed to. */
  async subscribe(topics: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      this.checkSubscribable();
      if (this.#watch !== undefined && topics.length > 0) throw new BridgeError('kafkaRefused', { message: EXCLUSIVE });
      const legal = topics.filter((topic) => LEGAL_TOPIC.test(topic) && topic !== '.' && topic !== '..');
      this.#illegalTopics = topics.filter((topic) => !legal.includes(topic));
      if (topics.length === 0) {
        await this.#leave();
        this.#state = { kind: 'subscribed', membership: undefined, watch: undefined };
        return;
      }
      const membership = this.#membership;
      membership?.setTopics(legal);
      this.#state = {
        ...{ kind: 'subscribed', watch: undefined },
        membership: membership ?? this.#createMembership(legal),
      };
    });
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while topics are subscribed to. */
  async subscribePattern(pattern: TopicPattern): Promise<void> {
    await this.#exclusively(async () => {
      this.checkSubscribable();
      const [membership, watch] = [this.#membership, this.#watch];
      if (membership !== undefined && watch === undefined) {
        throw new BridgeError('kafkaRefused', { message: EXCLUSIVE });
      }
      watch?.close();
      const joined = membership ?? this.#createMembership([]);
      this.#state = { kind: 'subscribed', membership: joined, watch: this.#createWatch(pattern, joined) };
    });
  }

  /** Reads partitions of the client's choice instead of the group's. Errors: `subscriptionConflict`, `consumerNotFound`. */
  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#exclusively(async () => {
      this.#checkAlive();
      if (this.#state.kind === 'subscribed') throw new BridgeError('subscriptionConflict');
      await this.#commitDelivered(this.#requestLimits());
      this.#assign(partitions);
      this.#state = { kind: 'assigned', isEmpty: partitions.length === 0 };
    });
  }

  /** Ends the subscription or assignment, whichever there is. Errors: `consumerNotFound`. */
  async unsubscribe(): Promise<void> {
    await this.#exclusively(async () => {
      this.#checkAlive();
      await this.#leave();
      this.#illegalTopics = [];
      this.#state = { kind: 'idle' };
    });
  }

  /** The partitions that it reads now. Errors: `consumerNotFound`. */
  get assigned(): readonly TopicPartition[] {
    this.#checkAlive();
    this.#touchedAtMs = performance.now();
    return this.#fetcher.assigned;
  }

  /** The next offset to read of each partition, where it is known or can be found. Errors: `kafkaUnavailable`, `consumerNotFound`. */
  async positions(): Promise<PartitionOffset[]> {
    if (this.assigned.length > 0) await this.#findPositions();
    return this.#fetcher.positions;
  }

  /** What the group has committed for its partitions. Errors: as Kafka has them; `kafkaUnavailable`, `consumerNotFound`. */
  async committed(): Promise<PartitionOffset[]> {
    const { assigned } = this;
    if (assigned.length === 0) return [];
    try {
      return await this.#coordinator.committed(assigned, this.#requestLimits(), { isStable: false });
    } catch (error) {
      throw toBridgeError(error);
    }
  }

  /** Moves positions, one after another until one fails. Errors: `notAssigned`, `negativeOffset`, `consumerNotFound`. */
  async seek(offsets: readonly PartitionOffset[]): Promise<void> {
    await this.#exclusively(async () => {
      this.#checkAlive();
      for (const { topic, partition, offset } of offsets) {
        if (offset < 0n) throw new BridgeError('negativeOffset');
        this.#seek({ topic, partition }, offset);
      }
    });
  }

  /**
   * Moves positions to an end of their partitions, as it is now; of all that are assigned when none are given.
   * Errors: `notAssigned`, `kafkaUnavailable` (they are moved all the same, later), `consumerNotFound`.
   */
  async seekTo(end: OffsetSpec, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#exclusively(async () => {
      this.#checkAlive();
      for (const partition of partitions.length === 0 ? this.#fetcher.assigned : partitions) this.#seek(partition, end);
      await this.#findPositions();
    });
  }

  /** Errors: `notSubscribed`, `consumerNotFound`. */
  checkSubscribed(): void {
    if (this.#state.kind === 'idle') throw new BridgeError('notSubscribed');
    if (this.#isFenced) throw new BridgeError('consumerNotFound');
  }

  /**
   * Hands records to the client as soon as there are any, and none when the time is over. Commits what the poll before
   * delivered, if the consumer commits by itself.
   * Errors: `notSubscribed`, `consumerNotFound` once fenced, what Kafka refuses, and what `deliver` throws.
   */
  async poll({ timeoutMs, signal, deliver }: PollRequest): Promise<void> {
    await this.#exclusively(async () => {
      const membership = this.#readAs();
      const waiting = this.#startWaiting(signal);
      const limits = within(timeoutMs, waiting.signal);
      const committing = this.#commitDelivered(this.#requestLimits());
      let records: StoredRecord[] = [];
      try {
        records = await this.#nextRecords(membership, limits);
        await bounded(committing, limits).catch(() => {});
      } catch (error) {
        if (!waiting.signal.aborted) throw error;
      }
      if (signal.aborted) return;
      if (this.#isFenced) throw new BridgeError('consumerNotFound');
      await this.#deliver(records, deliver);
    });
  }

  /**
   * Commits positions as given, or those of everything that was delivered.
   * Errors: `commitRefused` when the group no longer knows the consumer, `kafkaRefused`, `kafkaUnavailable`.
   */
  async commit(offsets: readonly PartitionOffset[] | undefined): Promise<void> {
    await this.#exclusively(async () => {
      this.#checkAlive();
      const { requestTimeoutMs } = this.options;
      await commitForClient({
        ...{ fetcher: this.#fetcher, committer: this.#membership ?? this.#lone, requestTimeoutMs },
        read: () => offsets ?? this.#fetcher.positions,
        limits: this.#requestLimits(),
      });
    });
  }

  /** Waiting polls answer now, and so do all that come; for a bridge that stops. */
  releasePolls(): void {
    this.#isReleasingPolls = true;
    this.#waiting?.abort();
  }

  /**
   * Ends the consumer: a waiting poll is answered, what was delivered is committed if it commits by itself, and the
   * group is left. Never throws.
   */
  async close({ isCommitting }: { isCommitting: boolean }): Promise<void> {
    this.#end.abort();
    this.#waiting?.abort();
    await this.#exclusively(async () => {
      const membership = this.#membership;
      this.#watch?.close();
      if (isCommitting) await this.#commitDelivered(within(LAST_COMMIT_TIMEOUT_MS));
      if (!this.#isFenced) this.#state = { kind: 'closing' };
      await membership?.leave(within(LAST_COMMIT_TIMEOUT_MS));
      await this.#fetcher.close();
    }).catch(() => {});
  }

  /** What ends a poll's wait: its client going, this consumer's end, a bridge that stops. */
  #startWaiting(signal: AbortSignal): AbortController {
    const waiting = new AbortController();
    this.#waiting = waiting;
    signal.addEventListener('abort', () => waiting.abort(), { once: true });
    if (signal.aborted || this.#end.signal.aborted || this.#isReleasingPolls) waiting.abort();
    return waiting;
  }

  async #deliver(records: readonly StoredRecord[], deliver: PollRequest['deliver']): Promise<void> {
    let checkpoint: Checkpoint | undefined;
    const takeBack = (): boolean => {
      if (checkpoint === undefined || this.#delivered !== checkpoint) return false;
      this.#delivered = undefined;
      this.#fetcher.rewind(checkpoint);
      return true;
    };
    const limits = within(LONGEST_WRITE_MS, this.#end.signal);
    let writtenCount: number | undefined;
    try {
      ({ writtenCount } = await bounded(deliver(records, takeBack), limits));
    } catch (error) {
      // Whoever ends the consumer, or asks it again, does not wait for a client that does not read.
      if (limits.signal?.aborted === true || remainingMs(limits) === 0) return;
      throw error;
    }
    if (writtenCount === undefined || writtenCount === 0) return;
    checkpoint = this.#fetcher.advance(records.slice(0, writtenCount));
    this.#delivered = checkpoint;
  }

  get #isFenced(): boolean {
    return this.#state.kind === 'fenced';
  }

  /** Errors: `consumerNotFound`. */
  #checkAlive(): void {
    if (this.#state.kind === 'closing' || this.#state.kind === 'fenced') throw new BridgeError('consumerNotFound');
  }

  get #membership(): Membership | undefined {
    return this.#state.kind === 'subscribed' ? this.#state.membership : undefined;
  }

  get #watch(): PatternWatch | undefined {
    return this.#state.kind === 'subscribed' ? this.#state.watch : undefined;
  }

  #createWatch(pattern: TopicPattern, membership: Membership): PatternWatch {
    const { cluster, consumers } = this.#dependencies;
    return new PatternWatch(cluster, pattern, {
      refreshMs: consumers.topicRefreshMs,
      requestTimeoutMs: this.options.requestTimeoutMs,
      onTopics: (topics) => {
        membership.setTopics(topics);
        // A poll that waits joins again.
        this.#fetcher.interrupt();
      },
    });
  }

  /** Whether the topics of a pattern are known now. Errors: `kafkaRefused`. */
  async #knowsTopics(limits: Limits): Promise<boolean> {
    try {
      await this.#watch?.ready(limits);
      return true;
    } catch (error) {
      if (limits.signal?.aborted === true) throw error;
      if (error instanceof BridgeError && error.code === 'kafkaUnavailable') return false;
      throw error;
    }
  }

  /**
   * The membership to read with; `undefined` when the client chose the partitions.
   * Errors: `notSubscribed`, `consumerNotFound`, once `kafkaRefused` for illegal names.
   */
  #readAs(): Membership | undefined {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        throw new BridgeError('notSubscribed');
      case 'closing':
      case 'fenced':
        throw new BridgeError('consumerNotFound');
      case 'assigned':
        if (state.isEmpty) throw new BridgeError('notSubscribed', { message: NOTHING_TO_READ });
        return undefined;
      case 'subscribed':
        break;
      default:
        return assertNever(state);
    }
    if (state.membership === undefined) throw new BridgeError('notSubscribed', { message: NOTHING_TO_READ });
    if (this.#illegalTopics.length > 0) {
      const names = this.#illegalTopics.join(', ');
      this.#illegalTopics = [];
      throw new BridgeError('kafkaRefused', {
        message: `org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [${names}]`,
      });
    }
    return state.membership;
  }

  /** Waits for the group, for positions and for records, in this order, as often as the group changes. */
  async #nextRecords(membership: Membership | undefined, limits: Limits): Promise<StoredRecord[]> {
    while (true) {
      if (!(await this.#knowsTopics(limits))) return [];
      if (membership !== undefined && !(await membership.join(limits))) return [];
      if (!(await this.#positions.find(limits))) return [];
      const isComplete = this.#fetcher.unpositioned.length === 0;
      const waitMs = isComplete ? remainingMs(limits) : Math.min(MISSING_PARTITIONS_INTERVAL_MS, remainingMs(limits));
      await this.#fetcher.fill(within(waitMs, limits.signal));
      if (membership?.isJoined === false) continue;
      if (this.#fetcher.hasRecords) return this.#fetcher.peek(this.#dependencies.consumers.maxPollRecords);
      if (remainingMs(limits) === 0) return [];
    }
  }

  /** Errors: `notAssigned`. */
  #seek(partition: TopicPartition, to: bigint | OffsetSpec): void {
    if (this.#fetcher.seek(partition, to)) {
      this.#positions.invalidate();
      return;
    }
    const { topic, partition: number } = partition;
    throw new BridgeError('notAssigned', { message: `No current assignment for partition ${topic}-${number}` });
  }

  /** Errors: `kafkaUnavailable`. */
  async #findPositions(): Promise<void> {
    try {
      if (await this.#positions.find(this.#requestLimits())) return;
    } catch {
      // What cannot be found is for the next poll to tell.
      return;
    }
    throw new BridgeError('kafkaUnavailable');
  }

  /** Leaves the group, if it is in one, and reads nothing any more. */
  async #leave(): Promise<void> {
    await this.#commitDelivered(this.#requestLimits());
    this.#watch?.close();
    await this.#membership?.leave(this.#requestLimits());
    this.#assign([]);
  }

  /** Commits what was delivered, if the consumer commits by itself and may. */
  async #commitDelivered(limits: Limits): Promise<void> {
    if (!this.options.isAutoCommit) return;
    const membership = this.#membership;
    if (membership !== undefined && !membership.isMember) return;
    const committer: Committer = membership ?? this.#lone;
    await commitDelivered(this.#fetcher, committer, limits);
  }

  #requestLimits(): Limits {
    return within(this.options.requestTimeoutMs);
  }

  #createMembership(topics: readonly string[]): Membership {
    const { cluster, kafka, consumers, heartbeatPauseMs } = this.#dependencies;
    const options = {
      clientId: this.identity.name,
      instanceId: groupInstanceId(this.identity),
      sessionTimeoutMs: kafka.sessionTimeoutMs,
      rebalanceTimeoutMs: kafka.rebalanceTimeoutMs,
      get heartbeatIntervalMs(): number {
        return heartbeatPauseMs();
      },
      requestTimeoutMs: kafka.requestTimeoutMs,
      topicRefreshMs: consumers.topicRefreshMs,
    };
    return new Membership(cluster, this.#coordinator, topics, options, {
      onRevoking: async () => {
        await this.#commitDelivered(within(LAST_COMMIT_TIMEOUT_MS));
        this.#fetcher.interrupt();
      },
      onAssigned: (partitions: readonly TopicPartition[]) => this.#assign(partitions),
      onForgotten: () => this.#assign([]),
      onFenced: () => this.#fence(),
    });
  }

  #assign(partitions: readonly TopicPartition[]): void {
    this.#positions.invalidate();
    this.#fetcher.assign(partitions);
  }

  /** Another bridge has this consumer now: nothing is committed any more. */
  #fence(): void {
    this.#watch?.close();
    this.#state = { kind: 'fenced' };
    this.#assign([]);
    this.#dependencies.onFenced();
  }

  /** One operation at a time, in the order of their coming. */
  #exclusively<T>(operation: () => Promise<T>): Promise<T> {
    this.#runningCount += 1;
    const result = this.#last.then(async () => {
      // What the last answer delivered counts as received from now on.
      this.#delivered = undefined;
      return await operation();
    });
    this.#last = result
      .catch(() => {})
      .finally(() => {
        this.#runningCount -= 1;
        this.#touchedAtMs = performance.now();
      });
    return result;
  }
}

/** The session's identity in its group: the same on every bridge, so that another one can take the consumer over. */
export function groupInstanceId({ group, name }: SessionIdentity): string {
  if (PLAIN_NAME.test(name)) return `causeway.${name}`;
  return `causeway-${createHash('sha256').update(`${group}\0${name}`).digest('hex').slice(0, 32)}`;
}
