/**
 * The circuit breaker of one target: opossum decides, and the request path only bumps an integer. What it is told of, and
 * what not, because a client can bring it about by itself, is in proxy/verdict.ts.
 */

import type { BreakerState } from '@causeway/protocol/admin/events.ts';
import CircuitBreaker from 'opossum';

export interface BreakerSettings {
  readonly errorPercent: number;
  readonly minRequests: number;
  readonly windowMs: number;
  readonly resetMs: number;
}

const WINDOW_BUCKETS = 10;

/** Which try of a half-open breaker a request is; 0 for a request that is none. */
export type Trial = number;

export class Breaker {
  readonly #circuit: CircuitBreaker<[boolean], void>;
  readonly #onChange: (from: BreakerState, to: BreakerState, reason: string) => void;
  readonly #resetMs: number;
  readonly #now: () => number;
  #state: BreakerState = 'closed';
  #uncountedSuccesses = 0;
  #lastTrial: Trial = 0;
  /** Until then the last trial keeps others away; a long poll must not keep them for its whole time. */
  #trialEndsMs = 0;
  #reason = '';

  constructor(
    settings: BreakerSettings,
    onChange: (from: BreakerState, to: BreakerState, reason: string) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#onChange = onChange;
    this.#resetMs = settings.resetMs;
    this.#now = now;
    this.#circuit = new CircuitBreaker(reject, {
      timeout: false,
      errorThresholdPercentage: settings.errorPercent,
      volumeThreshold: settings.minRequests,
      rollingCountTimeout: settings.windowMs,
      rollingCountBuckets: WINDOW_BUCKETS,
      resetTimeout: settings.resetMs,
      // Both sort or copy every latency of the window, at each failure.
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
    this.#circuit.on('open', () => this.#change('open', this.#reason));
    this.#circuit.on('halfOpen', () => this.#change('halfOpen', `open for ${settings.resetMs} ms`));
    this.#circuit.on('close', () => this.#change('closed', 'a trial request succeeded'));
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether a request may go through now: half open, one at a time. */
  get admits(): boolean {
    return this.#state === 'closed' || (this.#state === 'halfOpen' && this.#now() >= this.#trialEndsMs);
  }

  /** A request is sent; `succeeded`, `failed` or `abandoned` follows, with what this returned. */
  started(): Trial {
    if (this.#state !== 'halfOpen') return 0;
    this.#lastTrial += 1;
    this.#trialEndsMs = this.#now() + this.#resetMs;
    return this.#lastTrial;
  }

  succeeded(trial: Trial): void {
    if (this.#state === 'closed') this.#uncountedSuccesses += 1;
    else this.#settle(true, trial);
  }

  failed(reason: string, trial: Trial): void {
    this.#reason = reason;
    this.flush();
    this.#settle(false, trial);
  }

  /** The request ended without a verdict on the target: the client went away. */
  abandoned(trial: Trial): void {
    if (trial !== 0 && trial === this.#lastTrial) this.#trialEndsMs = 0;
  }

  /**
   * Moves the successes counted since the last call into opossum's window. To be called once a bucket at least
   * (windowMs / 10), off the request path.
   */
  flush(): void {
    if (this.#uncountedSuccesses === 0) return;
    const bucket = this.#circuit.status.window[0];
    if (bucket !== undefined) {
      bucket.fires += this.#uncountedSuccesses;
      bucket.successes += this.#uncountedSuccesses;
    }
    this.#uncountedSuccesses = 0;
  }

  close(): void {
    this.#circuit.shutdown();
  }

  #settle(isGood: boolean, trial: Trial): void {
    // Open: opossum would only count a rejection; requests of panic traffic end here. Half open: what was sent before
    // says nothing about now.
    if (this.#state === 'open' || (this.#state === 'halfOpen' && trial === 0)) return;
    this.#circuit.fire(isGood).catch(() => {});
  }

  #change(to: BreakerState, reason: string): void {
    const from = this.#state;
    if (from === to) return;
    this.#state = to;
    this.#trialEndsMs = 0;
    this.#onChange(from, to, reason);
  }
}

/** opossum's action: what already happened. */
function reject(isGood: boolean): Promise<void> {
  return isGood ? Promise.resolve() : Promise.reject(new Error('request failed'));
}
