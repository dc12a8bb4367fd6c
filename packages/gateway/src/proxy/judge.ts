/** What the end of an attempt says about its target: to its breaker, to its counters, and to whoever probes it. */
import { FAULT_HEADER, FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';
import type { Trial } from '../regions/breaker.ts';
import type { Target } from '../regions/target.ts';
import type { RequestStats } from '../stats.ts';
import type { ResponseHeaders } from '../upstream/response-head.ts';
import type { Outcome } from './outcome.ts';

export interface JudgedAttempt {
  readonly target: Target;
  readonly trial: Trial;
  /** Of the answer. */
  readonly headers: ResponseHeaders;
}

export interface JudgeOptions {
  /** The request was one to a consumer that exists, or existed. */
  isOfConsumer: boolean;
  gateway: { readonly stats: RequestStats; readonly regions: { suspect(target: Target): void } };
}

const SERVER_ERROR = 500;

export function judgeTarget(attempt: JudgedAttempt, outcome: Outcome, options: JudgeOptions): void {
  const { target, trial } = attempt;
  const { stats, regions } = options.gateway;
  const { breaker, traffic } = target;
  stats.attempted(target.region, outcome.kind);
  traffic.requestCount += 1;
  if (outcome.kind === 'clientGone') {
    breaker.abandoned(trial);
  } else if (outcome.kind === 'answered') {
    if (outcome.status < SERVER_ERROR || isRequestsFault(attempt, outcome.status, options)) breaker.succeeded(trial);
    else breaker.failed(`answered ${outcome.status}`, trial);
    if (outcome.status >= SERVER_ERROR) traffic.errorCount += 1;
  } else {
    traffic.errorCount += 1;
    breaker.failed(outcome.reason, trial);
    if (outcome.kind !== 'targetDown') regions.suspect(target);
  }
}

/**
 * A 500 to a consumer's request speaks of that consumer ("not subscribed"), and one that a bridge marks of what was asked:
 * one client's mistakes must not take the target from all others.
 */
function isRequestsFault({ headers }: JudgedAttempt, status: number, { isOfConsumer }: JudgeOptions): boolean {
  return status === SERVER_ERROR && (isOfConsumer || headers[FAULT_HEADER] === FAULT_OF_REQUEST);
}
