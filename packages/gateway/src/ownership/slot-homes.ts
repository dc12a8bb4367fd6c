/** Remembers the home of each slot of idempotency keys, from responses. All of them: there are few. */
import { hashText } from '@causeway/protocol/hash-text.ts';
import { SLOT_COUNT } from '@causeway/protocol/idempotency.ts';
import type { Home, Homes } from './home.ts';

const HASHES: readonly number[] = Array.from({ length: SLOT_COUNT }, (_, slot) => hashText(`idempotency slot ${slot}`));

/** By which a slot is placed: the same in all gateways. */
export function hashOfSlot(slot: number): number {
  return HASHES[slot] as number;
}

export class SlotHomes implements Homes<number> {
  readonly #homes: (Home | undefined)[] = HASHES.map(() => undefined);
  readonly #sinceMs: number[] = HASHES.map(() => Number.NEGATIVE_INFINITY);
  readonly #now: () => number;

  /** `now`: milliseconds, never going back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  homeOf(slot: number): Home | undefined {
    return this.#homes[slot];
  }

  remember(slot: number, home: Home): void {
    const before = this.#homes[slot];
    if (before !== undefined && (before.owner !== home.owner || before.target.region !== home.target.region)) {
      this.#sinceMs[slot] = this.#now();
    }
    this.#homes[slot] = home;
  }

  /** How long the slot has had this owner, as far as this gateway knows; endless where it has seen no other. */
  stayMs(slot: number, nowMs: number): number {
    return nowMs - (this.#sinceMs[slot] as number);
  }

  /** The number of slots by region. */
  countByRegion(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const home of this.#homes) {
      if (home !== undefined) counts.set(home.target.region, (counts.get(home.target.region) ?? 0) + 1);
    }
    return counts;
  }
}
