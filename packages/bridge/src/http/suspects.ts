/**
 * Starts suspects (`causeway-suspect`): requests under which another bridge was lost, one of which may be the cause.
 *
 * They start one at a time, each in its own turn of the event loop: the effect of one shows before the next starts, and
 * probes and other clients are served in between. Each is logged before it starts: if the bridge dies or stalls, the last
 * line names the request.
 */
import type { FastifyBaseLogger } from 'fastify';

/** The most lines in ten seconds: hundreds of suspects arrive at once when a region dies. */
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

  /** Resolves when the request may start. */
  async turn(suspect: Suspect): Promise<void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    this.#note(suspect);
    // Two turns: for the synchronous work of the request, and for what it left for the next turn.
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
