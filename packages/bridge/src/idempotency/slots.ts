/** The slots of this bridge: those it holds, taken over from their guards and freed again. */
import { SLOT_COUNT } from '@causeway/protocol/idempotency.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { reasonOf } from '../kafka/client/failure-reason.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import type { ProduceClient } from '../kafka/produce/produce.ts';
import { endedBy } from '../kafka/transactions/transaction-ended.ts';
import { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import type { AnswerLog } from './answer-log.ts';
import { ALIVE_KEY, answerPartitionOf, CLAIM_KEY, encodeClaim } from './claims.ts';
import type { IdempotencyTotals } from './idempotency-totals.ts';
import type { Lane } from './lane.ts';
import { recordOf } from './leaving-slots.ts';
import { holds, mayClaim } from './rules.ts';
import type { SlotLog } from './slot-log.ts';
import { SLOT_TOPIC } from './topics.ts';

/** After this long without an end, Kafka aborts a transaction. */
export const TRANSACTION_TIMEOUT_MS = 15_000;
/** An owner gives a sign of life so often; without one for {@link ALIVE_MS} it counts as gone. */
const ALIVE_INTERVAL_MS = 1_000;
export const ALIVE_MS = 3_000;
/** A transaction that is open for this long while logs are read may be one of a bridge that is gone. */
const STUCK_MS = 500;

export interface SlotsOptions {
  cluster: Cluster;
  client: ProduceClient;
  slotLog: SlotLog;
  answerLog: AnswerLog;
  /** This bridge, as `region/bridge`. */
  self: string;
  totals: IdempotencyTotals;
  log: { info(fields: object, message: string): void };
}

/** One taking over from a guard; slots that are wanted before it begins are taken with it. */
interface TakeOver {
  slots: Set<number>;
  hasBegun: boolean;
  done: Promise<void>;
}

export class Slots {
  readonly #options: SlotsOptions;
  readonly #held = new Set<number>();
  readonly #takeOvers = new Map<string, TakeOver>();
  #lanes: readonly Lane[] = [];
  #alive: NodeJS.Timeout | undefined;
  #aborting: Promise<void> | undefined;
  #readingCount = 0;

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  start(lanes: readonly Lane[]): void {
    this.#lanes = lanes;
    this.#alive = setInterval(() => void this.#giveSign(), ALIVE_INTERVAL_MS);
  }

  close(): void {
    clearInterval(this.#alive);
  }

  holds(slot: number): boolean {
    return this.#held.has(slot);
  }

  get heldCount(): number {
    return this.#held.size;
  }

  get held(): readonly number[] {
    return [...this.#held];
  }

  laneOf(slot: number): Lane {
    return this.#lanes[slot % this.#lanes.length] as Lane;
  }

  /** The log has another claim of the slot: the lane's next transaction would be refused. */
  onClaim(slot: number): void {
    if (this.#lanes.length > 0 && !this.#isClaimed(slot)) this.#held.delete(slot);
  }

  /** A claim that is being read back is older than the one that frees the slot. */
  onFreed(slot: number): void {
    this.#held.delete(slot);
    for (const { slots } of this.#takeOvers.values()) slots.delete(slot);
  }

  suspend(lane: number): void {
    for (const slot of slotsOf(lane, this.#lanes.length)) this.#held.delete(slot);
  }

  /** After a lane's id was taken over: reads both logs, and holds the slots of the lane that have no other guard now. */
  async regain(lane: number, limits: Limits): Promise<void> {
    const slots = slotsOf(lane, this.#lanes.length);
    // What is claimed while the answers are read may have further answers.
    let claimed: number[] = [];
    await this.#readLogs(slots, limits, () => {
      claimed = slots.filter((slot) => this.#isClaimed(slot));
    });
    for (const slot of claimed) if (this.#isClaimed(slot)) this.#held.add(slot);
  }

  /**
   * Takes a slot over from a guard, if that still guards it. Returns why the taking over failed that another request has begun: then this
   * request may try it itself. Errors: `kafkaForbidden`, `kafkaUnavailable`.
   */
  async take(slot: number, guard: string, limits: Limits): Promise<unknown> {
    for (const { slots, done } of this.#takeOvers.values()) {
      if (slots.has(slot)) return await failureOf(done, limits);
    }
    const lane = this.laneOf(slot);
    if (lane.id === guard) {
      await lane.check(limits);
      return undefined;
    }
    let takeOver = this.#takeOvers.get(guard);
    if (takeOver?.hasBegun === true) return await failureOf(takeOver.done, limits);
    if (takeOver === undefined) {
      takeOver = { slots: new Set(), hasBegun: false, done: Promise.resolve() };
      takeOver.done = this.#begin(guard, takeOver);
      takeOver.done.catch(() => {});
      this.#takeOvers.set(guard, takeOver);
    }
    takeOver.slots.add(slot);
    await bounded(takeOver.done, limits);
    return undefined;
  }

  async #begin(guard: string, takeOver: TakeOver): Promise<void> {
    // Requests that are read in the same turn come with their slots.
    await new Promise((resolve) => setImmediate(resolve));
    takeOver.hasBegun = true;
    const { cluster, totals, log } = this.#options;
    const startedAtMs = performance.now();
    const slots = [...takeOver.slots];
    try {
      await this.#takeOver(guard, takeOver.slots, within(cluster.options.requestTimeoutMs));
      const durationMs = performance.now() - startedAtMs;
      totals.takeOverDurations.observe(durationMs);
      const held = slots.filter((slot) => this.#held.has(slot));
      log.info(
        { guard, slots: held, lost: slots.length - held.length, durationMs },
        'slots of idempotency keys taken over',
      );
    } catch (error) {
      log.info({ guard, slots, reason: reasonOf(error) }, 'slots of idempotency keys cannot be taken over now');
      throw error;
    } finally {
      this.#takeOvers.delete(guard);
    }
  }

  async #takeOver(guard: string, wanted: ReadonlySet<number>, limits: Limits): Promise<void> {
    const slots = [...wanted];
    const { slotLog, self } = this.#options;
    const producer = this.#producer(guard);
    const owner = slotLog.claims.find(({ transactionalId }) => transactionalId === guard)?.owner;
    const siblings = owner === undefined || owner === self ? [] : this.#guardsOf(owner, guard);
    await Promise.all([producer, ...siblings.map((id) => this.#producer(id))].map((one) => one.init(limits)));
    // After that: an open transaction of the former owner would hold up what the lane has to read.
    await Promise.all([...new Set(slots.map((slot) => this.laneOf(slot)))].map((lane) => lane.ready(limits)));
    // Between the two: the guard cannot move away and back any more without fencing this bridge.
    let claimed: number[] = [];
    await this.#readLogs(slots, limits, () => {
      claimed = slots.filter((slot) => mayClaim(slotLog.claimOf(slot), guard));
    });
    if (claimed.length === 0) return;
    try {
      const batches = claimed.map((slot) => ({
        topic: SLOT_TOPIC,
        partition: slot,
        records: [recordOf(CLAIM_KEY, encodeClaim({ owner: self, transactionalId: this.laneOf(slot).id }))],
      }));
      const outcomes = await producer.send(batches, limits);
      if (outcomes.some(({ kind }) => kind === 'refused')) return await producer.abort(limits);
      await producer.commit(limits);
    } catch (error) {
      // Another bridge takes over from the same guard, or the claims may be committed: the log says who has them.
      if (!endedBy(error).isFenced) await producer.init(limits);
    }
    await slotLog.readToEnd(slots, limits);
    for (const slot of claimed) if (wanted.has(slot) && this.#isClaimed(slot)) this.#held.add(slot);
  }

  #producer(transactionalId: string): TransactionalProducer {
    const { cluster, client } = this.#options;
    return new TransactionalProducer(cluster, client, {
      transactionalId,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    });
  }

  /**
   * Reads both logs to their ends: the claims first. The owners until then have stored no answer since, so that the ends of the
   * answers, asked for after that, are beyond all of theirs. Transactions that bridges left open when they died would hold that up: they
   * are aborted. `onClaims`: the claims are read, and the answers are not.
   */
  async #readLogs(slots: readonly number[], limits: Limits, onClaims = (): void => {}): Promise<void> {
    const { slotLog, answerLog } = this.#options;
    const reading = slotLog.readToEnd(slots, limits).then(async () => {
      onClaims();
      await answerLog.readToEnd(limits);
    });
    await this.whileRead(reading, limits);
  }

  /** Awaits the reading of a log; as long as it takes, aborts the transactions of bridges that are gone. Errors: those of `reading`. */
  async whileRead(reading: Promise<unknown>, limits: Limits): Promise<void> {
    let isOver = false;
    const over = reading.then(
      () => {
        isOver = true;
      },
      () => {
        isOver = true;
      },
    );
    this.#readingCount += 1;
    try {
      while (!isOver) await Promise.race([over, this.#abortOfTheDead(limits)]);
    } finally {
      this.#readingCount -= 1;
    }
    await reading;
  }

  /** Once for all that wait: each time takes the ids over again. */
  async #abortOfTheDead(limits: Limits): Promise<void> {
    this.#aborting ??= this.#abortOnce(limits).finally(() => {
      this.#aborting = undefined;
    });
    await bounded(this.#aborting, limits).catch(() => {});
  }

  async #abortOnce(limits: Limits): Promise<void> {
    await delayed(STUCK_MS);
    if (this.#readingCount === 0) return;
    const { slotLog, self } = this.#options;
    const dead = new Set<string>();
    for (const { owner, transactionalId } of slotLog.claims) {
      // The process of this bridge's name before; a lane that has its id would fence itself.
      const isOwnRest = owner === self && this.#lanes.every((lane) => lane.id !== transactionalId || !lane.hasId);
      const isDead = owner !== undefined && owner !== self && !slotLog.isAlive(owner, ALIVE_MS);
      if (isOwnRest || isDead) dead.add(transactionalId);
    }
    await Promise.allSettled([...dead].map((id) => this.#producer(id).init(limits)));
  }

  /** Other lanes of a bridge that failed, whose open transactions would hold up the reading of the logs. */
  #guardsOf(owner: string, but: string): string[] {
    const guards = this.#options.slotLog.claims.filter((claim) => claim.owner === owner);
    return [...new Set(guards.map(({ transactionalId }) => transactionalId))].filter((id) => id !== but);
  }

  #isClaimed(slot: number): boolean {
    const { slotLog, self } = this.#options;
    return holds(slotLog.claimOf(slot), { self, laneId: this.laneOf(slot).id });
  }

  async #giveSign(): Promise<void> {
    const { cluster, client, self } = this.#options;
    if (this.#held.size === 0) return;
    const partition = answerPartitionOf(self) % SLOT_COUNT;
    const leader = cluster.knownTopic(SLOT_TOPIC)?.partitions[partition]?.leader ?? -1;
    const records = [recordOf(ALIVE_KEY, Buffer.from(self))];
    await client.send(leader, [{ topic: SLOT_TOPIC, partition, records }]).catch(() => {});
  }
}

/** Errors: when the limits are reached. */
async function failureOf(done: Promise<void>, limits: Limits): Promise<unknown> {
  const failure = done.then(
    () => undefined,
    (error: unknown) => error,
  );
  return await bounded(failure, limits);
}

function slotsOf(lane: number, laneCount: number): number[] {
  return Array.from({ length: SLOT_COUNT }, (_, slot) => slot).filter((slot) => slot % laneCount === lane);
}

async function delayed(ms: number): Promise<false> {
  return await new Promise((resolve) => {
    setTimeout(resolve, ms, false);
  });
}
