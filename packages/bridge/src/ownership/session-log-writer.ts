/** Appends to the session log: records that wait while a broker has a request go out together in the next. */
import { setTimeout as delay } from 'node:timers/promises';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { isRetriable, kafkaError } from '../kafka/client/kafka-errors.ts';
import { backoffMs, bounded, type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import { type BatchOutcome, ProduceClient } from '../kafka/produce/produce.ts';
import type { RecordToProduce } from '../records.ts';

export type AppendOutcome =
  /** On every replica that is in sync. The offset is that of the first record. */
  | { kind: 'stored'; offset: bigint }
  /** It is not in the log, and never will be. */
  | { kind: 'refused'; error: BridgeError }
  /** It may be in the log, or arrive there later: nothing may be written under the same claim any more. */
  | { kind: 'unknown'; error: BridgeError };

interface Append {
  partition: number;
  records: readonly RecordToProduce[];
  limits: Limits;
  attempt: number;
  /** It shares no batch, because a batch with it was too large. */
  isAlone: boolean;
  resolve: (outcome: AppendOutcome) => void;
}

/** How long the writer waits for a broker. Whether the record is stored, the caller finds out by reading. */
const WRITE_TIMEOUT_MS = 5000;

/**
 * Bytes of one partition in one request. A larger record goes alone, so that a broker that refuses it for its size refuses no
 * other session's.
 */
const MAX_BATCH_BYTES = 524_288;

export class SessionLogWriter {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #client: ProduceClient;
  readonly #busyLeaders = new Set<number>();
  #waiting: Append[] = [];

  constructor(cluster: Cluster, topic: string) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#client = new ProduceClient(cluster, { acks: 'all', timeoutMs: WRITE_TIMEOUT_MS, compression: 'none' });
  }

  /** Records of one session, in order and together. Never throws. */
  append(partition: number, records: readonly RecordToProduce[], limits: Limits): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      this.#enqueue({ partition, records, limits, attempt: 0, isAlone: false, resolve });
    });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #enqueue(append: Append): void {
    this.#waiting.push(append);
    const leader = this.#leaderOf(append);
    // Otherwise it goes out when the leader's request has its answer.
    if (leader === undefined || !this.#busyLeaders.has(leader)) this.#pump();
  }

  /** Sends what waits for a leader that has no request; leaders may have changed since it was queued. */
  #pump(): void {
    this.#refuseLate();
    const byLeader = Map.groupBy(this.#waiting, (append) => this.#leaderOf(append));
    for (const [leader, appends] of byLeader) {
      if (leader !== undefined && this.#busyLeaders.has(leader)) continue;
      const fitting = leader === undefined ? appends : inOneRequest(appends);
      const sent = new Set(fitting);
      this.#waiting = this.#waiting.filter((append) => !sent.has(append));
      if (leader !== undefined) void this.#send(leader, fitting);
      else for (const append of appends) void this.#tryAgain(append, new BridgeError('kafkaUnavailable'));
    }
  }

  /** Refuses what waited beyond its limits, here or in a stopped process: its caller has given up by now. */
  #refuseLate(): void {
    const isLate = ({ limits }: Append): boolean => remainingMs(limits) === 0;
    const late = this.#waiting.filter(isLate);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((append) => !isLate(append));
    for (const { resolve } of late) resolve({ kind: 'refused', error: new BridgeError('kafkaUnavailable') });
  }

  #leaderOf({ partition }: Append): number | undefined {
    const leader = this.#cluster.knownTopic(this.#topic)?.partitions[partition]?.leader;
    return leader === undefined || leader < 0 ? undefined : leader;
  }

  async #send(leader: number, appends: readonly Append[]): Promise<void> {
    this.#busyLeaders.add(leader);
    const byPartition = [...Map.groupBy(appends, ({ partition }) => partition)];
    const batches = byPartition.map(([partition, entries]) => ({
      topic: this.#topic,
      partition,
      records: entries.flatMap(({ records }) => records),
    }));
    try {
      const outcomes = await bounded(this.#client.send(leader, batches), within(WRITE_TIMEOUT_MS));
      byPartition.forEach(([, entries], index) => {
        this.#settle(entries, outcomes[index]);
      });
    } catch (error) {
      for (const { resolve } of appends) resolve({ kind: 'unknown', error: toBridgeError(error) });
      this.#refresh(within(WRITE_TIMEOUT_MS)).catch(() => {});
    }
    this.#busyLeaders.delete(leader);
    this.#pump();
  }

  #settle(appends: readonly Append[], outcome: BatchOutcome | undefined): void {
    if (outcome?.kind === 'stored') {
      let offset = outcome.baseOffset;
      for (const { records, resolve } of appends) {
        resolve({ kind: 'stored', offset });
        offset += BigInt(records.length);
      }
      return;
    }
    const { errorId = 'UNKNOWN_SERVER_ERROR', message = '' } = outcome ?? {};
    if (kafkaError(errorId).remedy === 'fewerRecords' && appends.length > 1) {
      // One of them is too large, the others are not: each goes again by itself, before those that came since.
      this.#waiting = [...appends.map((append) => ({ ...append, isAlone: true })), ...this.#waiting];
      return;
    }
    for (const append of appends) {
      const error = new BridgeError('kafkaRefused', { message: `The session log refused a record: ${message}` });
      if (kafkaError(errorId).stored !== undefined) append.resolve({ kind: 'unknown', error });
      else if (isRetriable(errorId)) void this.#tryAgain(append, error);
      else append.resolve({ kind: 'refused', error });
    }
  }

  async #tryAgain(append: Append, error: BridgeError): Promise<void> {
    const { limits, attempt, resolve } = append;
    const pauseMs = backoffMs(attempt, this.#cluster.backoff);
    if (remainingMs(limits) <= pauseMs || limits.signal?.aborted === true) {
      resolve({ kind: 'refused', error: toBridgeError(error) });
      return;
    }
    await delay(pauseMs);
    await this.#refresh(limits).catch(() => {});
    this.#enqueue({ ...append, attempt: attempt + 1 });
  }

  async #refresh(limits: Limits): Promise<void> {
    await this.#cluster.topics([this.#topic], limits, { maxAgeMs: 0 });
  }
}

/** The first of each partition, as many as one batch may have; in their order. */
function inOneRequest(appends: readonly Append[]): Append[] {
  const bytesByPartition = new Map<number, number>();
  return appends.filter(({ partition, records, isAlone }) => {
    const before = bytesByPartition.get(partition) ?? 0;
    let bytes = before;
    for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
    const isFitting = before === 0 || (bytes <= MAX_BATCH_BYTES && !isAlone);
    // Later ones must not overtake it.
    bytesByPartition.set(partition, isFitting && !isAlone ? bytes : Number.POSITIVE_INFINITY);
    return isFitting;
  });
}
