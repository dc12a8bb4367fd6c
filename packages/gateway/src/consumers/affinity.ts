/** Remembers the home of each consumer, from responses. Bounded: the least recently used are forgotten first. */
import type { Home, Homes } from '../ownership/home.ts';

/** A consumer's key: the names, joined by a character that no name has. */
export function consumerKey(group: string, instance: string): string {
  return `${group}\u0000${instance}`;
}

/** A consumer moved from one bridge to another; both as `region/bridge`. */
export type OnMoved = (key: string, from: string, to: string) => void;

export class Affinity implements Homes<string> {
  readonly #homes = new Map<string, Home>();
  readonly #countByRegion = new Map<string, number>();
  readonly #onMoved: OnMoved;
  #maxConsumers: number;

  constructor(maxConsumers: number, onMoved: OnMoved = () => {}) {
    this.#maxConsumers = maxConsumers;
    this.#onMoved = onMoved;
  }

  get size(): number {
    return this.#homes.size;
  }

  set maxConsumers(value: number) {
    this.#maxConsumers = value;
    this.#trim();
  }

  /** The consumer's home, if known; counts as a use. */
  homeOf(key: string): Home | undefined {
    const home = this.#homes.get(key);
    if (home === undefined) return undefined;
    // A Map keeps the order of insertion: the entry moves to the end of the most recent.
    this.#homes.delete(key);
    this.#homes.set(key, home);
    return home;
  }

  remember(key: string, home: Home): void {
    const from = this.#homes.get(key)?.owner;
    this.forget(key);
    this.#homes.set(key, home);
    this.#count(home.target.region, 1);
    this.#trim();
    if (from !== undefined && home.owner !== undefined && from !== home.owner) this.#onMoved(key, from, home.owner);
  }

  forget(key: string): void {
    const home = this.#homes.get(key);
    if (home === undefined) return;
    this.#homes.delete(key);
    this.#count(home.target.region, -1);
  }

  /** The number of consumers by region. */
  countByRegion(): ReadonlyMap<string, number> {
    return this.#countByRegion;
  }

  #count(region: string, change: number): void {
    const count = (this.#countByRegion.get(region) ?? 0) + change;
    if (count === 0) this.#countByRegion.delete(region);
    else this.#countByRegion.set(region, count);
  }

  #trim(): void {
    for (const key of this.#homes.keys()) {
      if (this.#homes.size <= this.#maxConsumers) return;
      this.forget(key);
    }
  }
}
