/**
 * The session log: every session's claims, in a compacted topic that all bridges read and write.
 *
 * A record's key is `[group, name, epoch, claim id]` and its partition follows from group and name. So all claims of a
 * session are in one order, and no record overwrites another claim's: compaction leaves the newest record of each claim,
 * a write that arrives late can only repeat a claim that lost, and `supersedes` gives the same owner whatever has been
 * compacted. The bridge whose claim wins removes the records of the claims that it dominates. A deleted session keeps the
 * record that says so for a while (`forgetting.ts`); it is removed together with, and after, everything that it dominates.
 */
import type { Instant } from '../clock.ts';
import type { ClusterGate } from '../cluster-gate.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import { TopicTail } from '../kafka/fetch/topic-tail.ts';
import { type Forgetting, forgettableIn } from './forgetting.ts';
import {
  type Claim,
  type EntryValue,
  encodeKey,
  encodeValue,
  entryRefusal,
  isCarriedOver,
  type LoggedEntry,
  type Question,
} from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import { SessionLogEnds } from './session-log-ends.ts';
import { SessionLogHealth } from './session-log-health.ts';
import { partitionNumberOf, type SessionLogFollower, SessionLogPartitions } from './session-log-partitions.ts';
import { SessionLogRenewal } from './session-log-renewal.ts';
import { SessionLogTidying } from './session-log-tidying.ts';
import { type AppendOutcome, SessionLogWriter } from './session-log-writer.ts';
import { DELETE_RETENTION_MS, ensureSessionTopic, SESSION_PARTITION_COUNT } from './session-topic.ts';
import { SESSION_TOPIC } from './session-topic-name.ts';

export interface SessionLogOptions {
  requestTimeoutMs: number;
  /**
   * How long a recreated log confirms nothing after the owners have written their entries again: longer than any lease.
   * Default: 0.
   */
  settleMs?: number;
  /** The log cannot be read, for this reason; `undefined` when it can again. */
  onTrouble?: (reason: string | undefined) => void;
  /** Nothing is written while the cluster is not active; `undefined` while there is one cluster. */
  gate?: ClusterGate | undefined;
  /** Default: {@link SESSION_TOPIC}. For tests. */
  topic?: string;
}

export class SessionLog {
  readonly #partitions = new SessionLogPartitions();
  readonly #health: SessionLogHealth;
  readonly #renewal: SessionLogRenewal;
  readonly #tail: TopicTail;
  readonly #ends: SessionLogEnds;
  readonly #writer: SessionLogWriter;
  readonly #tidying: SessionLogTidying;
  readonly #gate: ClusterGate | undefined;

  constructor(cluster: Cluster, options: SessionLogOptions) {
    const { requestTimeoutMs, topic = SESSION_TOPIC, settleMs = 0 } = options;
    const partitions = this.#partitions;
    this.#gate = options.gate;
    this.#health = new SessionLogHealth(options.onTrouble);
    this.#writer = new SessionLogWriter(cluster, topic);
    this.#renewal = new SessionLogRenewal(async () => await partitions.follower.onRecreated?.(), { settleMs });
    const findTopic = (end: AbortSignal) =>
      ensureSessionTopic(cluster, {
        topic,
        partitionCount: SESSION_PARTITION_COUNT,
        limits: within(requestTimeoutMs, end),
      });
    const tailed = { topic, findTopic, longestAbsenceMs: DELETE_RETENTION_MS / 2 };
    this.#tail = new TopicTail(cluster, tailed, {
      onRestart: (partition) => partitions.restart(partition),
      onRecreated: (partition) => this.#recreate(partition),
      onRecord: (record) => partitions.apply(record),
      onEndReached: (partition, askedAt) => this.#endReached(partition, askedAt),
      onTrouble: (reason, kind) => this.#health.note(reason, kind),
    });
    this.#ends = new SessionLogEnds({
      cluster,
      topic,
      partitions,
      renewal: this.#renewal,
      requestTimeoutMs,
      position: (partition) => this.#tail.position(partition),
      explained: (error) => this.#explained(error),
    });
    const remove = (identity: SessionIdentity, keys: readonly Buffer[], limits: Limits) =>
      this.#append(
        identity,
        keys.map((key) => ({ key, value: null })),
        limits,
      );
    this.#tidying = new SessionLogTidying(partitions, remove, { requestTimeoutMs });
  }

  /** To be called before {@link start}. */
  follow(follower: SessionLogFollower): void {
    this.#partitions.follower = follower;
  }

  /** Begins to read; Kafka may come later. */
  start(): void {
    this.#tail.start();
  }

  async close(): Promise<void> {
    this.#tidying.close();
    this.#renewal.close();
    await this.#tail.close();
    await this.#writer.close();
  }

  /** Whether everything that was there at the start was read. */
  get isLoaded(): boolean {
    return this.#partitions.isLoaded;
  }

  /** Whether only a log before this one had the session, and the time to write it again is over. */
  isLost(identity: SessionIdentity): boolean {
    if (!this.#renewal.isOver) return false;
    const entry = this.get(identity);
    return entry !== undefined && isCarriedOver(entry);
  }

  /** Why it is not usable; `undefined` when it is. */
  get unreadyReason(): string | undefined {
    if (this.#health.trouble !== undefined) return this.#health.trouble;
    if (this.#renewal.isRunning) return 'the session log was recreated, and bridges write their consumers again';
    return this.#partitions.isLoaded ? undefined : 'the session log is being read';
  }

  /** The same, except for trouble that began less than `graceMs` ago: a leader that moves is no reason to send clients away. */
  lastingUnreadyReason(graceMs: number): string | undefined {
    if (this.#partitions.isLoaded && performance.now() - this.#health.troubleSinceMs < graceMs) return undefined;
    return this.unreadyReason;
  }

  /**
   * Since when the log has been read without a break, by `performance.now()`; `Infinity` while it cannot be read. That an
   * owner wrote nothing before proves nothing about the owner.
   */
  get readableSinceMs(): number {
    return this.unreadyReason === undefined ? this.#health.readableSinceMs : Number.POSITIVE_INFINITY;
  }

  /** The entry of the current claim, as far as the log was read. */
  get(identity: SessionIdentity): LoggedEntry | undefined {
    return this.#partitions.indexOf(identity).get(identity);
  }

  /** What the owner of a superseded claim wrote when it gave the session up. */
  handedOver(identity: SessionIdentity, claim: Claim): LoggedEntry | undefined {
    return this.#partitions.indexOf(identity).handedOver(identity, claim);
  }

  *entries(): IterableIterator<LoggedEntry> {
    for (const index of this.#partitions.indexes()) yield* index.entries();
  }

  /** Sessions that are not deleted. */
  get sessionCount(): number {
    let count = 0;
    for (const { value } of this.entries()) if (value.state !== 'deleted') count += 1;
    return count;
  }

  /** Sessions of a principal that are not deleted, as far as the log was read. */
  sessionCountOf(principal: string): number {
    return this.#partitions.indexes().reduce((count, index) => count + index.countOf(principal), 0);
  }

  /** Sessions that are deleted, and not forgotten. */
  get deletedCount(): number {
    return this.#partitions.indexes().reduce((count, { deletedCount }) => count + deletedCount, 0);
  }

  /** The deleted sessions that are to be forgotten. */
  forgettable(forgetting: Forgetting): IterableIterator<LoggedEntry> {
    return forgettableIn(this.#partitions.indexes(), forgetting);
  }

  /** How many claims of a session are in the log that no longer count. */
  dominatedCount(identity: SessionIdentity): number {
    return this.#partitions.indexOf(identity).dominated(identity).length;
  }

  /** When Kafka was asked for all that {@link get} says of a session: it said the same at that moment. */
  confirmedAt(identity: SessionIdentity): Instant {
    return this.#partitions.confirmedAt(identity);
  }

  /**
   * Reads everything that is in the log at this moment. Calls share their questions to Kafka, but none that was asked
   * before they came. Errors: `kafkaUnavailable`, at once for a topic that cannot be used.
   */
  async readToEnd(limits: Limits): Promise<void> {
    if (this.#health.isRefused) throw this.#explained(undefined);
    await this.#ends.readToEnd(limits);
  }

  /** Reads up to a record that was stored here, and not beyond. Errors: as {@link readToEnd}. */
  async readTo(identity: SessionIdentity, record: { offset: bigint; sentAt: Instant }, limits: Limits): Promise<void> {
    await this.#ends.readTo(partitionNumberOf(identity), record, limits);
  }

  /** {@link readToEnd} for a caller whom a question on its way serves as well. Errors: as that. */
  readAhead(): Promise<void> {
    return this.#ends.readAhead();
  }

  /** How long Kafka's answers take when nothing is in their way, in milliseconds; 0 before the first. */
  get answerMs(): number {
    return this.#ends.answerMs;
  }

  /** Writes a claim's record. Never throws. After `unknown`, nothing more may be written under this claim. */
  async append(
    identity: SessionIdentity,
    claim: Claim,
    value: EntryValue | Question,
    limits: Limits,
  ): Promise<AppendOutcome> {
    const record = { key: encodeKey(identity, claim), value: encodeValue(value) };
    const error = entryRefusal(record.key.length + record.value.length);
    return error === undefined ? await this.#append(identity, [record], limits) : { kind: 'refused', error };
  }

  /** Removes the records that the current claim dominates, in a while. */
  removeDominatedLater(identity: SessionIdentity): void {
    this.#tidying.removeDominatedLater(identity);
  }

  /** The same, now. Never throws. */
  async removeDominated(identity: SessionIdentity, limits: Limits): Promise<void> {
    await this.#tidying.removeDominated(identity, limits);
  }

  /** Removes all records of a deleted session. Never throws. */
  async forget(entry: LoggedEntry, limits: Limits): Promise<void> {
    await this.#tidying.forget(entry, limits);
  }

  #append(
    identity: SessionIdentity,
    records: readonly { key: Buffer; value: Buffer | null }[],
    limits: Limits,
  ): Promise<AppendOutcome> {
    if (this.#gate?.isWritable === false) {
      return Promise.resolve({ kind: 'refused', error: this.#gate.refusal() ?? new BridgeError('kafkaUnavailable') });
    }
    const full = records.map(({ key, value }) => ({
      key,
      value,
      headers: undefined,
      partition: undefined,
      timestampMs: undefined,
    }));
    return this.#writer.append(partitionNumberOf(identity), full, limits);
  }

  /** With the reason for which the log cannot be read now, if there is one. */
  #explained(error: unknown): BridgeError {
    const reason = this.unreadyReason;
    if (reason === undefined) return toBridgeError(error);
    return new BridgeError('kafkaUnavailable', { message: reason, cause: error });
  }

  #recreate(number: number): void {
    if (!this.#partitions.recreate(number)) return;
    this.#renewal.begin(number);
    this.#ends.wakeAll();
  }

  #endReached(number: number, askedAt: Instant): void {
    if (!this.#renewal.isRunning) this.#partitions.confirm(number, askedAt);
    this.#partitions.complete(number);
    this.#renewal.onRead(number);
    this.#ends.wake();
  }
}
