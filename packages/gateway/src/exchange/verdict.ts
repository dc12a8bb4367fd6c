/**
 * Decides what the outcome of an attempt says about its target. Pure; `apply-verdict.ts` acts on it.
 *
 * The rule: an outcome that a client can cause by itself says nothing about a target. A client's `timeout`, the queue of its
 * consumer, its options, its body, its slow reading and topics that do not exist determine how long a request takes and how it
 * fails; held against the target, one client could take it from all others. Evidence against a target is a refused connection, a
 * failed probe, and a response >= 500 that names no other fault. docs/faults.md explains it to operators.
 */
import type { Outcome } from './outcome.ts';

export type Verdict =
  /** The target did its work. */
  | 'succeeded'
  /** The target is at fault. */
  | 'failed'
  /** The request or the target is at fault: counts if several clients see it with no response in between. */
  | 'doubted'
  /** The outcome says nothing about the target. */
  | 'nothing';

export const SERVER_ERROR = 500;
/**
 * Errors of the request, from targets that work: not implemented, version not supported (RFC 9110 §15.6.2 and §15.6.6), loop
 * detected (RFC 5842 §7.2).
 */
const OF_REQUEST: ReadonlySet<number> = new Set([501, 505, 508]);

/** `isOfConsumer`: the request is for a consumer that exists, or existed. */
export function verdictOn(outcome: Outcome, { isOfConsumer }: { isOfConsumer: boolean }): Verdict {
  switch (outcome.kind) {
    case 'clientGone':
      return 'nothing';
    case 'answered': {
      const { status, fault } = outcome;
      if (status < SERVER_ERROR || OF_REQUEST.has(status) || fault === 'request') return 'succeeded';
      if (fault === 'kafka' || fault === 'cluster') return 'nothing';
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
