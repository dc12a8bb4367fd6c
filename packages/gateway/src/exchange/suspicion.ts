/**
 * Counts the targets that were lost while a request was in flight on them: a body that kills or stalls a bridge must not take
 * down one region after the other.
 *
 * The count covers all gateways on the way of the request: each passes it to the next one (`causeway-suspect`), and returns its own
 * with its error.
 */
import { SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import type { RequestSettings } from '../regions/snapshot.ts';
import { isIdleClose, isLoss, isUnreachable, type Outcome } from './outcome.ts';

/**
 * A target that is lost later than this after it got the request, plus the time that probes take to notice, was not lost through
 * it: a request that kills or stalls a bridge does so as the bridge reads it.
 */
const SUSPICION_MS = 5_000;

export interface EndedAttempt {
  readonly target: object;
  readonly startedMs: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The most targets that a request may take down: the second gets it as a suspect, a third never. */
export const MAX_LOSSES = 2;

export class Suspicion {
  /** By gateways before this one. */
  readonly #before: number;
  /** A set: a target may be lost with the first attempt and with the resend. */
  readonly #lost = new Set<object>();
  /**
   * Closed the idle connection on which the request arrived, or died of the request: that the resend fails, too, proves it lost.
   */
  #doubted: object | undefined;
  #behind = 0;

  /** `header`: the count of the gateway before this one. */
  constructor(header: string | undefined) {
    this.#before = countOf(header);
  }

  /** Targets that were lost soon after they got the request. */
  get lossCount(): number {
    return this.#before + this.ownLossCount;
  }

  /** Those that this gateway and the ones behind it lost. */
  get ownLossCount(): number {
    return this.#lost.size + this.#behind;
  }

  ended(
    { target, startedMs, headers }: EndedAttempt,
    outcome: Outcome,
    { nowMs, settings }: { nowMs: number; settings: RequestSettings },
  ): void {
    const { intervalMs, timeoutMs, fall } = settings.healthCheck;
    const noticedAfterMs = SUSPICION_MS + intervalMs + fall * timeoutMs;
    const wasDoubted = this.#doubted === target;
    this.#doubted = undefined;
    if (outcome.kind === 'answered') this.#behind += countOf(headers[SUSPECT_HEADER]);
    else if (isIdleClose(outcome) && !wasDoubted) this.#doubted = target;
    else if ((isLoss(outcome) || (wasDoubted && isUnreachable(outcome))) && nowMs - startedMs <= noticedAfterMs)
      this.#lost.add(target);
  }

  /** The headers of the next attempt. */
  mark(headers: string[]): string[] {
    return this.lossCount === 0 ? headers : [...headers, SUSPECT_HEADER, String(this.lossCount)];
  }
}

function countOf(header: string | string[] | undefined): number {
  return typeof header === 'string' && /^\d$/.test(header) ? Number(header) : 0;
}
