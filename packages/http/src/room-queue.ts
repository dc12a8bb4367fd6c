/** Those who wait for room in the memory of all clients ({@link HeldBytes}), in turn, for a short time. */

/** How long it is worth to wait: a client that reads too slowly makes room after a second. */
const MAX_WAIT_MS = 2_000;
/** Slow clients are looked for as often, so that they make room. */
const LOOK_INTERVAL_MS = 100;

interface Waiter {
  /** Takes the room, if there is some. */
  readonly take: () => boolean;
  /** Whether it has the room; otherwise the time is over. */
  readonly onEnd: (hasRoom: boolean) => void;
  readonly untilMs: number;
}

export class RoomQueue {
  readonly #now: () => number;
  #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isServing = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Returns a function that ends the wait. */
  add({ take, onEnd }: Pick<Waiter, 'take' | 'onEnd'>): () => void {
    const waiter = { take, onEnd, untilMs: this.#now() + MAX_WAIT_MS };
    this.#waiters.push(waiter);
    this.#timer ??= setInterval(() => this.#look(), LOOK_INTERVAL_MS);
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      this.#stopIfEmpty();
    };
  }

  /** Bytes were given back. */
  served(): void {
    // Who takes room may make others give theirs back, and those who get it may give some back.
    if (this.#isServing) return;
    this.#isServing = true;
    while (this.#waiters[0]?.take() === true) this.#end(true);
    this.#isServing = false;
  }

  #look(): void {
    this.served();
    const nowMs = this.#now();
    while (this.#waiters[0] !== undefined && this.#waiters[0].untilMs <= nowMs) this.#end(false);
  }

  #end(hasRoom: boolean): void {
    const waiter = this.#waiters.shift();
    this.#stopIfEmpty();
    waiter?.onEnd(hasRoom);
  }

  #stopIfEmpty(): void {
    if (this.#waiters.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
