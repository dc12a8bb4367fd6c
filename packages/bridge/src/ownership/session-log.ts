/**
 * The session log: every session's claims, in a compacted topic that all bridges read and write.
 *
 * A record's key is `[group, name, epoch, claim id]` and its partition follows from group and name. So all claims of a
 * session are in one order, and no record overwrites another claim's: compaction leaves the newest record of each claim,
 * a write that arrives late can only repeat a claim that lost, and `supersedes` gives the same owner whatever has been
 * compacted. Whoever wins removes the keys of the claims that it dominates. A session that is over keeps the record that
 * says so for {@link DELETED_RETENTION_MS}, and for {@link MIN_DELETED_RETENTION_MS} while there are more than
 * {@link MAX_DELETED}; it is removed together with, and after, everything that it dominates.
 */
import { elapsedMs, type Instant, NEVER, readClocks } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import { partitionForKey } from '../kafka/produce/produce.ts';
import type { StoredRecord } from '../records.ts';
import {
  type Claim,
  type EntryValue,
  encodeKey,
  encodeValue,
  entryRefusal,
  isCarriedOver,
  type LoggedEntry,
  partitioningKey,
  type Question,
  sessionKey,
} from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import { SessionIndex } from './session-index.ts';
import { SessionLogRenewal } from './session-log-renewal.ts';
import { SessionLogTail } from './session-log-tail.ts';
import { type AppendOutcome, SessionLogWriter } from './session-log-writer.ts';
import { ensureSessionTopic, SESSION_PARTITION_COUNT } from './session-topic.ts';
import { SESSION_TOPIC } from './session-topic-name.ts';

/** For how long the log remembers that a session is over: far longer than any write is on its way. */
export const DELETED_RETENTION_MS = 3_600_000;
/** How many such sessions it remembers; the oldest go first. Some megabytes of memory in every bridge. */
export const MAX_DELETED = 8192;
/**
 * However many there are: longer than a write of a claim can be late. Of what waits to be written nothing is sent after its
 * limits, and whoever has not read the log lately reads it before it writes of a claim that it had.
 */
export const MIN_DELETED_RETENTION_MS = 60_000;
/** With more of them no consumer is created: clients do nothing but create and delete. */
export const MOST_DELETED = 131_072;

/** By then, most of a region's consumers that come at once are here. */
const TIDYING_DELAY_MS = 1000;

/** Of how many questions the quickest says how far Kafka is: others met a busy moment. */
const ANSWERS_KEPT = 8;

/** Learns what the log says, once it was read to its end for the first time. */
export interface SessionLogFollower {
  /** The session has another current claim, or that says something else. */
  onChanged?(identity: SessionIdentity): void;
  /** A bridge wrote this entry, and it is the current claim's. */
  onWritten?(entry: LoggedEntry): void;
  /** Another bridge asks whether the owner of this session lives. */
  onAsked?(identity: SessionIdentity): void;
  /** The owner of a superseded claim gave the session up. */
  onHandedOver?(identity: SessionIdentity): void;
  /** The log has a record that bridges of this version cannot read, and skip. */
  onUnreadable?(place: { partition: number; offset: bigint }): void;
  /** The log was deleted and recreated, or lost records: owners write the entries of their sessions again. Never rejects. */
  onRecreated?(): Promise<void>;
}

export interface SessionLogOptions {
  requestTimeoutMs: number;
  /** How long a log that was made anew confirms nothing after that: longer than any lease. Default: 0. */
  settleMs?: number;
  /** It cannot be read, for this reason; `undefined` when it can again. */
  onTrouble?: (reason: string | undefined) => void;
  /** Default: {@link SESSION_TOPIC}. For tests. */
  topic?: string;
}

/** Which sessions that are over are to be forgotten. */
export interface Forgetting {
  isOld: (entry: LoggedEntry) => boolean;
  isOldEnough: (entry: LoggedEntry) => boolean;
  maxCount: number;
}

const NEVER_REACHED: readonly bigint[] = new Array<bigint>(SESSION_PARTITION_COUNT).fill(2n ** 63n);

interface Partition {
  index: SessionIndex;
  /** What is read from the beginning, to replace `index` once it is complete. */
  next: SessionIndex | undefined;
  confirmedAt: Instant;
}

interface Waiter {
  ends: readonly bigint[];
  resolve: () => void;
}

export class SessionLog {
  readonly #cluster: Cluster;
  readonly #options: SessionLogOptions;
  readonly #topic: string;
  #follower: SessionLogFollower = {};
  readonly #tail: SessionLogTail;
  readonly #writer: SessionLogWriter;
  readonly #renewal: SessionLogRenewal;
  readonly #partitions: Partition[] = Array.from({ length: SESSION_PARTITION_COUNT }, () => ({
    index: new SessionIndex(),
    next: new SessionIndex(),
    confirmedAt: NEVER,
  }));
  readonly #waiters = new Set<Waiter>();
  #trouble: string | undefined = 'the session log was not read yet';
  #troubleSinceMs = Number.NEGATIVE_INFINITY;
  #readableSinceMs = Number.POSITIVE_INFINITY;
  /** The topic cannot be used as it is: whoever asks has the reason at once. */
  #isRefused = false;
  /** A question for the log's end that is on its way, and the one that all who came since then share. */
  #asking: Promise<void> | undefined;
  #askingNext: Promise<void> | undefined;
  /** Sessions of which records are left that no longer count, by {@link sessionKey}. */
  readonly #untidy = new Map<string, SessionIdentity>();
  #tidying: NodeJS.Timeout | undefined;
  /** What the last questions took. */
  readonly #answerMs: number[] = [];

  constructor(cluster: Cluster, options: SessionLogOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#topic = options.topic ?? SESSION_TOPIC;
    this.#writer = new SessionLogWriter(cluster, this.#topic);
    this.#renewal = new SessionLogRenewal(async () => await this.#follower.onRecreated?.(), {
      settleMs: options.settleMs ?? 0,
    });
    const findTopic = (end: AbortSignal) =>
      ensureSessionTopic(cluster, {
        topic: this.#topic,
        partitionCount: SESSION_PARTITION_COUNT,
        limits: within(options.requestTimeoutMs, end),
      });
    this.#tail = new SessionLogTail(cluster, this.#topic, findTopic, {
      onRestart: (partition) => this.#restart(partition),
      onMadeAnew: (partition) => this.#beginAnew(partition),
      onRecord: (record) => this.#apply(record),
      onEndReached: (partition, askedAt) => this.#endReached(partition, askedAt),
      onTrouble: (reason, { isRefused }) => {
        this.#isRefused = isRefused;
        if (reason !== this.#trouble) options.onTrouble?.(reason);
        if (this.#trouble === undefined && reason !== undefined) this.#troubleSinceMs = performance.now();
        if (this.#trouble !== undefined && reason === undefined) this.#readableSinceMs = performance.now();
        this.#trouble = reason;
      },
    });
  }

  /** To be called before {@link start}. */
  follow(follower: SessionLogFollower): void {
    this.#follower = follower;
  }

  /** Begins to read; Kafka may come later. */
  start(): void {
    this.#tail.start();
  }

  async close(): Promise<void> {
    clearTimeout(this.#tidying);
    this.#renewal.close();
    await this.#tail.close();
    await this.#writer.close();
  }

  /** Whether everything that was there at the start was read. */
  get isLoaded(): boolean {
    return this.#partitions.every(({ next }) => next === undefined);
  }

  /** Whether only a log before this one had the session, and the time to write it again is over. */
  isLost(identity: SessionIdentity): boolean {
    if (!this.#renewal.isOver) return false;
    const entry = this.get(identity);
    return entry !== undefined && isCarriedOver(entry);
  }

  /** Why it is not usable; `undefined` when it is. */
  get unreadyReason(): string | undefined {
    if (this.#trouble !== undefined) return this.#trouble;
    if (this.#renewal.isRunning) return 'the session log was made anew, and bridges write their consumers again';
    return this.isLoaded ? undefined : 'the session log is being read';
  }

  /** The same, but for trouble that began less than `graceMs` ago: a leader that moves is no reason to send clients away. */
  lastingUnreadyReason(graceMs: number): string | undefined {
    if (this.isLoaded && performance.now() - this.#troubleSinceMs < graceMs) return undefined;
    return this.unreadyReason;
  }

  /**
   * Since when it has been read without a break, by `performance.now()`: `Infinity` while it cannot be read. That an owner
   * wrote nothing before says nothing about the owner.
   */
  get readableSinceMs(): number {
    return this.unreadyReason === undefined ? this.#readableSinceMs : Number.POSITIVE_INFINITY;
  }

  /** The claim that counts, as far as the log was read. */
  get(identity: SessionIdentity): LoggedEntry | undefined {
    return this.#partitionOf(identity).index.get(identity);
  }

  /** What the owner of a claim that was superseded left, if that was in order. */
  handedOver(identity: SessionIdentity, claim: Claim): LoggedEntry | undefined {
    return this.#partitionOf(identity).index.handedOver(identity, claim);
  }

  *entries(): IterableIterator<LoggedEntry> {
    for (const { index } of this.#partitions) yield* index.entries();
  }

  /** Sessions that are not over. */
  get sessionCount(): number {
    let count = 0;
    for (const { value } of this.entries()) if (value.state !== 'deleted') count += 1;
    return count;
  }

  /** Sessions that are over, and not forgotten. */
  get deletedCount(): number {
    return this.#partitions.reduce((count, { index }) => count + index.overCount, 0);
  }

  /** Those that are to be forgotten: `isOld`, or `isOldEnough` and beyond `maxCount` in all; the oldest first. */
  *forgettable({ isOld, isOldEnough, maxCount }: Forgetting): IterableIterator<LoggedEntry> {
    const mostInPartition = Math.floor(maxCount / this.#partitions.length);
    for (const { index } of this.#partitions) {
      let surplus = index.overCount - mostInPartition;
      for (const entry of index.over()) {
        if (!isOld(entry) && (surplus <= 0 || !isOldEnough(entry))) break;
        surplus -= 1;
        yield entry;
      }
    }
  }

  /** How many claims of a session are in the log that no longer count. */
  dominatedCount(identity: SessionIdentity): number {
    return this.#partitionOf(identity).index.dominated(identity).length;
  }

  /** When Kafka was asked for all that {@link get} says of a session: it said the same at that moment. */
  confirmedAt(identity: SessionIdentity): Instant {
    return this.#partitionOf(identity).confirmedAt;
  }

  /**
   * Reads everything that is in the log at this moment. Calls share their questions to Kafka, but none that was asked
   * before they came. Errors: `kafkaUnavailable`, `kafkaRefused` for a topic that cannot be used.
   */
  async readToEnd(limits: Limits): Promise<void> {
    if (this.#isRefused) throw this.#explained(undefined);
    if (this.#asking === undefined) {
      await this.#inTime(this.#ask(), limits);
      return;
    }
    this.#askingNext ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#askingNext = undefined;
        return this.#ask();
      });
    this.#askingNext.catch(() => {});
    await this.#inTime(this.#askingNext, limits);
  }

  /** For a caller that may have less time than the question. */
  async #inTime(asking: Promise<void>, limits: Limits): Promise<void> {
    try {
      await bounded(asking, limits);
    } catch (error) {
      throw error instanceof BridgeError ? this.#explained(error) : error;
    }
  }

  /**
   * Reads up to a record that was stored here, and not beyond. That tells as much as a question for the log's end when it
   * was sent: whatever was there then is before it. Errors: as {@link readToEnd}.
   */
  async readTo(
    identity: SessionIdentity,
    { offset, sentAt }: { offset: bigint; sentAt: Instant },
    limits: Limits,
  ): Promise<void> {
    const number = partitionNumberOf(identity);
    if (this.#renewal.isRunning || this.#renewal.hasBegunSince(sentAt.monotonicMs)) return await this.readToEnd(limits);
    const ends = this.#partitions.map((_, other) => (other === number ? offset + 1n : 0n));
    await this.#readUpTo(ends, limits);
    if (this.#renewal.hasBegunSince(sentAt.monotonicMs)) await this.readToEnd(limits);
    else confirm(this.#partitionOf(identity), sentAt);
  }

  /** How long Kafka's answers take when nothing is in their way, in milliseconds; 0 before there was one. */
  get answerMs(): number {
    return this.#answerMs.length === 0 ? 0 : Math.min(...this.#answerMs);
  }

  /** {@link readToEnd} for whoever is content with a question that is on its way. Errors: as that. */
  readAhead(): Promise<void> {
    return this.#asking ?? this.#ask();
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

  /** Removes the records that the claim that counts dominates, if there are any. Never throws: others do it, or the next. */
  async removeDominated(identity: SessionIdentity, limits: Limits): Promise<void> {
    const keys = this.#partitionOf(identity).index.dominated(identity);
    if (keys.length === 0) return;
    await this.#append(identity, keys.map(tombstone), limits);
  }

  /** {@link removeDominated} in a while, with what else there is then: claims do not wait behind it. Forgotten at the end. */
  removeDominatedLater(identity: SessionIdentity): void {
    this.#untidy.set(sessionKey(identity), identity);
    this.#tidying ??= setTimeout(() => this.#tidy(), TIDYING_DELAY_MS).unref();
  }

  #tidy(): void {
    const untidy = [...this.#untidy.values()];
    this.#untidy.clear();
    this.#tidying = undefined;
    for (const identity of untidy) void this.removeDominated(identity, within(this.#options.requestTimeoutMs));
  }

  /** Removes the last word on a session that is over, and before it whatever else there is of it. */
  async forget({ identity, epoch, id }: LoggedEntry, limits: Limits): Promise<void> {
    const keys = [...this.#partitionOf(identity).index.dominated(identity), encodeKey(identity, { epoch, id })];
    await this.#append(identity, keys.map(tombstone), limits);
  }

  #append(
    identity: SessionIdentity,
    records: readonly { key: Buffer; value: Buffer | null }[],
    limits: Limits,
  ): Promise<AppendOutcome> {
    const full = records.map((record) => ({
      ...record,
      headers: undefined,
      partition: undefined,
      timestampMs: undefined,
    }));
    return this.#writer.append(partitionNumberOf(identity), full, limits);
  }

  #ask(): Promise<void> {
    const asking = this.#askAndRead().finally(() => {
      if (this.#asking === asking) this.#asking = undefined;
    });
    asking.catch(() => {});
    this.#asking = asking;
    return asking;
  }

  async #askAndRead(): Promise<void> {
    const limits = within(this.#options.requestTimeoutMs);
    while (true) {
      try {
        await this.#renewal.untilSettled(limits);
      } catch (error) {
        throw this.#explained(error);
      }
      const askedAt = readClocks();
      if (await this.#askOnce(askedAt, limits)) return;
    }
  }

  /** Whether the log is still the one that was asked for its end. */
  async #askOnce(askedAt: Instant, limits: Limits): Promise<boolean> {
    const partitions = this.#partitions.map((_, partition) => ({ topic: this.#topic, partition }));
    const ends = new Array<bigint>(partitions.length).fill(0n);
    const positions = partitions.map(({ partition }) => this.#tail.position(partition));
    try {
      const found = await listOffsets(this.#cluster, partitions, {
        spec: 'latest',
        isolationLevel: 'read_uncommitted',
        limits,
      });
      for (const { partition, offset } of found) ends[partition] = offset;
    } catch (error) {
      throw this.#explained(error);
    }
    if (this.#renewal.hasBegunSince(askedAt.monotonicMs)) return false;
    // Offsets that begin anew are those of another log: the tail finds that out, and waiters go on with it.
    const isAnother = ends.some((end, number) => end < (positions[number] ?? 0n));
    await this.#readUpTo(isAnother ? NEVER_REACHED : ends, limits);
    if (this.#renewal.hasBegunSince(askedAt.monotonicMs)) return false;
    this.#answerMs.push(elapsedMs(askedAt, readClocks()));
    if (this.#answerMs.length > ANSWERS_KEPT) this.#answerMs.shift();
    for (const partition of this.#partitions) confirm(partition, askedAt);
    return true;
  }

  /** Until every partition was read up to there, or the log is another. Errors: as {@link readToEnd}. */
  async #readUpTo(ends: readonly bigint[], limits: Limits): Promise<void> {
    let waiter: Waiter | undefined;
    const reached = new Promise<void>((resolve) => {
      waiter = { ends, resolve };
      this.#waiters.add(waiter);
      this.#wake();
    });
    try {
      await bounded(reached, limits);
    } catch (error) {
      throw this.#explained(error);
    } finally {
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }

  /** With the reason for which the log cannot be read now, if there is one. */
  #explained(error: unknown): BridgeError {
    const reason = this.unreadyReason;
    if (reason === undefined) return toBridgeError(error);
    return new BridgeError('kafkaUnavailable', { message: reason, cause: error });
  }

  #wake(): void {
    for (const waiter of this.#waiters) {
      const isReached = waiter.ends.every(
        (end, number) => this.#partitions[number]?.next === undefined && this.#tail.position(number) >= end,
      );
      if (!isReached) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  #restart(number: number): void {
    const partition = this.#partitions[number];
    if (partition !== undefined) partition.next = new SessionIndex();
  }

  /** What the old partition said counts on where the new one says nothing. */
  #beginAnew(number: number): void {
    const partition = this.#partitions[number];
    // Never read to its end: nobody relied on it.
    if (partition === undefined || partition.confirmedAt === NEVER) {
      this.#restart(number);
      return;
    }
    partition.index = SessionIndex.carryingOver(partition.index);
    partition.next = undefined;
    this.#renewal.begin(number);
    // They wait for offsets of the old log.
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
  }

  #apply(record: StoredRecord): void {
    const partition = this.#partitions[record.partition];
    if (partition === undefined) return;
    const applied = (partition.next ?? partition.index).apply(record, performance.now());
    const follower = this.#follower;
    if (applied.kind === 'unreadable') follower.onUnreadable?.({ partition: record.partition, offset: record.offset });
    if (applied.kind === 'changed' && partition.next === undefined) {
      const entry = partition.index.get(applied.identity);
      if (entry !== undefined) follower.onWritten?.(entry);
      follower.onChanged?.(applied.identity);
    }
    if (applied.kind === 'asked' && partition.next === undefined) follower.onAsked?.(applied.identity);
    if (applied.kind === 'handedOver' && partition.next === undefined) follower.onHandedOver?.(applied.identity);
  }

  #endReached(number: number, askedAt: Instant): void {
    const partition = this.#partitions[number];
    if (partition === undefined) return;
    if (!this.#renewal.isRunning) confirm(partition, askedAt);
    const { index, next } = partition;
    if (next !== undefined) {
      partition.index = next;
      partition.next = undefined;
      for (const { identity } of [...index.entries(), ...next.entries()]) this.#follower.onChanged?.(identity);
    }
    this.#renewal.onRead(number);
    this.#wake();
  }

  #partitionOf(identity: SessionIdentity): Partition {
    const partition = this.#partitions[partitionNumberOf(identity)];
    if (partition === undefined) throw new TypeError('no such partition');
    return partition;
  }
}

function confirm(partition: Partition, askedAt: Instant): void {
  if (askedAt.monotonicMs > partition.confirmedAt.monotonicMs) partition.confirmedAt = askedAt;
}

function partitionNumberOf(identity: SessionIdentity): number {
  return partitionForKey(partitioningKey(identity), SESSION_PARTITION_COUNT);
}

function tombstone(key: Buffer): { key: Buffer; value: null } {
  return { key, value: null };
}
