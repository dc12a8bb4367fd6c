/** The claims of all slots as the log has them, and when each bridge last gave a sign of life. */
import { SLOT_COUNT } from '@causeway/protocol/idempotency.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { StoredRecord } from '../records.ts';
import { ALIVE_KEY, CLAIM_KEY, type Claim, decodeClaim, freeClaim } from './claims.ts';
import { LogReader } from './log-reader.ts';
import { ensureSlotTopic, SLOT_TOPIC } from './topics.ts';

export interface SlotLogOptions {
  requestTimeoutMs: number;
  /** A slot has another claim. */
  onClaim: (slot: number, claim: Claim) => void;
  onTrouble: (reason: string | undefined) => void;
}

export class SlotLog {
  readonly #reader: LogReader;
  readonly #claims: Claim[] = Array.from({ length: SLOT_COUNT }, (_, slot) => freeClaim(slot));
  /** By bridge, on the monotonic clock of this process. */
  readonly #seenAtMs = new Map<string, number>();

  constructor(cluster: Cluster, { requestTimeoutMs, onClaim, onTrouble }: SlotLogOptions) {
    this.#reader = new LogReader(cluster, {
      topic: SLOT_TOPIC,
      partitionCount: SLOT_COUNT,
      findTopic: (end) => ensureSlotTopic(cluster, within(requestTimeoutMs, end)),
      onRestart: (slot) => this.#set(slot, freeClaim(slot), onClaim),
      onRecord: (record) => this.#apply(record, onClaim),
      onTrouble,
    });
  }

  start(): void {
    this.#reader.start();
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  get trouble(): string | undefined {
    return this.#reader.trouble;
  }

  async untilLoaded(limits: Limits): Promise<void> {
    await this.#reader.untilLoaded(limits);
  }

  /** Errors: as `LogReader.readToEnd`. */
  async readToEnd(slots: readonly number[], limits: Limits): Promise<void> {
    await this.#reader.readToEnd(slots, limits);
  }

  /** The current claim, as far as the log was read. */
  claimOf(slot: number): Claim {
    return this.#claims[slot] ?? freeClaim(slot);
  }

  get claims(): readonly Claim[] {
    return this.#claims;
  }

  /** Whether the bridge gave a sign of life in the last `withinMs`, or the log has not been read for so long. */
  isAlive(bridge: string, withinMs: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#reader.readableSinceMs < withinMs) return true;
    return nowMs - (this.#seenAtMs.get(bridge) ?? Number.NEGATIVE_INFINITY) < withinMs;
  }

  #apply({ partition, key, value }: StoredRecord, onClaim: SlotLogOptions['onClaim']): void {
    if (key === null || value === null) return;
    if (key.equals(ALIVE_KEY)) {
      this.#seenAtMs.set(value.toString(), performance.now());
      return;
    }
    const claim = key.equals(CLAIM_KEY) ? decodeClaim(value) : undefined;
    if (claim !== undefined) this.#set(partition, claim, onClaim);
  }

  #set(slot: number, claim: Claim, onClaim: SlotLogOptions['onClaim']): void {
    this.#claims[slot] = claim;
    onClaim(slot, claim);
  }
}
