/** Combines the produce requests of many clients into few requests to Kafka, in order for each partition. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { isUnauthenticated, javaException, protocolErrorId } from '../kafka/client/failure.ts';
import { backoffMs } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import type { BatchOutcome, ProduceClient } from '../kafka/produce/produce.ts';
import type { ProducerId } from '../kafka/produce/producer-id.ts';
import { type ProduceResult, partitionKey, type RecordToProduce } from '../records.ts';
import { verdictOf } from './batch-verdict.ts';
import { Expiry } from './expiry.ts';
import { FlushSchedule } from './flush-schedule.ts';
import { Lane } from './lane.ts';
import { type Entry, isOpen, OpenRequests } from './open-requests.ts';
import { Partitioner } from './partitioner.ts';
import { ProducerTotals } from './producer-totals.ts';
import { firstRefusal, recordRefusal, refusedRequest, resultOf } from './refusal.ts';
import { TopicLookup } from './topic-lookup.ts';

export interface BatcherOptions {
  maxBlockMs: number;
  deliveryTimeoutMs: number;
  maxRequestBytes: number;
  maxBatchBytes: number;
  maxBatchRecords: number;
  maxQueuedBytes: number;
  /** Whether a broker may create a topic that records are for. Default: true. */
  allowAutoTopicCreation?: boolean;
  /** Default: 0. */
  lingerMs?: number;
  /** For an idempotent producer. */
  producerId?: ProducerId | undefined;
  /** Shared by all producers of a bridge. Default: its own. */
  totals?: ProducerTotals;
  random?: () => number;
}

/** Requests in flight to one broker; records that arrive meanwhile go into the next one. */
const MAX_IN_FLIGHT_PER_BROKER = 1;

/** The offset of a stored batch whose offset the broker no longer knows, as in Kafka's Java clients. */
const UNKNOWN_OFFSET = -1n;

/** The producer of a bridge, or of one client whose identity the bridge uses. */
export class Batcher {
  readonly #cluster: Cluster;
  readonly #client: ProduceClient;
  readonly #options: BatcherOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with records that may be sent now. */
  readonly #ready = new Set<Lane>();
  readonly #inFlightCounts = new Map<number, number>();
  readonly #partitioner: Partitioner;
  readonly #topics: TopicLookup;
  readonly #requests: OpenRequests;
  readonly totals: ProducerTotals;
  readonly #schedule: FlushSchedule;
  readonly #expiry: Expiry;
  readonly #pauses = new Set<NodeJS.Timeout>();
  #isClosed = false;

  constructor(cluster: Cluster, client: ProduceClient, options: BatcherOptions) {
    this.#cluster = cluster;
    this.#client = client;
    this.#options = options;
    this.#partitioner = new Partitioner(options.random ?? Math.random);
    this.#topics = new TopicLookup(cluster, options);
    this.totals = options.totals ?? new ProducerTotals();
    this.#requests = new OpenRequests({
      maxBytes: options.maxQueuedBytes,
      shared: this.totals.open,
      timeoutMs: options.deliveryTimeoutMs,
    });
    this.#schedule = new FlushSchedule({ lingerMs: 0, ...options }, () => this.#flush());
    this.#expiry = new Expiry({
      cluster,
      requests: this.#requests,
      lanes: () => this.#lanes.values(),
      deliveryTimeoutMs: options.deliveryTimeoutMs,
      onEmptied: (lane) => this.#ready.delete(lane),
    });
  }

  /**
   * Stores records of one topic. The results have the order of the records; a failed record is a result, not a rejection.
   * `bodyBytes`: size of the request's body, which the records keep in memory.
   * Errors: `overloaded` when too much is queued, `shuttingDown` after {@link close}.
   */
  send(topic: string, records: readonly RecordToProduce[], bodyBytes = 0): Promise<ProduceResult[]> {
    if (this.#isClosed) throw new BridgeError('shuttingDown');
    const { entries, results } = this.#requests.open(records, bodyBytes);
    if (entries.length === 0) return results;
    const info = this.#topics.known(topic, records);
    if (info === undefined) void this.#enqueueWhenKnown(topic, entries);
    else this.#enqueue(info, entries);
    return results;
  }

  /**
   * Takes records of one topic over: all of them, or none when one cannot be stored. Waits until the topic is known, and
   * not for Kafka to store them; `results` resolves with their outcomes, as for {@link send}.
   * Errors: also those of a refused request.
   */
  async takeOver(
    topic: string,
    records: readonly RecordToProduce[],
    bodyBytes = 0,
  ): Promise<{ results: Promise<ProduceResult[]> }> {
    if (this.#isClosed) throw new BridgeError('shuttingDown');
    const { entries, results } = this.#requests.open(records, bodyBytes);
    if (entries.length === 0) return { results };
    let info = this.#topics.known(topic, records);
    if (info?.isWritable !== true) {
      const answer = await this.#topics.wait(topic);
      if ('refusal' in answer) {
        this.#requests.settleAll(entries, resultOf(answer.refusal));
        throw refusedRequest(answer.refusal);
      }
      info = answer.topic;
    }
    const found = firstRefusal(info, entries, this.#options);
    if (found !== undefined) {
      this.#requests.settleAll(entries, resultOf(found.refusal));
      throw refusedRequest(found.refusal, records.length > 1 ? found.index : undefined);
    }
    this.#enqueue(info, entries);
    return { results };
  }

  /** Bytes that unsettled records keep in memory. */
  get queuedBytes(): number {
    return this.#requests.bytes;
  }

  /** Refuses new records, and resolves when all others have their results. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#schedule.close();
    await this.#requests.untilNone();
    for (const pause of this.#pauses) clearTimeout(pause);
    this.#expiry.close();
  }

  /** Waits once for all records of a request. */
  async #enqueueWhenKnown(topic: string, entries: Entry[]): Promise<void> {
    const answer = await this.#topics.wait(topic);
    if ('topic' in answer) this.#enqueue(answer.topic, entries);
    else this.#requests.settleAll(entries, resultOf(answer.refusal));
  }

  #enqueue(info: TopicInfo, entries: readonly Entry[]): void {
    let bytes = 0;
    let last: Lane | undefined;
    for (const entry of entries) {
      const refusal = recordRefusal(info, entry, this.#options);
      if (refusal !== undefined) {
        this.#requests.settle(entry, resultOf(refusal));
        continue;
      }
      const partition = entry.record.partition ?? this.#partitioner.choose(info, entry.record);
      const lane: Lane = last?.partition === partition ? last : this.#lane(info.name, partition);
      last = lane;
      lane.push(entry);
      bytes += entry.bytes;
      if (lane.isReady) this.#ready.add(lane);
    }
    this.#topics.refreshIfOld(info);
    this.#schedule.onArrival({ bytes, recordCount: entries.length });
    this.#expiry.start();
  }

  #lane(topic: string, partition: number): Lane {
    const key = partitionKey(topic, partition);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane({ topic, partition }, (producerId) => this.#options.producerId?.renew(producerId));
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** After a request: schedules the lanes that are ready. */
  #scheduleWaiting(): void {
    if (!this.#schedule.isLingering) {
      this.#schedule.flushSoon();
      return;
    }
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { firstExpiresAtMs } of this.#ready) oldestMs = Math.min(oldestMs, firstExpiresAtMs ?? oldestMs);
    this.#schedule.onWaiting(oldestMs - this.#options.deliveryTimeoutMs);
  }

  #flush(): void {
    const lanesByNode = new Map<number, Lane[]>();
    for (const lane of this.#ready) {
      const leader = this.#cluster.knownTopic(lane.topic)?.partitions[lane.partition]?.leader ?? -1;
      if (leader < 0) {
        this.#ready.delete(lane);
        this.#pause(lane);
        continue;
      }
      if ((this.#inFlightCounts.get(leader) ?? 0) >= MAX_IN_FLIGHT_PER_BROKER) continue;
      const asking = this.#beginStamps(lane);
      if (asking !== undefined) {
        this.#ready.delete(lane);
        void this.#waitForProducerId(lane, asking);
        continue;
      }
      const lanes = lanesByNode.get(leader);
      if (lanes === undefined) lanesByNode.set(leader, [lane]);
      else lanes.push(lane);
    }
    for (const [nodeId, lanes] of lanesByNode) void this.#sendTo(nodeId, this.#take(lanes));
  }

  /** Gives a lane the producer's id, if it needs one; returns a promise while Kafka is asked for the id. */
  #beginStamps(lane: Lane): Promise<unknown> | undefined {
    const { producerId } = this.#options;
    if (producerId === undefined || !lane.needsProducerId) return undefined;
    const id = producerId.get();
    if (id instanceof Promise) return id;
    if (id !== undefined) lane.beginWith(id);
    return undefined;
  }

  /** Pauses this lane alone: others have their ids. */
  async #waitForProducerId(lane: Lane, asking: Promise<unknown>): Promise<void> {
    lane.isPaused = true;
    try {
      await asking;
    } catch (error) {
      const refusalId = protocolErrorId(error);
      if (refusalId !== undefined) lane.lastRefusal = javaException(refusalId);
      if (!lane.isEmpty) return this.#pause(lane);
    }
    lane.isPaused = false;
    if (!lane.isReady) return;
    this.#ready.add(lane);
    this.#schedule.flushSoon();
  }

  /** Fills a request; lanes that do not fit stay ready. */
  #take(lanes: readonly Lane[]): Lane[] {
    let roomBytes = this.#options.maxBatchBytes;
    let roomCount = this.#options.maxBatchRecords;
    const taken: Lane[] = [];
    for (const lane of lanes) {
      const { count, bytes } = lane.take(Math.min(roomBytes, this.#options.maxRequestBytes), roomCount);
      if (count === 0) continue;
      roomBytes -= bytes;
      this.totals.batchRecords.observe(count);
      this.totals.batchBytes.observe(bytes);
      roomCount -= count;
      this.#ready.delete(lane);
      this.#partitioner.onSent(lane.topic);
      taken.push(lane);
    }
    return taken;
  }

  async #sendTo(nodeId: number, lanes: readonly Lane[]): Promise<void> {
    if (lanes.length === 0) return;
    this.#inFlightCounts.set(nodeId, (this.#inFlightCounts.get(nodeId) ?? 0) + 1);
    const batches = lanes.map((lane) => lane.batch());
    let outcomes: BatchOutcome[] | undefined;
    try {
      outcomes = await this.#client.send(nodeId, batches);
    } catch (error) {
      // Otherwise the broker is gone or silent: every lane sends its batch again.
      if (isUnauthenticated(error)) outcomes = lanes.map(() => refusedCredentials(error));
    }
    this.#inFlightCounts.set(nodeId, (this.#inFlightCounts.get(nodeId) ?? 1) - 1);
    for (const [index, lane] of lanes.entries()) this.#conclude(lane, outcomes?.[index]);
    if (this.#ready.size > 0) this.#scheduleWaiting();
  }

  /** Settles the records of a batch, or puts them back at the front of their lane. */
  #conclude(lane: Lane, outcome: BatchOutcome | undefined): void {
    const entries = lane.land();
    lane.lastRefusal = outcome?.kind === 'refused' ? javaException(outcome.errorId) : undefined;
    const verdict = verdictOf(outcome, lane.topic, entries.length);
    switch (verdict.kind) {
      case 'stored':
        this.#onStored(lane, entries, verdict.baseOffset);
        break;
      case 'sendAgain':
        lane.sendAgain(entries);
        if (!lane.isEmpty) this.#pause(lane);
        break;
      case 'startOver':
        lane.startOver(entries);
        if (!lane.isEmpty) this.#pause(lane);
        break;
      case 'separate':
        this.#separate(lane, entries, verdict.badRecords);
        break;
      case 'refused':
        lane.giveUp();
        this.#requests.settleAll(entries, { errorCode: verdict.errorCode, message: verdict.message });
        break;
      default:
        assertNever(verdict);
    }
    if (lane.isReady) this.#ready.add(lane);
  }

  #onStored(lane: Lane, entries: readonly Entry[], baseOffset: bigint | undefined): void {
    const { partition } = lane;
    lane.advance(entries.length);
    lane.failureCount = 0;
    for (const [index, entry] of entries.entries()) {
      this.totals.storedBytes += entry.bytes;
      const offset = baseOffset === undefined ? UNKNOWN_OFFSET : baseOffset + BigInt(index);
      this.#requests.settle(entry, { partition, offset });
    }
  }

  /** Bad records fail, and the others are sent again; in smaller batches when Kafka does not name the bad ones. */
  #separate(lane: Lane, entries: Entry[], badRecords: ReadonlyMap<number, string>): void {
    const good = entries.filter((entry, index) => {
      const message = badRecords.get(index);
      if (message !== undefined) this.#requests.settle(entry, { errorCode: 500, message });
      return message === undefined;
    });
    if (badRecords.size > 0) lane.putBack(good);
    else lane.putBackHalved(entries);
  }

  /** Pauses a lane, looks its topic up, and resumes it. */
  #pause(lane: Lane): void {
    lane.isPaused = true;
    const pauseMs = backoffMs(lane.failureCount, this.#cluster.backoff);
    lane.failureCount += 1;
    const pause = setTimeout(async () => {
      this.#pauses.delete(pause);
      await this.#topics.refresh(lane.topic, { hasRecords: !lane.isEmpty });
      lane.isPaused = false;
      this.#leaveMissingPartition(lane);
      if (lane.isReady) {
        this.#ready.add(lane);
        this.#schedule.flushSoon();
      }
    }, pauseMs);
    this.#pauses.add(pause);
  }

  /** A recreated topic may have fewer partitions: records go to another one, unless their client chose the partition. */
  #leaveMissingPartition(lane: Lane): void {
    const info = this.#cluster.knownTopic(lane.topic);
    if (info === undefined || lane.partition < info.partitions.length) return;
    this.#enqueue(info, lane.takeAll().filter(isOpen));
  }
}

/** The outcome of a batch that the client's own credentials may not send. */
function refusedCredentials({ message }: BridgeError): BatchOutcome {
  return { kind: 'refused', errorId: 'SASL_AUTHENTICATION_FAILED', message, badRecords: new Map() };
}
