/**
 * The circuit breaker of one target. It counts the outcomes of requests itself and opens above a share of failures; opossum
 * keeps the state, and half-opens it after the reset time.
 *
 * opossum counts too, one `fire` with its promises and events for each request: on the request path a success is one integer
 * here. Its public `open`, `close` and events are enough for the rest, and they act at once, so that the next request and a
 * test see the state that an outcome led to. Which outcomes count is decided in exchange/verdict.ts: none that a client can
 * cause by itself.
 */
import { EventEmitter } from 'node:events';
import type { BreakerState } from '@causeway/protocol/admin/events.ts';
import CircuitBreaker from 'opossum';
import { OutcomeWindow } from './outcome-window.ts';

export interface BreakerSettings {
  readonly errorPercent: number;
  readonly minRequests: number;
  readonly windowMs: number;
  readonly resetMs: number;
}

/** The number of a half-open breaker's trial request; 0 for any other request. */
export type Trial = number;

export class Breaker {
  readonly #circuit: CircuitBreaker<[], void>;
  readonly #settings: BreakerSettings;
  readonly #onChange: (from: BreakerState, to: BreakerState, reason: string) => void;
  readonly #now: () => number;
  readonly #window: OutcomeWindow;
  #state: BreakerState = 'closed';
  /** Successes that are not in the window yet. */
  #newSuccesses = 0;
  #lastTrial: Trial = 0;
  /** Until then the last trial excludes others; a long poll must not do so for its whole time. */
  #trialEndsMs = 0;
  #reason = '';

  constructor(
    settings: BreakerSettings,
    onChange: (from: BreakerState, to: BreakerState, reason: string) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#settings = settings;
    this.#onChange = onChange;
    this.#now = now;
    this.#window = new OutcomeWindow(settings.windowMs);
    this.#circuit = new CircuitBreaker(unused, {
      timeout: false,
      resetTimeout: settings.resetMs,
      enableSnapshots: false,
      // Without it, each breaker has a timer that rotates a window without counts.
      rotateBucketController: new EventEmitter(),
    });
    this.#circuit.on('open', () => this.#change('open', this.#reason));
    this.#circuit.on('halfOpen', () => this.#change('halfOpen', `open for ${settings.resetMs} ms`));
    this.#circuit.on('close', () => this.#change('closed', 'a trial request succeeded'));
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether a request may be sent now. A half-open breaker admits one at a time. */
  get admits(): boolean {
    return this.#state === 'closed' || (this.#state === 'halfOpen' && this.#now() >= this.#trialEndsMs);
  }

  /** Notes the start of a request. `succeeded`, `failed` or `abandoned` must follow with the returned trial. */
  started(): Trial {
    if (this.#state !== 'halfOpen') return 0;
    this.#lastTrial += 1;
    this.#trialEndsMs = this.#now() + this.#settings.resetMs;
    return this.#lastTrial;
  }

  succeeded(trial: Trial): void {
    if (!this.#counts(trial)) return;
    this.#newSuccesses += 1;
    if (this.#state === 'halfOpen') this.#circuit.close();
  }

  failed(reason: string, trial: Trial): void {
    if (!this.#counts(trial)) return;
    this.#reason = reason;
    this.flush();
    this.#window.addFailure(this.#now());
    if (this.#state === 'halfOpen' || this.#isAboveLimit) this.#circuit.open();
  }

  /** Notes the end of a request without a verdict on the target, such as a client that left. */
  abandoned(trial: Trial): void {
    if (trial !== 0 && trial === this.#lastTrial) this.#trialEndsMs = 0;
  }

  /** Moves new successes into the window. To be called several times in `windowMs`, off the request path. */
  flush(): void {
    if (this.#newSuccesses === 0) return;
    this.#window.addSuccesses(this.#newSuccesses, this.#now());
    this.#newSuccesses = 0;
  }

  close(): void {
    this.#circuit.shutdown();
  }

  /**
   * While open, outcomes of panic traffic do not count. While half open, requests sent before say nothing about now, so only
   * trials count.
   */
  #counts(trial: Trial): boolean {
    return this.#state === 'closed' || (this.#state === 'halfOpen' && trial !== 0);
  }

  get #isAboveLimit(): boolean {
    const { minRequests, errorPercent } = this.#settings;
    const { requests, failures } = this.#window.totals(this.#now());
    return requests >= minRequests && failures * 100 > requests * errorPercent;
  }

  #change(to: BreakerState, reason: string): void {
    const from = this.#state;
    this.#state = to;
    this.#onChange(from, to, reason);
  }
}

/** opossum requires an action; this breaker never fires one. */
function unused(): Promise<void> {
  return Promise.resolve();
}
