/** Requests with an idempotency key: executed once in the whole system, however often they are repeated (docs/exactly-once.md). */
import { keyIdentity, slotOf } from '@causeway/protocol/idempotency.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import { ProduceClient } from '../kafka/produce/produce.ts';
import { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import type { OpenBytes } from '../producer/open-requests.ts';
import { addedBytes, serializedBytes } from '../producer/record-size.ts';
import { resultOf } from '../producer/refusal.ts';
import { TopicLookup } from '../producer/topic-lookup.ts';
import type { RecordToProduce } from '../records.ts';
import { AnswerLog } from './answer-log.ts';
import { type Answer, encodeIdentity } from './answers.ts';
import { laneId } from './claims.ts';
import { IdempotencyTotals } from './idempotency-totals.ts';
import { type AnswerPlace, hashKey, type KeyHash } from './key-shard.ts';
import type { InSlices, KeyedOutcome, KeyedRequest } from './keyed-request.ts';
import { Lane, type LaneLog } from './lane.ts';
import type { ResultRun } from './result-runs.ts';
import { decideKey, decideKeyed, type KeyedQuestion } from './rules.ts';
import { SlotLog } from './slot-log.ts';
import { ALIVE_MS, Slots, TRANSACTION_TIMEOUT_MS } from './slots.ts';
import { SLOT_TOPIC } from './topics.ts';

/** One transaction at a time commits the most requests; claims name the lane, so that versions may have more. */
const LANE_COUNT = 1;
/** How often a bridge that has seen no request with a key looks whether another one has. */
const WATCH_INTERVAL_MS = 5_000;
/** A slot that a gateway has this bridge free is for another one: other requests that are on their way do not bring it back. */
const RELEASED_MS = 1_000;
/** How long a bridge that stops tries to free its slots. */
const LEAVE_TIMEOUT_MS = 3_000;
/** How often a request looks again who owns its slot. */
const MAX_TURNS = 8;

export interface KeyedProducerOptions {
  cluster: Cluster;
  /** This bridge, as `region/bridge`. */
  self: string;
  requestTimeoutMs: number;
  producer: {
    compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
    maxBlockMs: number;
    allowAutoTopicCreation: boolean;
    deliveryTimeoutMs: number;
    maxRequestBytes: number;
    maxBatchBytes: number;
    maxBatchRecords: number;
    maxQueuedBytes: number;
    idempotencyRetentionMs: number;
    idempotencyMaxKeys: number;
  };
  /** Memory of all producers. */
  open: OpenBytes;
  log: LaneLog;
}

export interface KeyedSend {
  key: string;
  principal: string | undefined;
  fingerprint: string;
  sender: KeyedQuestion['sender'];
  /** The owner is to free the slot. */
  isRelease: boolean;
  topic: string;
  records: readonly RecordToProduce[];
  /** Size of the request's body, which the records keep in memory. */
  bodyBytes: number;
  inSlices: InSlices;
}

export interface KeyedResponse {
  answer: Answer;
  /** Of the records that were stored, or refused, for this request; `undefined`: for an earlier one with the key. */
  results: readonly ResultRun[] | undefined;
}

/** A key among those of all principals. */
interface Key {
  identity: string;
  /** Of its answer in the log. */
  bytes: Buffer;
  hash: KeyHash;
  slot: number;
}

interface Open {
  fingerprint: string;
  outcome: Promise<KeyedOutcome>;
}

export class KeyedProducer {
  readonly totals = new IdempotencyTotals();
  readonly #options: KeyedProducerOptions;
  readonly #client: ProduceClient;
  readonly #slotLog: SlotLog;
  readonly #answerLog: AnswerLog;
  readonly #slots: Slots;
  readonly #topics: TopicLookup;
  readonly #lanes: readonly Lane[];
  /** By identity of the key. */
  readonly #open = new Map<string, Open>();
  /** When a gateway had a slot freed. */
  readonly #releasedMs = new Map<number, number>();
  #watch: NodeJS.Timeout | undefined;
  #hasBegun = false;
  #isClosing = false;
  #isClosed = false;

  constructor(options: KeyedProducerOptions) {
    this.#options = options;
    const { cluster, self, producer, requestTimeoutMs, log } = options;
    this.#client = new ProduceClient(cluster, {
      acks: 'all',
      timeoutMs: requestTimeoutMs,
      compression: producer.compression,
    });
    const note = (log_: string) => (reason: string | undefined) =>
      log.info({ reason }, reason === undefined ? `${log_} read` : `${log_} not readable`);
    this.#slotLog = new SlotLog(cluster, {
      requestTimeoutMs,
      onClaim: (slot) => this.#slots.onClaim(slot),
      onTrouble: note('slots of idempotency keys'),
    });
    this.#answerLog = new AnswerLog(cluster, {
      requestTimeoutMs,
      retentionMs: producer.idempotencyRetentionMs,
      maxKeys: producer.idempotencyMaxKeys,
      onTrouble: note('answers to idempotency keys'),
    });
    const { totals } = this;
    const [slotLog, answerLog, client] = [this.#slotLog, this.#answerLog, this.#client];
    this.#slots = new Slots({ cluster, client, slotLog, answerLog, self, totals, log });
    this.#topics = new TopicLookup(cluster, producer);
    this.#lanes = Array.from({ length: LANE_COUNT }, (_, lane) => this.#lane(lane));
  }

  #lane(lane: number): Lane {
    const { cluster, self, producer, log } = this.#options;
    const slots = this.#slots;
    const transaction = { transactionalId: laneId(self, lane), transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    return new Lane({
      ...producer,
      producer: new TransactionalProducer(cluster, this.#client, transaction),
      answerLog: this.#answerLog,
      totals: this.totals,
      holds: (slot) => slots.holds(slot),
      regain: (limits) => slots.regain(lane, limits),
      suspend: () => slots.suspend(lane),
      onFreed: (slot) => slots.onFreed(slot),
      log,
    });
  }

  /** Begins to read the logs as soon as a bridge has created their topics, or when the first request with a key arrives. */
  start(): void {
    this.#watch = setInterval(() => void this.#beginIfUsed(), WATCH_INTERVAL_MS);
    this.#watch.unref();
    void this.#beginIfUsed();
  }

  async #beginIfUsed(): Promise<void> {
    const { cluster, requestTimeoutMs } = this.#options;
    const topics = await cluster.topics([SLOT_TOPIC], within(requestTimeoutMs), { maxAgeMs: 0 }).catch(() => undefined);
    const slots = topics?.get(SLOT_TOPIC);
    if (slots !== undefined && 'topic' in slots) this.#begin();
  }

  #begin(): void {
    if (this.#hasBegun || this.#isClosed) return;
    this.#hasBegun = true;
    clearInterval(this.#watch);
    this.#slotLog.start();
    this.#answerLog.start();
    this.#slots.start(this.#lanes);
  }

  /** Answers what is under way, and frees the slots, so that other bridges take them over at once. */
  async leave(): Promise<void> {
    this.#isClosing = true;
    const freeing = this.#lanes.map(async (lane) => {
      await lane.untilIdle();
      await lane.free(this.#slots.held.filter((slot) => this.#slots.laneOf(slot) === lane));
    });
    // Without Kafka, other bridges take the slots over.
    await bounded(Promise.all(freeing), within(LEAVE_TIMEOUT_MS)).catch(() => {});
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#watch);
    for (const lane of this.#lanes) lane.close();
    this.#slots.close();
    await Promise.all([this.#slotLog.close(), this.#answerLog.close()]);
    await this.#client.close();
  }

  /** Another cluster is active: this bridge has no slot any more, and takes those it needs over again when its own is. */
  rest(): void {
    this.#lanes.forEach((_, lane) => {
      this.#slots.suspend(lane);
    });
  }

  get keyCount(): number {
    return this.#answerLog.keyCount;
  }

  get maxKeys(): number {
    return this.#options.producer.idempotencyMaxKeys;
  }

  get expiredCount(): number {
    return this.#answerLog.expiredCount;
  }

  get heldSlotCount(): number {
    return this.#slots.heldCount;
  }

  /**
   * Executes the request, or returns the answer of the one with the same key that was executed before.
   * Errors: `keyReused`, `keyBusy`, `misdirected`, `overloaded`, `kafkaUnavailable`, `kafkaForbidden`.
   */
  async send(request: KeyedSend): Promise<KeyedResponse> {
    const limits = within(this.#options.producer.deliveryTimeoutMs);
    try {
      const response = await this.#send(request, limits);
      this.totals.requestCounts[response.results === undefined ? 'replayed' : 'executed'] += 1;
      return response;
    } catch (error) {
      const code = error instanceof BridgeError ? error.code : undefined;
      const result = code === 'keyReused' ? 'mismatched' : code === 'misdirected' ? 'misdirected' : 'failed';
      this.totals.requestCounts[result] += 1;
      throw withRetryAfter(error);
    }
  }

  async #send(request: KeyedSend, limits: Limits): Promise<KeyedResponse> {
    const key = keyOf(request);
    let hasLost = false;
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      await this.#untilLoaded(limits);
      const place = this.#answerLog.placeOf(key.hash);
      if (place !== undefined) return await this.#replay(request, place, limits);
      const open = this.#open.get(key.identity);
      if (open !== undefined) {
        const outcome = await this.#wait(request, open, limits);
        if (outcome.kind === 'answered') return { answer: outcome.answer, results: undefined };
        continue;
      }
      // From here to the note of the key nothing is awaited: no other request with it comes between.
      const decision = this.#decide(request, key.slot, hasLost);
      if (decision.kind === 'misdirected') throw new BridgeError('misdirected', misdirection(decision.owner));
      if (request.isRelease && decision.kind === 'execute') {
        this.#releasedMs.set(key.slot, performance.now());
        await bounded(this.#slots.laneOf(key.slot).free([key.slot]), limits);
        throw new BridgeError('misdirected', misdirection(undefined));
      }
      if (decision.kind === 'take') {
        if (this.#isClosing || this.#isForOthers(request, key.slot))
          throw new BridgeError('misdirected', misdirection(undefined));
        await this.#slots.take(key.slot, decision.guard, limits);
        continue;
      }
      const outcome = await this.#execute(request, key, limits);
      if (outcome.kind === 'answered') return outcome;
      hasLost = true;
    }
    throw new BridgeError('kafkaUnavailable', {
      message: 'Bridges contend for this Idempotency-Key',
      retryAfterSeconds: 1,
    });
  }

  /** The answer that the key's request got, from the log. */
  async #replay({ fingerprint }: KeyedSend, place: AnswerPlace, limits: Limits): Promise<KeyedResponse> {
    const answer = await this.#answerLog.read(place, limits);
    const known = { loggedFingerprint: answer.fingerprint, openFingerprint: undefined, fingerprint };
    if (decideKey(known) === 'mismatch') throw new BridgeError('keyReused');
    return { answer, results: undefined };
  }

  /** Waits for the key's request, which is under way here. */
  async #wait({ fingerprint }: KeyedSend, open: Open, limits: Limits): Promise<KeyedOutcome> {
    const known = { loggedFingerprint: undefined, openFingerprint: open.fingerprint, fingerprint };
    if (decideKey(known) === 'mismatch') throw new BridgeError('keyReused');
    try {
      return await bounded(open.outcome, limits);
    } catch (error) {
      if (remainingMs(limits) > 1) throw error;
      throw new BridgeError('keyBusy', { retryAfterSeconds: 1 });
    }
  }

  #decide({ sender }: KeyedSend, slot: number, hasLost: boolean) {
    const claim = this.#slotLog.claimOf(slot);
    const isOwnerAlive = claim.owner !== undefined && this.#slotLog.isAlive(claim.owner, ALIVE_MS);
    const isHeld = this.#slots.holds(slot);
    return decideKeyed({ claim, self: this.#options.self, isHeld, sender, isOwnerAlive, hasLost });
  }

  /** The slot is free, for a moment for other bridges only: a gateway can find one. */
  #isForOthers({ sender }: KeyedSend, slot: number): boolean {
    if (sender.via !== 'gateway' || sender.failedOwners.length > 0) return false;
    const releasedMs = this.#releasedMs.get(slot);
    return releasedMs !== undefined && performance.now() - releasedMs < RELEASED_MS && this.#isFree(slot);
  }

  #isFree(slot: number): boolean {
    return this.#slotLog.claimOf(slot).owner === undefined;
  }

  /** Notes the key at once: no other request with it is executed here meanwhile. */
  #execute(request: KeyedSend, key: Key, limits: Limits): Promise<KeyedOutcome> {
    const { records, bodyBytes, fingerprint } = request;
    if (!this.#answerLog.hasRoomFor(this.#open.size + 1)) {
      throw new BridgeError('overloaded', {
        message:
          'The bridge keeps as many idempotency keys as it may (producer.idempotencyMaxKeys), and forgets none before its time',
        retryAfterSeconds: 60,
      });
    }
    const recordBytes = records.map(serializedBytes);
    const bytes = recordBytes.reduce((sum, size) => sum + size, 0);
    const keptBytes = Math.max(bytes, bodyBytes);
    const { open, producer } = this.#options;
    if (open.bytes > 0 && open.bytes + keptBytes > producer.maxQueuedBytes) {
      throw new BridgeError('overloaded', { retryAfterSeconds: 1 });
    }
    open.bytes += keptBytes;
    const size = { recordBytes, bytes: addedBytes(bytes, records.length) };
    const outcome = this.#push(request, key, size, limits).finally(() => {
      open.bytes -= keptBytes;
      this.#open.delete(key.identity);
    });
    outcome.catch(() => {});
    this.#open.set(key.identity, { fingerprint, outcome });
    return outcome;
  }

  async #push(
    { topic, records, fingerprint, inSlices }: KeyedSend,
    key: Key,
    { recordBytes, bytes }: Pick<KeyedRequest, 'recordBytes' | 'bytes'>,
    limits: Limits,
  ): Promise<KeyedOutcome> {
    let info = this.#topics.known(topic, records);
    const results: ResultRun[] = [];
    if (info === undefined) {
      const answer = await this.#topics.wait(topic);
      if ('topic' in answer) info = answer.topic;
      else if (answer.refusal.reason === 'kafkaSilent') throw new BridgeError('kafkaUnavailable');
      else results.push(Object.assign({ first: 0, count: records.length }, resultOf(answer.refusal)));
    }
    const { promise, resolve, reject } = Promise.withResolvers<KeyedOutcome>();
    const request: KeyedRequest = {
      identity: key.bytes,
      keyHash: key.hash,
      slot: key.slot,
      fingerprint,
      topic,
      info,
      records,
      recordBytes,
      bytes,
      results,
      inSlices,
      answer: undefined,
      deadlineAtMs: limits.deadlineAtMs,
      notBeforeMs: 0,
      isUncertain: false,
      resolve,
      reject,
    };
    this.#slots.laneOf(key.slot).push(request);
    return await promise;
  }

  /** The first request of a system waits for Kafka to create both topics: as long as it may take, not only `maxBlockMs`. */
  async #untilLoaded(limits: Limits): Promise<void> {
    this.#begin();
    try {
      await this.#slotLog.untilLoaded(limits);
      if (!this.#answerLog.isLoaded) await this.#slots.whileRead(this.#answerLog.untilLoaded(limits), limits);
    } catch {
      const reason =
        this.#slotLog.trouble ?? this.#answerLog.trouble ?? 'the answers to idempotency keys are being read';
      throw new BridgeError('kafkaUnavailable', {
        message: `Requests with an Idempotency-Key cannot be served now: ${reason}`,
      });
    }
  }
}

/** Clients repeat what Kafka has no answer for now. */
function withRetryAfter(error: unknown): unknown {
  if (!(error instanceof BridgeError) || error.code !== 'kafkaUnavailable' || error.retryAfterSeconds !== undefined) {
    return error;
  }
  return new BridgeError('kafkaUnavailable', { message: error.message, retryAfterSeconds: 1, cause: error });
}

function misdirection(owner: string | undefined): { owner: string | undefined; message: string } {
  const message =
    owner === undefined ? 'No bridge serves this Idempotency-Key now.' : `${owner} serves this Idempotency-Key.`;
  return { owner, message };
}

function keyOf({ principal, key }: KeyedSend): Key {
  const identity = keyIdentity(principal, key);
  const bytes = encodeIdentity(identity);
  return { identity, bytes, hash: hashKey(bytes), slot: slotOf(identity) };
}
