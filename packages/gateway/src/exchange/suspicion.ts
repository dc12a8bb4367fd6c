/**
 * Whether a request is the reason why targets were lost while it was under way on them: a body that kills or stalls a
 * bridge would take one region after the other.
 *
 * Counted along the way of the request over all gateways: each tells the next one what it has seen (`causeway-suspect`), and
 * with its error the one before.
 */
import { SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import type { RequestSettings } from '../regions/snapshot.ts';
import { isLoss, type Outcome } from './outcome.ts';

/**
 * A target that is lost later than this after it got the request, and the probes' time to notice, was not lost by it: what
 * kills or stalls a bridge does so as it is read.
 */
const SUSPICION_MS = 5_000;

export interface EndedAttempt {
  readonly target: object;
  readonly startedMs: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export class Suspicion {
  /** Before the request came here. */
  readonly #before: number;
  /** A target that dies resets more than one connection: that on which it had the request, and that on which it gets it anew. */
  readonly #lost = new Set<object>();
  #behind = 0;

  /** `header`: what a gateway before this one says. */
  constructor(header: string | undefined) {
    this.#before = countOf(header);
  }

  /** Targets that were lost soon after they got the request. */
  get lossCount(): number {
    return this.#before + this.ownLossCount;
  }

  /** Those of which the gateway before this one does not know. */
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
    if (outcome.kind === 'answered') this.#behind += countOf(headers[SUSPECT_HEADER]);
    else if (isLoss(outcome) && nowMs - startedMs <= noticedAfterMs) this.#lost.add(target);
  }

  /** The headers of the next attempt. */
  mark(headers: string[]): string[] {
    return this.lossCount === 0 ? headers : [...headers, SUSPECT_HEADER, String(this.lossCount)];
  }
}

function countOf(header: string | string[] | undefined): number {
  return typeof header === 'string' && /^\d$/.test(header) ? Number(header) : 0;
}
