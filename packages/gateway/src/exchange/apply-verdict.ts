/** Acts on the verdict on a target: its breaker, its counters, its doubts and its probes. */
import { clientNetwork } from '@causeway/config/client-address.ts';
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import type { Trial } from '../regions/breaker.ts';
import type { Target } from '../regions/target.ts';
import type { RequestStats } from '../stats.ts';
import { isIdleClose, isRefusalOfCluster, type Outcome } from './outcome.ts';
import { SERVER_ERROR, verdictOn } from './verdict.ts';

export interface TargetAttempt {
  readonly target: Target;
  readonly trial: Trial;
}

export interface VerdictContext {
  request: { readonly url: ParsedUrl; readonly clientAddress: string };
  context: { readonly stats: RequestStats; readonly regions: TargetWatch };
}

/** How the registry reacts to verdicts. */
export interface TargetWatch {
  /** The target failed a request: restarts its time of stability, and probes it. */
  failed(target: Target): void;
  /** The target or a request is at fault: a probe will show. */
  probeSoon(target: Target): void;
}

/** Reports the end of an attempt to the counters, to the target's breaker and doubts, and to the registry. */
export function applyVerdict(
  { target, trial }: TargetAttempt,
  outcome: Outcome,
  { request, context }: VerdictContext,
): void {
  const { stats, regions } = context;
  const { breaker, doubts, traffic } = target;
  stats.attempted(target.region, outcome.kind);
  traffic.requestCount += 1;
  if (outcome.kind === 'answered') {
    doubts.clear();
    if (outcome.status >= SERVER_ERROR && outcome.fault !== 'cluster') traffic.errorCount += 1;
  } else if (outcome.kind !== 'clientGone' && !isIdleClose(outcome)) {
    traffic.errorCount += 1;
  }
  switch (verdictOn(outcome, { isOfConsumer: request.url.instance !== undefined })) {
    case 'succeeded':
      breaker.succeeded(trial);
      break;
    case 'failed':
      breaker.failed(reasonOf(outcome), trial);
      if (outcome.kind === 'connectFailed') regions.failed(target);
      break;
    case 'doubted':
      if (doubts.add(clientNetwork(request.clientAddress))) breaker.failed(reasonOf(outcome), trial);
      else breaker.abandoned(trial);
      regions.probeSoon(target);
      break;
    case 'nothing':
      breaker.abandoned(trial);
      if (outcome.kind === 'brokenBeforeHeaders' || isRefusalOfCluster(outcome)) regions.probeSoon(target);
      break;
  }
}

function reasonOf(outcome: Outcome): string {
  if (outcome.kind === 'answered') return `answered ${outcome.status}`;
  return outcome.kind === 'clientGone' ? 'the client went away' : outcome.reason;
}
