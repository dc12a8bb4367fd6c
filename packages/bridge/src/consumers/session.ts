/** One consumer instance: what it is subscribed to, what was delivered, and when that is committed. */
import { createHash } from 'node:crypto';
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { assertNever, BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { protocolErrorId, toBridgeError } from '../kafka/failure.ts';
import { type Checkpoint, Fetcher } from '../kafka/fetcher.ts';
import { bounded, type Limits, remainingMs, retrying, within } from '../kafka/limits.ts';
import { listOffsets } from '../kafka/list-offsets.ts';
import { Membership } from '../kafka/membership.ts';
import type { PartitionOffset, StoredRecord, TopicPartition } from '../records.ts';
import type { SessionOptions } from './session-options.ts';

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
  | { kind: 'subscribed'; topics: readonly string[]; membership: Membership | undefined }
  | { kind: 'closing' }
  | { kind: 'fenced' };

/** How long a commit at a rebalance or an end may take; the group waits for it. */
const LAST_COMMIT_TIMEOUT_MS = 3000;
/** A client that needs longer than this for one answer has gone. */
const LONGEST_WRITE_MS = 60_000;
/** How long fewer bytes than the client asked for are waited with: Kafka's default of `fetch.max.wait.ms`. */
const MIN_BYTES_WAIT_MS = 500;
/** Legal topic names; Kafka's `Topic.validate`. */
const LEGAL_TOPIC = /^[a-zA-Z0-9._-]{1,249}$/;
/** Names of instances that can be shown as they are in a `group.instance.id`. */
const PLAIN_NAME = /^[a-zA-Z0-9._-]{1,200}$/;

export class Session {
  readonly identity: SessionIdentity;
  readonly options: SessionOptions;
  readonly #dependencies: SessionDependencies;
  readonly #fetcher: Fetcher;
  /** Ends the wait of the poll that runs. */
  #waiting: AbortController | undefined;
  readonly #end = new AbortController();
  #state: State = { kind: 'idle' };
  /** Operations run one after another. */
  #last: Promise<unknown> = Promise.resolve();
  #runningCount = 0;
  #touchedAtMs = performance.now();
  #positioning: Promise<void> | undefined;
  /** Counts assignments: what was found out for an earlier one does not count. */
  #assignmentCount = 0;
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
  }

  /** Since the last operation, in milliseconds; 0 while one is running. */
  idleMs(): number {
    return this.#runningCount > 0 ? 0 : performance.now() - this.#touchedAtMs;
  }

  /** Errors: `subscriptionConflict`. */
  async subscribe(topics: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      const legal = topics.filter((topic) => LEGAL_TOPIC.test(topic) && topic !== '.' && topic !== '..');
      this.#illegalTopics = topics.filter((topic) => !legal.includes(topic));
      const membership = this.#state.kind === 'subscribed' ? this.#state.membership : undefined;
      if (topics.length === 0) {
        await this.#commitDelivered(this.#requestLimits());
        await membership?.leave(this.#requestLimits());
        this.#assign([]);
        this.#state = { kind: 'subscribed', topics: [], membership: undefined };
        return;
      }
      membership?.setTopics(legal);
      this.#state = { kind: 'subscribed', topics, membership: membership ?? this.#createMembership(legal) };
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
      const membership = this.#subscribedMembership();
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
      const state = this.#state;
      if (state.kind !== 'subscribed' || state.membership === undefined) {
        if (offsets === undefined || offsets.length === 0) return;
        const alone = this.#createMembership([]);
        await this.#commitWith(alone, () => offsets);
        return;
      }
      await this.#commitWith(state.membership, () => offsets ?? this.#fetcher.positions);
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
      const state = this.#state;
      if (state.kind === 'subscribed' && state.membership !== undefined) {
        const limits = within(LAST_COMMIT_TIMEOUT_MS);
        if (isCommitting) await this.#commitDelivered(limits);
        this.#state = { kind: 'closing' };
        await state.membership.leave(within(LAST_COMMIT_TIMEOUT_MS));
      }
      if (!this.#isFenced) this.#state = { kind: 'closing' };
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

  /** Errors: `notSubscribed`, `consumerNotFound`, once `kafkaRefused` for illegal names. */
  #subscribedMembership(): Membership {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        throw new BridgeError('notSubscribed');
      case 'closing':
      case 'fenced':
        throw new BridgeError('consumerNotFound');
      case 'subscribed':
        break;
      default:
        return assertNever(state);
    }
    if (state.membership === undefined) {
      throw new BridgeError('notSubscribed', {
        message: 'java.lang.IllegalStateException: Consumer is not subscribed to any topics or assigned any partitions',
      });
    }
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
  async #nextRecords(membership: Membership, limits: Limits): Promise<StoredRecord[]> {
    while (true) {
      if (!(await membership.join(limits))) return [];
      if (!(await this.#findPositions(membership, limits))) return [];
      await this.#fetcher.fill(limits);
      if (!membership.isJoined) continue;
      if (this.#fetcher.hasRecords) return this.#fetcher.peek(this.#dependencies.consumers.maxPollRecords);
      if (remainingMs(limits) === 0) return [];
    }
  }

  /** Whether every partition has a position now; the search goes on when the time is over. */
  async #findPositions(membership: Membership, limits: Limits): Promise<boolean> {
    while (this.#fetcher.unpositioned.length > 0) {
      this.#positioning ??= this.#position(membership, this.#requestLimits()).finally(() => {
        this.#positioning = undefined;
      });
      this.#positioning.catch(() => {});
      try {
        await bounded(this.#positioning, limits);
      } catch (error) {
        if (limits.signal?.aborted === true) throw error;
        const known = toBridgeError(error);
        if (known.code === 'kafkaUnavailable') return false;
        throw known;
      }
    }
    return true;
  }

  async #position(membership: Membership, limits: Limits): Promise<void> {
    const { cluster } = this.#dependencies;
    const { resetPolicy, isolationLevel, isAutoCommit } = this.options;
    const assignmentCount = this.#assignmentCount;
    const unpositioned = this.#fetcher.unpositioned;
    await cluster.topics([...new Set(unpositioned.map(({ topic }) => topic))], limits);
    const fromGroup = unpositioned.filter(({ isOutOfRange }) => !isOutOfRange);
    if (fromGroup.length > 0) {
      const committed = await membership.coordinator.committed(fromGroup, limits, {
        isStable: isolationLevel === 'read_committed',
      });
      if (assignmentCount !== this.#assignmentCount) return;
      this.#fetcher.setCommitted(committed);
      this.#fetcher.setPositions(committed);
    }
    const rest = this.#fetcher.unpositioned;
    if (rest.length === 0) return;
    if (resetPolicy === 'none') throw noOffset(rest);
    const found = await listOffsets(cluster, rest, { spec: resetPolicy, isolationLevel, limits });
    if (assignmentCount !== this.#assignmentCount) return;
    this.#fetcher.setPositions(found);
    // Or whoever takes this consumer over would begin at a later end, and skip what came between.
    if (isAutoCommit && resetPolicy === 'latest') await this.#commitDelivered(limits);
  }

  /** Commits what was delivered, if the consumer commits by itself. Never throws: the next time tries again. */
  async #commitDelivered(limits: Limits): Promise<void> {
    if (!this.options.isAutoCommit) return;
    const state = this.#state;
    if (state.kind !== 'subscribed' || state.membership === undefined || !state.membership.isMember) return;
    const offsets = this.#fetcher.uncommitted;
    if (offsets.length === 0) return;
    try {
      const outcome = await state.membership.commit(offsets, limits);
      if (outcome === 'committed') this.#fetcher.setCommitted(offsets);
    } catch {
      // Still uncommitted, and told by nobody: a poll must not fail for it.
    }
  }

  /** Commits for a client. The offsets are read again after a rebalance: partitions may have gone. */
  async #commitWith(membership: Membership, read: () => readonly PartitionOffset[]): Promise<void> {
    const limits = this.#requestLimits();
    while (true) {
      const offsets = read();
      if (offsets.length === 0) return;
      const outcome = await this.#commitOnce(membership, offsets, limits);
      switch (outcome) {
        case 'committed':
          this.#fetcher.setCommitted(offsets);
          return;
        case 'rebalancing':
          if (!(await membership.join(limits))) throw new BridgeError('kafkaUnavailable');
          break;
        case 'notMember':
          throw new BridgeError('commitRefused');
        case 'fenced':
          throw new BridgeError('consumerNotFound');
        default:
          return assertNever(outcome);
      }
    }
  }

  async #commitOnce(membership: Membership, offsets: readonly PartitionOffset[], limits: Limits) {
    const { requestTimeoutMs } = this.options;
    try {
      return await retrying(
        () => membership.commit(offsets, limits),
        limits,
        // A topic may be about to be created; Kafka's clients wait for it too.
        (error) => protocolErrorId(error) === 'UNKNOWN_TOPIC_OR_PARTITION',
      );
    } catch (error) {
      if (protocolErrorId(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw toBridgeError(error);
      const list = offsets.map(
        ({ topic, partition, offset }) =>
          `${topic}-${partition}=OffsetAndMetadata{offset=${offset}, leaderEpoch=null, metadata=''}`,
      );
      throw new BridgeError('kafkaRefused', {
        message: `org.apache.kafka.common.errors.TimeoutException: Timeout of ${requestTimeoutMs}ms expired before successfully committing offsets {${list.join(', ')}}`,
        cause: error,
      });
    }
  }

  #requestLimits(): Limits {
    return within(this.options.requestTimeoutMs);
  }

  #createMembership(topics: readonly string[]): Membership {
    const { cluster, kafka, consumers, heartbeatPauseMs } = this.#dependencies;
    const { group, name } = this.identity;
    const options = {
      clientId: name,
      instanceId: groupInstanceId(this.identity),
      sessionTimeoutMs: kafka.sessionTimeoutMs,
      rebalanceTimeoutMs: kafka.rebalanceTimeoutMs,
      get heartbeatIntervalMs(): number {
        return heartbeatPauseMs();
      },
      requestTimeoutMs: kafka.requestTimeoutMs,
      topicRefreshMs: consumers.topicRefreshMs,
    };
    return new Membership(cluster, group, topics, options, {
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
    this.#assignmentCount += 1;
    this.#fetcher.assign(partitions);
  }

  /** Another bridge has this consumer now: nothing is committed any more. */
  #fence(): void {
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

function noOffset(partitions: readonly TopicPartition[]): BridgeError {
  const list = partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(', ');
  return new BridgeError('kafkaRefused', {
    message: `org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset with no reset policy for partitions: [${list}]`,
  });
}
