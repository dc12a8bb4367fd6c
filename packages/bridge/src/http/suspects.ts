/**
 * Requests under which another bridge was lost (`causeway-suspect`): one of them may be why, and is not to take this one along
 * with all the others unnoticed.
 *
 * They begin one at a time, each in a turn of the event loop of its own, so that what the one before did shows before the next
 * one begins, and probes and other clients are served in between. Each is logged before it begins: where the bridge dies or
 * stands still, the last line names the request.
 */
import type { FastifyBaseLogger } from 'fastify';

/** Hundreds come at once when a region dies: so many are logged in ten seconds. */
const MOST_LOGGED = 200;
const LOG_WINDOW_MS = 10_000;

export interface Suspect {
  method: string;
  /** As received, with the query. */
  target: string;
  bodyBytes: number;
}

export class Suspects {
  readonly #log: FastifyBaseLogger;
  readonly #now: () => number;
  #last: Promise<void> = Promise.resolve();
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #loggedCount = 0;

  constructor(log: FastifyBaseLogger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Resolves when the request may begin. */
  async turn(suspect: Suspect): Promise<void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    this.#note(suspect);
    // Two: what the request does at once, and what that has left for the next turn.
    setImmediate(() => setImmediate(resolve));
  }

  #note({ method, target, bodyBytes }: Suspect): void {
    const nowMs = this.#now();
    if (nowMs - this.#windowStartMs >= LOG_WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#loggedCount = 0;
    }
    this.#loggedCount += 1;
    if (this.#loggedCount > MOST_LOGGED) return;
    const path = target.split('?', 1)[0] ?? '';
    this.#log.info({ method, path: path.slice(0, 256), bodyBytes }, 'a request under which another bridge was lost');
  }
}
