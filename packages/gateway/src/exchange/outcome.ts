/** How an attempt ended: one value of one union. */

/** What a target names as the fault of an answer >= 500 (`causeway-fault`); `undefined`: the target itself. */
export type AnswerFault = 'request' | 'kafka' | undefined;

export type Outcome =
  /** The target answered; the status may still be one that another target does better. */
  | { kind: 'answered'; status: number; fault?: AnswerFault }
  /**
   * No connection: nothing was sent, so nothing was executed. `culprit`: the gateway lacks what a connection takes (file
   * descriptors, ports, memory), or the time of the request was over; left out: the target.
   */
  | { kind: 'connectFailed'; reason: string; culprit?: 'gateway' | 'request' }
  /**
   * The connection ended before the answer began: the request may have been executed. `isReused`: it had carried other
   * requests before, and the target may have closed it just then (RFC 9112 §9.5).
   */
  | { kind: 'brokenBeforeHeaders'; reason: string; isReused?: boolean }
  /** No answer in time: the request may have been executed. */
  | { kind: 'timedOut'; reason: string }
  /**
   * The target was declared down while the request was in flight on it: it may have been executed. `isOfKafka`: the target
   * answers, and says that its Kafka does not.
   */
  | { kind: 'targetDown'; reason: string; isOfKafka?: boolean }
  /** The connection ended within the answer. */
  | { kind: 'brokenMidBody'; reason: string }
  /** The client is not there any more. */
  | { kind: 'clientGone' };

/** Misdirected Request (RFC 9110 §15.5.20): the consumer's owner is another bridge. */
export const MISDIRECTED = 421;

/**
 * Statuses by which a target says that it cannot do the work while another may: unavailable (RFC 9110 §15.6.4), or a
 * gateway's word on what is behind it (§15.6.3, §15.6.5).
 */
export function isTargetsFault(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/**
 * Whether there is nothing to decide: a target answered, and the answer is the client's. A 502 or 504 of which the gateway
 * behind says that the request is at fault is: elsewhere the request would fail, or wait, alike.
 */
export function isFinal(outcome: Outcome): boolean {
  if (outcome.kind !== 'answered') return false;
  return !isTargetsFault(outcome.status) || (outcome.fault === 'request' && outcome.status !== 503);
}

/** Whether the request was not executed for sure. */
export function isSurelyNotExecuted(outcome: Outcome): boolean {
  // 503 is a refusal; 502 and 504 tell what a gateway saw of a request that it passed on.
  return outcome.kind === 'connectFailed' || (outcome.kind === 'answered' && outcome.status === 503);
}

/** Whether the target was lost while the request was under way on it, so that the request may be why. */
export function isLoss(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case 'brokenBeforeHeaders':
    case 'brokenMidBody':
    case 'timedOut':
      return true;
    case 'targetDown':
      return outcome.isOfKafka !== true;
    default:
      return false;
  }
}
