/** What the end of an attempt says about its target: to its breaker, to its counters, and to whoever probes it. */
import type { Trial } from '../regions/breaker.ts';
import type { Target } from '../regions/target.ts';
import type { RequestStats } from '../stats.ts';
import type { Outcome } from './outcome.ts';

export interface JudgedAttempt {
  readonly target: Target;
  readonly trial: Trial;
}

export interface JudgeOptions {
  /** The request was one to a consumer that exists, or existed. */
  isOfConsumer: boolean;
  gateway: { readonly stats: RequestStats; readonly regions: { suspect(target: Target): void } };
}

const SERVER_ERROR = 500;

export function judgeTarget({ target, trial }: JudgedAttempt, outcome: Outcome, options: JudgeOptions): void {
  const { stats, regions } = options.gateway;
  const { breaker, traffic } = target;
  stats.attempted(target.region, outcome.kind);
  traffic.requestCount += 1;
  if (outcome.kind === 'clientGone') {
    breaker.abandoned(trial);
  } else if (outcome.kind === 'answered') {
    // A 500 to a consumer's request speaks of that consumer ("not subscribed"), not of the target.
    const isConsumersFault = outcome.status === SERVER_ERROR && options.isOfConsumer;
    if (outcome.status < SERVER_ERROR || isConsumersFault) breaker.succeeded(trial);
    else breaker.failed(`answered ${outcome.status}`, trial);
    if (outcome.status >= SERVER_ERROR) traffic.errorCount += 1;
  } else {
    traffic.errorCount += 1;
    breaker.failed(outcome.reason, trial);
    if (outcome.kind !== 'targetDown') regions.suspect(target);
  }
}
