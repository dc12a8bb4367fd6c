/** Decides what follows the end of an attempt: the only place that does. Pure. */
import type { Operation } from '@causeway/protocol/paths.ts';
import { assertNever } from '../errors.ts';
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
  readonly produce: 'at-least-once' | 'at-most-once';
  /** Takes one retry out of the budget; asked only when everything else speaks for a retry. */
  readonly takeFromBudget: () => boolean;
}

export type Decision =
  | { action: 'retry' }
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
  if (!input.hasNextTarget() || input.attemptCount >= input.maxAttempts) return giveUp;
  if (!isSurelyNotExecuted(outcome) && !mayBeExecutedTwice(input)) return giveUp;
  if (isChargedToBudget(input) && !input.takeFromBudget()) {
    return outcome.kind === 'answered' ? giveUp : { action: 'fail', code: 'retryBudgetExhausted' };
  }
  return { action: 'retry' };
}

function failureOf({ outcome, isPastDeadline }: RetryInput): FailureCode {
  return outcome.kind === 'timedOut' || isPastDeadline() ? 'deadlineExceeded' : 'regionFailed';
}

/** Reads and everything that a consumer does may be done twice; records may stand twice if the operator allows it. */
function mayBeExecutedTwice({ operation, method, produce }: RetryInput): boolean {
  switch (operation) {
    case 'info':
    case 'healthy':
    case 'ready':
    case 'metrics':
    case 'openapi':
    case 'openapiv3':
    case 'listTopics':
    case 'getTopic':
    case 'listPartitions':
    case 'getPartition':
    case 'getOffsets':
    case 'poll':
    case 'listCommitted':
    case 'listAssignments':
    case 'listPositions':
    case 'commit':
    case 'seek':
    case 'seekToBeginning':
    case 'seekToEnd':
    case 'subscribe':
    case 'unsubscribe':
    case 'listSubscriptions':
    case 'assign':
    case 'createConsumer':
    case 'deleteConsumer':
      return true;
    case 'send':
    case 'sendToPartition':
    case 'createTopic':
      return produce === 'at-least-once';
    case 'unknown':
      // An operation that this gateway does not know: safe methods only (RFC 9110 §9.2.1).
      return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || produce === 'at-least-once';
    default:
      return assertNever(operation);
  }
}

/**
 * What costs the targets nothing is not charged: nothing was sent, or the target is out of use already, or a waiting
 * poll moves (its client would ask again at once).
 */
function isChargedToBudget({ outcome, operation }: RetryInput): boolean {
  return outcome.kind !== 'connectFailed' && outcome.kind !== 'targetDown' && operation !== 'poll';
}
