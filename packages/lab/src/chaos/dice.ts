/** Seeded randomness: the same seed gives the same victims and moments. */
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';

export class Dice {
  #state: number;

  /** `seed`: a 32-bit integer; higher bits are dropped. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, not including, 1; mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  region(): RegionName {
    return this.next() < 0.5 ? REGION_NAMES[0] : REGION_NAMES[1];
  }
}

/** The other of the two. */
export function otherRegion(region: RegionName): RegionName {
  return region === 'east' ? 'west' : 'east';
}
