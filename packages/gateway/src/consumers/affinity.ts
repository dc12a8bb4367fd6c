/** Remembers where each consumer lives, as the regions' answers told; bounded, the quietest are forgotten first. */
import type { Target } from '../regions/target.ts';

/** A consumer's key: the names are joined by a character that separates them for sure. */
export function consumerKey(group: string, instance: string): string {
  return `${group}\u0000${instance}`;
}

export interface Home {
  readonly target: Target;
  /** The bridge that owns the consumer, as `region/bridge`; `undefined` where no bridge said. */
  readonly owner: string | undefined;
}

export class Affinity {
  readonly #homes = new Map<string, Home>();
  #maxConsumers: number;

  constructor(maxConsumers: number) {
    this.#maxConsumers = maxConsumers;
  }

  get size(): number {
    return this.#homes.size;
  }

  set maxConsumers(value: number) {
    this.#maxConsumers = value;
    this.#trim();
  }

  /** Where the consumer lives, as far as known; it counts as heard of. */
  homeOf(key: string): Home | undefined {
    const home = this.#homes.get(key);
    if (home === undefined) return undefined;
    // A Map keeps the order of insertion: what is asked for moves to the young end.
    this.#homes.delete(key);
    this.#homes.set(key, home);
    return home;
  }

  remember(key: string, home: Home): void {
    this.#homes.delete(key);
    this.#homes.set(key, home);
    this.#trim();
  }

  forget(key: string): void {
    this.#homes.delete(key);
  }

  /** How many consumers live where, by region. */
  countByRegion(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { target } of this.#homes.values()) counts.set(target.region, (counts.get(target.region) ?? 0) + 1);
    return counts;
  }

  #trim(): void {
    for (const key of this.#homes.keys()) {
      if (this.#homes.size <= this.#maxConsumers) return;
      this.#homes.delete(key);
    }
  }
}
