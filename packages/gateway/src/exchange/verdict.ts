/**
 * What the end of an attempt says about its target: to its breaker, to its counters, and to its probes.
 *
 * The rule: what a client can bring about by itself says nothing about a target. Its `timeout`, the queue of its consumer,
 * its options, its body, its slow reading, a topic that does not exist decide how long a request takes and how it fails;
 * were they held against the target, one client could take it from all others. What does speak against a target is a
 * connection that it refuses, a probe that fails, and an answer >= 500 for which it names no other fault. docs/faults.md
 * says it for operators.
 */
import { clientNetwork } from '@causeway/config/client-address.ts';
import type { Trial } from '../regions/breaker.ts';
import type { Target } from '../regions/target.ts';
import type { RequestStats } from '../stats.ts';
import type { ClientRequest } from './client-request.ts';
import type { Outcome } from './outcome.ts';

export type Verdict =
  /** The target did its work. */
  | 'well'
  /** The target is at fault. */
  | 'failed'
  /** The request or the target: many clients must say so, and no answer may come in between. */
  | 'doubted'
  /** The end says nothing. */
  | 'nothing';

const SERVER_ERROR = 500;
/**
 * Words on the request, of targets that work: not implemented, version not supported (RFC 9110 §15.6.2 and §15.6.6), and a
 * loop of gateways that name each other (RFC 5842 §7.2).
 */
const OF_REQUEST: ReadonlySet<number> = new Set([501, 505, 508]);

/** Pure. `isOfConsumer`: the request was one to a consumer that exists, or existed. */
export function verdictOn(outcome: Outcome, { isOfConsumer }: { isOfConsumer: boolean }): Verdict {
  switch (outcome.kind) {
    case 'clientGone':
      return 'nothing';
    case 'answered': {
      const { status, fault } = outcome;
      if (status < SERVER_ERROR || OF_REQUEST.has(status) || fault === 'request') return 'well';
      if (fault === 'kafka') return 'nothing';
      // A 500 to a consumer's request speaks of that consumer ("not subscribed").
      return status === SERVER_ERROR && isOfConsumer ? 'well' : 'failed';
    }
    case 'connectFailed':
      return outcome.culprit === undefined ? 'failed' : 'nothing';
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
  request: Pick<ClientRequest, 'url' | 'clientAddress'>;
  context: { readonly stats: RequestStats; readonly regions: TargetWatch };
}

/** What the registry does about a target of which a request says something. */
export interface TargetWatch {
  /** The target failed. */
  suspect(target: Target): void;
  /** Something is wrong with the target or with a request. */
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
  } else if (outcome.kind !== 'clientGone') {
    traffic.errorCount += 1;
  }
  switch (verdictOn(outcome, { isOfConsumer: request.url.instance !== undefined })) {
    case 'well':
      breaker.succeeded(trial);
      break;
    case 'failed':
      breaker.failed(reasonOf(outcome), trial);
      if (outcome.kind === 'connectFailed') regions.suspect(target);
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
