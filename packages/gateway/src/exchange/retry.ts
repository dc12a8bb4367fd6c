/** Decides what follows the end of an attempt: the only place that does. Pure. */
import { type Operation, retryClassOf } from '@causeway/protocol/operations/table.ts';
import { isFinal, isSurelyNotExecuted, type Outcome } from './outcome.ts';
import type { FailureCode } from './own-answers.ts';

export interface RetryInput {
  readonly outcome: Outcome;
  readonly operation: Operation;
  readonly method: string;
  /** The whole request body is at hand: it was kept, or nobody has taken of it. */
  readonly isBodyReplayable: boolean;
  /** The client has seen a part of the answer. */
  readonly isAnswerStarted: boolean;
  readonly attemptCount: number;
  readonly maxAttempts: number;
  /** A target that was not tried yet. */
  readonly hasNextTarget: () => boolean;
  readonly isPastDeadline: () => boolean;
  /** The target of the attempt answered the last probe. */
  readonly targetAnswersProbes: boolean;
  /** The request is one to a consumer that exists, or existed. */
  readonly isOfConsumer: boolean;
  /** Targets that were lost soon after they got the request, this one and those behind other gateways included. */
  readonly lossCount: number;
  /** It was sent to this target once more already. */
  readonly wasResent: boolean;
  /** Whether the next probes will tell if another target reaches the Kafka that did not answer this one. */
  readonly isKafkaUndecided: () => boolean;
  readonly produce: 'at-least-once' | 'at-most-once';
  /** Takes one retry out of the budget; asked only when everything else speaks for a retry. */
  readonly takeFromBudget: () => boolean;
}

export type Decision =
  | { action: 'retry' }
  /** Send it to the same target, over a new connection. */
  | { action: 'resend' }
  /** Decide again in a moment. */
  | { action: 'wait' }
  /** Send the answer of the attempt to the client. */
  | { action: 'reply' }
  /** Answer with an error of the gateway's own. */
  | { action: 'fail'; code: FailureCode }
  /** The client has part of an answer that will not be completed: break the connection, so that it knows. */
  | { action: 'destroy' }
  /** Nobody is there to answer. */
  | { action: 'drop' };

/** Cheapest reason first. */
export function decide(input: RetryInput): Decision {
  const { outcome } = input;
  if (outcome.kind === 'clientGone') return { action: 'drop' };
  if (isFinal(outcome)) return { action: 'reply' };
  if (input.isAnswerStarted) return { action: 'destroy' };
  const giveUp: Decision =
    outcome.kind === 'answered' ? { action: 'reply' } : { action: 'fail', code: failureOf(input) };
  if (input.isPastDeadline()) return giveUp;
  if (!input.isBodyReplayable) return giveUp;
  // Whatever became of the last attempt: the next target would be the third.
  const isOver = input.lossCount >= MAX_LOSSES;
  const isRepeatable = isSurelyNotExecuted(outcome) || mayBeExecutedTwice(input);
  if (isRepeatable && isIdleClose(outcome) && !input.wasResent && !isOver) return { action: 'resend' };
  if (isOwnersWord(input)) return giveUp;
  if (!input.hasNextTarget()) {
    return isFaultOfKafka(outcome) && !isOver && input.isKafkaUndecided() ? { action: 'wait' } : giveUp;
  }
  if (input.attemptCount >= input.maxAttempts) return giveUp;
  if (!isRepeatable) return giveUp;
  if (isOver) return outcome.kind === 'answered' ? giveUp : { action: 'fail', code: 'targetsLost' };
  if (isChargedToBudget(input) && !input.takeFromBudget()) {
    return outcome.kind === 'answered' ? giveUp : { action: 'fail', code: 'retryBudgetExhausted' };
  }
  return { action: 'retry' };
}

/** Targets that a request may take down with it: the second one is offered it with a mark, a third one never. */
export const MAX_LOSSES = 2;

/** The target closed a connection that was idle until then. */
function isIdleClose(outcome: Outcome): boolean {
  return outcome.kind === 'brokenBeforeHeaders' && outcome.isReused === true;
}

export function isFaultOfKafka(outcome: Outcome): boolean {
  return (
    (outcome.kind === 'answered' && outcome.fault === 'kafka') ||
    (outcome.kind === 'targetDown' && outcome.isOfKafka === true)
  );
}

/**
 * Whether the target is to be left alone with the request, because it lives. A request that waited for a target that
 * answers probes waited for what its client asked for: elsewhere it would wait, too, be executed twice, or take a consumer
 * from an owner that is well. And an owner that refuses a consumer's request for its own reasons still is the owner.
 */
function isOwnersWord({ outcome, operation, isOfConsumer, targetAnswersProbes }: RetryInput): boolean {
  if (outcome.kind === 'timedOut') return targetAnswersProbes && retryClassOf(operation) !== 'read';
  return outcome.kind === 'answered' && outcome.fault === 'request' && isOfConsumer;
}

function failureOf({ outcome, isPastDeadline }: RetryInput): FailureCode {
  if (outcome.kind === 'connectFailed' && outcome.culprit === 'gateway') return 'outOfConnections';
  return outcome.kind === 'timedOut' || isPastDeadline() ? 'deadlineExceeded' : 'regionFailed';
}

/** Records may be stored twice if the operator allows it. */
function mayBeExecutedTwice({ operation, method, produce }: RetryInput): boolean {
  switch (retryClassOf(operation)) {
    case 'read':
    case 'repeatable':
      return true;
    case 'stores':
      return produce === 'at-least-once';
    case 'unknown':
      // An operation that this gateway does not know: safe methods only (RFC 9110 §9.2.1).
      return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || produce === 'at-least-once';
  }
}

/**
 * What costs the targets nothing is not charged: nothing was sent, or the target is out of use already, or a waiting
 * poll moves (its client would ask again at once).
 */
function isChargedToBudget({ outcome, operation }: RetryInput): boolean {
  return outcome.kind !== 'connectFailed' && outcome.kind !== 'targetDown' && operation !== 'poll';
}
