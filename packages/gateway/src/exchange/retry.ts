/**
 * Decides what follows an attempt: whether, and where, the request is sent again. Pure, except that {@link decide} takes from the
 * retry budget. `attempt-loop.ts` alone departs from it: without a target for the first attempt, or for the next one, the exchange
 * fails without a decision; and an earlier refusal of a region replaces a `fail`.
 *
 * Around it, one step each, in the order in which `exchange.ts` and `attempt-loop.ts` take them:
 *  1. `attempt.ts` turns what happened on the connection into one {@link Outcome}.
 *  2. `verdict.ts` decides what the outcome says about the target, and `apply-verdict.ts` acts on it. It never changes what follows.
 *  3. `suspicion.ts` counts the targets that the request may have taken down.
 *  4. `ownership/route.ts` decides where a response 421 leads.
 *  5. {@link decide} takes all of these as input and decides.
 *  6. `regions/select.ts` chooses the target of the next attempt.
 */
import { isProduce, type Operation, retryClassOf } from '@causeway/protocol/operations/table.ts';
import type { FollowedMisdirection, Misdirection } from '../ownership/route.ts';
import {
  type DecidedOutcome,
  isFaultOfKafka,
  isFinal,
  isIdleClose,
  isRefusalOfCluster,
  isSurelyNotExecuted,
  MISDIRECTED,
} from './outcome.ts';
import type { FailureCode } from './own-errors.ts';
import { MAX_LOSSES } from './suspicion.ts';

export interface RetryInput {
  readonly operation: Operation;
  readonly method: string;
  /** The whole body was kept, or the request has no body. */
  readonly isBodyKept: boolean;
  /** The client has a part of the response. */
  readonly isResponseStarted: boolean;
  readonly attemptCount: number;
  readonly maxAttempts: number;
  /** Whether a target is left that was not tried. */
  readonly hasNextTarget: () => boolean;
  readonly isPastDeadline: () => boolean;
  /** The target of the attempt responded to the last probe. */
  readonly targetAnswersProbes: boolean;
  /** The request has an idempotency key: what is repeated is stored once. */
  readonly isKeyed: boolean;
  /** A certain bridge must serve it: the owner of a consumer that exists, or existed, or of the key's slot. */
  readonly isOwned: boolean;
  /** Where a response 421 leads; `undefined` for requests that no owner has to serve. */
  readonly misdirection: (() => Misdirection) | undefined;
  /** Targets that were lost soon after they got the request, this one and those behind other gateways included. */
  readonly lossCount: number;
  /** Those of them that this gateway lost. */
  readonly ownLossCount: number;
  /** It was resent to this target already. */
  readonly wasResent: boolean;
  /** Whether the next probes will show if another target reaches the Kafka that is silent for this one. */
  readonly isKafkaUndecided: () => boolean;
  /** Whether the request may wait for its Kafka cluster to serve again, or for another one to be promoted. */
  readonly mayAwaitCluster: () => boolean;
  /** Whether healthy targets are left out because they are full. */
  readonly isHeldUpByLimit: () => boolean;
  readonly produce: 'exactly-once' | 'at-least-once' | 'at-most-once';
  /** Takes one retry out of the budget; called only when everything else speaks for a retry. */
  readonly takeFromBudget: () => boolean;
}

export type Decision =
  /** Send it to a target that was not tried. */
  | { action: 'retry' }
  /** Send it to the same target, over a new connection. */
  | { action: 'resend' }
  /** Send it to the owner of its consumer or slot. */
  | { action: 'follow'; misdirection: FollowedMisdirection }
  /** Decide again in a moment. */
  | { action: 'wait' }
  /** Start over when the active Kafka cluster serves again, or another one does. */
  | { action: 'awaitCluster' }
  /** Send the response of the attempt to the client. */
  | { action: 'respond' }
  /** Respond with an error of the gateway itself. */
  | { action: 'fail'; code: FailureCode }
  /** Close the connection: the client has a part of a response that will not be completed. */
  | { action: 'destroy' };

/** The cheapest reason comes first. `inputOf` is not called for a response that simply goes to the client. */
export function decide(outcome: DecidedOutcome, inputOf: () => RetryInput): Decision {
  if (isFinal(outcome) && !isMisdirected(outcome)) return RESPOND;
  const input = inputOf();
  const decision = decideUncharged(outcome, input);
  if (decision.action !== 'retry' || !isChargedToBudget(outcome, input) || input.takeFromBudget()) return decision;
  return outcome.kind === 'answered' ? RESPOND : { action: 'fail', code: 'retryBudgetExhausted' };
}

/**
 * Whether a request in flight leaves its target, which was declared down (`outcome`), for the one that is next: only
 * for one that is available. It stays where it is otherwise: the target may still respond.
 */
export function mayMove(
  outcome: DecidedOutcome,
  input: RetryInput,
  next: () => { isAvailable: boolean } | undefined,
): boolean {
  return decideUncharged(outcome, input).action === 'retry' && next()?.isAvailable === true;
}

const RESPOND: Decision = { action: 'respond' };

function decideUncharged(outcome: DecidedOutcome, input: RetryInput): Decision {
  const isAnswered = outcome.kind === 'answered';
  if (input.isResponseStarted) return isAnswered ? RESPOND : { action: 'destroy' };
  if (isMisdirected(outcome)) {
    return input.misdirection === undefined ? RESPOND : decideMisdirected(input.misdirection(), input);
  }
  const giveUp = (): Decision => (isAnswered ? RESPOND : { action: 'fail', code: failureOf(outcome, input) });
  if (input.isPastDeadline()) return giveUp();
  // A streamed body is complete as long as no connection has taken a part of it.
  if (!input.isBodyKept && outcome.kind !== 'connectFailed') return giveUp();
  // However the last attempt ended: the next target would be the third.
  const isOver = input.lossCount >= MAX_LOSSES;
  const isRepeatable = isSurelyNotExecuted(outcome) || mayBeExecutedTwice(input);
  if (isRepeatable && isIdleClose(outcome) && !input.wasResent && !isOver) return { action: 'resend' };
  if (isBoundToTarget(outcome, input)) return giveUp();
  if (!input.hasNextTarget()) {
    if (isFaultOfKafka(outcome) && !isOver && input.isKafkaUndecided()) return { action: 'wait' };
    return isRepeatable && !isOver && input.mayAwaitCluster() ? { action: 'awaitCluster' } : giveUp();
  }
  if (input.attemptCount >= input.maxAttempts) {
    return isRepeatable && !isOver && input.mayAwaitCluster() ? { action: 'awaitCluster' } : giveUp();
  }
  if (!isRepeatable) return giveUp();
  if (isOver) return isAnswered ? giveUp() : { action: 'fail', code: 'targetsLost' };
  return { action: 'retry' };
}

/** The owner is another bridge. */
function isMisdirected(outcome: DecidedOutcome): boolean {
  return outcome.kind === 'answered' && outcome.status === MISDIRECTED;
}

/** After a response 421 the request was not executed: following it costs neither an attempt nor the budget. */
function decideMisdirected(misdirection: Misdirection, { isBodyKept, isPastDeadline, isKeyed }: RetryInput): Decision {
  if (misdirection.to === 'sender') return RESPOND;
  if (misdirection.to === 'nowhere' || !isBodyKept || isPastDeadline())
    return { action: 'fail', code: isKeyed ? 'slotMoving' : 'consumerMoving' };
  return { action: 'follow', misdirection };
}

/**
 * Whether the request must stay with its target, which lives. A request that timed out at a target that responds to probes waited
 * for something that its client asked for: another target would make it wait, too, execute it twice, or take a consumer or a slot
 * from a healthy owner. And an owner that refuses a request for reasons of its own remains the owner.
 */
function isBoundToTarget(outcome: DecidedOutcome, { operation, isOwned, targetAnswersProbes }: RetryInput): boolean {
  if (outcome.kind === 'timedOut') return targetAnswersProbes && retryClassOf(operation) !== 'read';
  return outcome.kind === 'answered' && outcome.fault === 'request' && isOwned;
}

function failureOf(
  outcome: DecidedOutcome,
  { isPastDeadline, ownLossCount, isHeldUpByLimit }: RetryInput,
): FailureCode {
  if (outcome.kind === 'connectFailed' && outcome.fault === 'gateway') return 'outOfConnections';
  if (outcome.kind === 'timedOut' || isPastDeadline()) return 'deadlineExceeded';
  // The unreachable target is not the only one, and the others are full.
  const isUnsent = outcome.kind === 'connectFailed' && ownLossCount === 0;
  return isUnsent && isHeldUpByLimit() ? 'overloaded' : 'regionFailed';
}

/** Records with a key are stored once, others may be stored twice if the operator allows it. */
function mayBeExecutedTwice({ operation, method, isKeyed, produce }: RetryInput): boolean {
  switch (retryClassOf(operation)) {
    case 'read':
    case 'repeatable':
      return true;
    case 'stores':
      // A topic is created once, whatever repeats the request.
      return isKeyed || produce === 'at-least-once' || (produce === 'exactly-once' && !isProduce(operation));
    case 'unknown':
      // An operation that this gateway does not know: safe methods only (RFC 9110 §9.2.1).
      return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || produce === 'at-least-once';
  }
}

/**
 * Retries that cost the targets nothing are free: nothing was sent, the target is down already, its Kafka cluster stands by, or a waiting
 * poll moves, whose client would poll again at once.
 */
function isChargedToBudget(outcome: DecidedOutcome, { operation }: RetryInput): boolean {
  if (outcome.kind === 'connectFailed' || outcome.kind === 'targetDown') return false;
  return operation !== 'poll' && !isRefusalOfCluster(outcome);
}
