/** Requests with an idempotency key: executed once in the whole system, however often they are repeated (docs/exactly-once.md). */
import { keyIdentity, slotOf } from '@causeway/protocol/idempotency.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { ProduceClient } from '../kafka/produce/produce.ts';
import { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import type { OpenBytes } from '../producer/open-requests.ts';
import { type Answer, encodeIdentity } from './answers.ts';
import { laneId } from './claims.ts';
import { IdempotencyTotals } from './idempotency-totals.ts';
import { Intake } from './intake.ts';
import { KeyLogs } from './key-logs.ts';
import { type AnswerPlace, hashKey } from './key-shard.ts';
import type { Key, KeyedOutcome, KeyedRequest, KeyedSend } from './keyed-request.ts';
import { Lane, type LaneLog } from './lane.ts';
import { toRepeatable } from './repeatable.ts';
import type { ResultRun } from './result-runs.ts';
import { decideKey, decideKeyed, hasLostSlot } from './rules.ts';
import { ALIVE_MS, Slots, TRANSACTION_TIMEOUT_MS } from './slots.ts';

/** One transaction at a time commits the most requests; claims name the lane, so that versions may have more. */
const LANE_COUNT = 1;
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

export interface KeyedResponse {
  answer: Answer;
  /** Of the records that were stored, or refused, for this request; `undefined`: for an earlier one with the key. */
  results: readonly ResultRun[] | undefined;
}

interface Open {
  fingerprint: string;
  outcome: Promise<KeyedOutcome>;
}

export class KeyedProducer {
  readonly totals = new IdempotencyTotals();
  readonly #options: KeyedProducerOptions;
  readonly #client: ProduceClient;
  readonly #logs: KeyLogs;
  readonly #slots: Slots;
  readonly #intake: Intake;
  readonly #lanes: readonly Lane[];
  /** By identity of the key. */
  readonly #open = new Map<string, Open>();
  /** When a gateway had a slot freed. */
  readonly #releasedMs = new Map<number, number>();
  #isClosing = false;

  constructor(options: KeyedProducerOptions) {
    this.#options = options;
    const { cluster, self, producer, requestTimeoutMs, log } = options;
    this.#client = new ProduceClient(cluster, {
      acks: 'all',
      timeoutMs: requestTimeoutMs,
      compression: producer.compression,
    });
    this.#logs = new KeyLogs(cluster, {
      requestTimeoutMs,
      retentionMs: producer.idempotencyRetentionMs,
      maxKeys: producer.idempotencyMaxKeys,
      onBegin: () => this.#slots.start(this.#lanes),
      onClaim: (slot) => this.#slots.onClaim(slot),
      log,
    });
    const { totals } = this;
    const [client, slotLog, answerLog] = [this.#client, this.#logs.claims, this.#logs.answers];
    this.#slots = new Slots({ cluster, client, slotLog, answerLog, self, totals, log });
    const push = (request: KeyedRequest): void => this.#slots.laneOf(request.slot).push(request);
    this.#intake = new Intake(cluster, Object.assign({ open: options.open, push }, producer));
    this.#lanes = Array.from({ length: LANE_COUNT }, (_, lane) => this.#lane(lane));
  }

  #lane(lane: number): Lane {
    const { cluster, self, producer, log } = this.#options;
    const slots = this.#slots;
    const transaction = { transactionalId: laneId(self, lane), transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    return new Lane({
      ...producer,
      producer: new TransactionalProducer(cluster, this.#client, transaction),
      answerLog: this.#logs.answers,
      totals: this.totals,
      holds: (slot) => slots.holds(slot),
      regain: (limits) => slots.regain(lane, limits),
      suspend: () => slots.suspend(lane),
      onFreed: (slot) => slots.onFreed(slot),
      topicOf: (name) => cluster.knownTopic(name),
      onTopicGone: (request) => void this.#intake.findAgain(request),
      log,
    });
  }

  /** Begins to read the logs as soon as a bridge has created their topics, or when the first request with a key arrives. */
  start(): void {
    this.#logs.start();
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
    for (const lane of this.#lanes) lane.close();
    this.#slots.close();
    await this.#logs.close();
    await this.#client.close();
  }

  /** Another cluster is active: this bridge has no slot any more, and takes those it needs over again when its own is. */
  rest(): void {
    this.#lanes.forEach((_, lane) => {
      this.#slots.suspend(lane);
    });
  }

  get keyCount(): number {
    return this.#logs.answers.keyCount;
  }

  get maxKeys(): number {
    return this.#options.producer.idempotencyMaxKeys;
  }

  get expiredCount(): number {
    return this.#logs.answers.expiredCount;
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
      throw toRepeatable(error);
    }
  }

  async #send(request: KeyedSend, limits: Limits): Promise<KeyedResponse> {
    const key = keyOf(request);
    let hasLost = false;
    let failure: unknown;
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      await this.#logs.untilLoaded(limits, (reading, bounds) => this.#slots.whileRead(reading, bounds));
      const place = this.#logs.answers.placeOf(key.hash);
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
        const before = this.#logs.claims.claimOf(key.slot);
        failure = await this.#slots.take(key.slot, decision.guard, limits);
        const claim = this.#logs.claims.claimOf(key.slot);
        hasLost ||= hasLostSlot(claim, { self: this.#options.self, isNew: claim !== before });
        continue;
      }
      const outcome = await this.#execute(request, key, limits);
      if (outcome.kind === 'answered') return outcome;
      hasLost = true;
    }
    throw failure ?? new BridgeError('kafkaUnavailable', { message: 'Bridges contend for this Idempotency-Key' });
  }

  /** The answer that the key's request got, from the log. */
  async #replay({ fingerprint }: KeyedSend, place: AnswerPlace, limits: Limits): Promise<KeyedResponse> {
    const answer = await this.#logs.answers.read(place, limits);
    const known = { loggedFingerprint: answer.fingerprint, openFingerprint: undefined, fingerprint };
    if (decideKey(known) === 'mismatch') throw new BridgeError('keyReused');
    return { answer, results: undefined };
  }

  /** Waits for the key's request, which is under way here. */
  async #wait({ fingerprint }: KeyedSend, open: Open, limits: Limits): Promise<KeyedOutcome> {
    const known = { loggedFingerprint: undefined, openFingerprint: open.fingerprint, fingerprint };
    if (decideKey(known) === 'mismatch') throw new BridgeError('keyReused');
    let isOver = false;
    const outcome = open.outcome.finally(() => {
      isOver = true;
    });
    try {
      return await bounded(outcome, limits);
    } catch (error) {
      if (isOver) throw error;
      throw new BridgeError('keyBusy', { retryAfterSeconds: 1 });
    }
  }

  #decide({ sender }: KeyedSend, slot: number, hasLost: boolean) {
    const claim = this.#logs.claims.claimOf(slot);
    const isOwnerAlive = claim.owner !== undefined && this.#logs.claims.isAlive(claim.owner, ALIVE_MS);
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
    return this.#logs.claims.claimOf(slot).owner === undefined;
  }

  /** Notes the key at once: no other request with it is executed here meanwhile. */
  #execute(request: KeyedSend, key: Key, limits: Limits): Promise<KeyedOutcome> {
    if (!this.#logs.answers.hasRoomFor(this.#open.size + 1)) {
      throw new BridgeError('overloaded', {
        message:
          'The bridge keeps as many idempotency keys as it may (producer.idempotencyMaxKeys), and forgets none before its time',
        retryAfterSeconds: 60,
      });
    }
    const outcome = this.#intake.take(request, key, limits).finally(() => this.#open.delete(key.identity));
    outcome.catch(() => {});
    this.#open.set(key.identity, { fingerprint: request.fingerprint, outcome });
    return outcome;
  }
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
