/**
 * Accounts by key, bounded: those that have nothing to remember are forgotten, and at a limit one that was not used lately.
 * Each new account looks at a few of the others in turn (as the clock algorithm of page caches), so that no moment costs more.
 */

export interface Remembered {
  readonly key: string;
  /** Written by the accounts: whether it was found since it came, or since they passed it over. */
  wasUsed: boolean;
  /** Requests that will come back to it. */
  readonly inFlightCount: number;
  /** Whether a new account would be the same. */
  isForgettable(nowMs: number): boolean;
}

/** An account takes some 400 bytes. */
export const MAX_ACCOUNTS = 100_000;
/** More than come, so that those that can be forgotten are. */
const LOOKED_AT = 2;
/** At the limit: so many that are in use are passed over before one of them goes. */
const PASSED_OVER = 16;

export class Accounts<A extends Remembered> {
  /**
   * Those that were looked at in this round, and new ones. Two maps and one iterator in place of one map whose first entries are
   * deleted: a new iterator passes the places of all deleted entries.
   */
  #seen = new Map<string, A>();
  #unseen = new Map<string, A>();
  #round = this.#unseen.values();
  readonly #maxCount: number;

  constructor(maxCount: number = MAX_ACCOUNTS) {
    this.#maxCount = maxCount;
  }

  get count(): number {
    return this.#seen.size + this.#unseen.size;
  }

  *values(): Generator<A> {
    yield* this.#seen.values();
    yield* this.#unseen.values();
  }

  find(key: string): A | undefined {
    const account = this.#seen.get(key) ?? this.#unseen.get(key);
    if (account !== undefined) account.wasUsed = true;
    return account;
  }

  /** One that {@link find} did not find. */
  add(account: A, nowMs: number): A {
    for (let index = 0; index < LOOKED_AT; index += 1) this.#lookAtNext(nowMs, 'forgettable');
    for (let index = 0; index < PASSED_OVER && this.#isFull; index += 1) this.#lookAtNext(nowMs, 'unused');
    if (this.#isFull) this.#lookAtNext(nowMs, 'any');
    account.wasUsed = false;
    this.#seen.set(account.key, account);
    return account;
  }

  get #isFull(): boolean {
    return this.count >= this.#maxCount;
  }

  /** Forgets the next account if it is one of these, or keeps it for another round. */
  #lookAtNext(nowMs: number, which: 'forgettable' | 'unused' | 'any'): void {
    const account = this.#next();
    if (account === undefined) return;
    this.#unseen.delete(account.key);
    if (which === 'any' || account.isForgettable(nowMs)) return;
    if (which === 'unused') {
      if (!account.wasUsed && account.inFlightCount === 0) return;
      account.wasUsed = false;
    }
    this.#seen.set(account.key, account);
  }

  #next(): A | undefined {
    const { value } = this.#round.next();
    if (value !== undefined) return value;
    [this.#unseen, this.#seen] = [this.#seen, new Map()];
    this.#round = this.#unseen.values();
    return this.#round.next().value;
  }
}
