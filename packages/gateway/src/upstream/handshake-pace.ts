/**
 * Paces the TLS connections that a pool opens. A handshake takes about a millisecond of the event loop: when a region dies, a
 * thousand requests that move at once would stop everything else for a second, and probes of the regions that live would time out.
 */

/** Eight take the gateway about ten milliseconds. */
const PER_TURN = 8;

export class HandshakePace<Request> {
  readonly #open: (request: Request) => void;
  #waiting: Request[] = [];
  #openedInTurn = 0;
  #isScheduled = false;
  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    this.#openedInTurn = 0;
    for (const request of this.#waiting.splice(0, PER_TURN)) this.#openNow(request);
  };

  constructor(open: (request: Request) => void) {
    this.#open = open;
  }

  /** Requests that wait for a turn of the event loop. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Opens a connection for the request now, or in one of the next turns. */
  add(request: Request): void {
    if (this.#openedInTurn < PER_TURN) this.#openNow(request);
    else this.#waiting.push(request);
  }

  /** The request that waits for the longest time, if it `fits`; it needs no new connection any more. */
  take(fits: (request: Request) => boolean): Request | undefined {
    const [first] = this.#waiting;
    return first !== undefined && fits(first) ? this.#waiting.shift() : undefined;
  }

  /** All requests that wait; none of them waits any more. */
  clear(): Request[] {
    return this.#waiting.splice(0);
  }

  #openNow(request: Request): void {
    this.#openedInTurn += 1;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#onTurn);
    }
    this.#open(request);
  }
}
