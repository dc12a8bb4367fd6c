/**
 * What the outcome of an attempt says about its target: for its breaker, its counters and its probes.
 *
 * The rule: an outcome that a client can cause by itself says nothing about a target. A client's `timeout`, the queue of its
 * consumer, its options, its body, its slow reading and topics that do not exist determine how long a request takes and how it
 * fails; held against the target, one client could take it from all others. Evidence against a target is a refused connection, a
 * failed probe, and a response >= 500 that names no other fault. docs/faults.md explains it to operators.
 */
import { clientNetwork } from '@causeway/config/client-address.ts';
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import type { Trial } from '../regions/breaker.ts';
import type { Target } from '../regions/target.ts';
import type { RequestStats } from '../stats.ts';
import { isIdleClose, type Outcome } from './outcome.ts';

export type Verdict =
  /** The target did its work. */
  | 'succeeded'
  /** The target is at fault. */
  | 'failed'
  /** The request or the target is at fault: counts if several clients see it with no response in between. */
  | 'doubted'
  /** The outcome says nothing about the target. */
  | 'nothing';

const SERVER_ERROR = 500;
/**
 * Errors of the request, from targets that work: not implemented, version not supported (RFC 9110 §15.6.2 and §15.6.6), loop
 * detected (RFC 5842 §7.2).
 */
const OF_REQUEST: ReadonlySet<number> = new Set([501, 505, 508]);

/** Pure. `isOfConsumer`: the request is for a consumer that exists, or existed. */
export function verdictOn(outcome: Outcome, { isOfConsumer }: { isOfConsumer: boolean }): Verdict {
  switch (outcome.kind) {
    case 'clientGone':
      return 'nothing';
    case 'answered': {
      const { status, fault } = outcome;
      if (status < SERVER_ERROR || OF_REQUEST.has(status) || fault === 'request') return 'succeeded';
      if (fault === 'kafka') return 'nothing';
      // A 500 to a consumer's request concerns that consumer ("not subscribed").
      return status === SERVER_ERROR && isOfConsumer ? 'succeeded' : 'failed';
    }
    case 'connectFailed':
      return outcome.fault === undefined ? 'failed' : 'nothing';
    case 'targetDown':
      return outcome.isOfKafka === true ? 'nothing' : 'failed';
    case 'brokenBeforeHeaders':
      // An idle connection may end at any moment (RFC 9112 §9.5).
      return outcome.isReused === true ? 'nothing' : 'doubted';
    case 'timedOut':
    case 'brokenMidBody':
      return 'doubted';
  }
}

export interface JudgedAttempt {
  readonly target: Target;
  readonly trial: Trial;
}

export interface JudgeOptions {
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

/** Reports the end of an attempt to its target, and to the registry. */
export function judgeTarget(
  { target, trial }: JudgedAttempt,
  outcome: Outcome,
  { request, context }: JudgeOptions,
): void {
  const { stats, regions } = context;
  const { breaker, doubts, traffic } = target;
  stats.attempted(target.region, outcome.kind);
  traffic.requestCount += 1;
  if (outcome.kind === 'answered') {
    doubts.clear();
    if (outcome.status >= SERVER_ERROR) traffic.errorCount += 1;
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
      if (outcome.kind === 'brokenBeforeHeaders') regions.probeSoon(target);
      break;
  }
}

function reasonOf(outcome: Outcome): string {
  if (outcome.kind === 'answered') return `answered ${outcome.status}`;
  return outcome.kind === 'clientGone' ? 'the client went away' : outcome.reason;
}
