/** How an attempt ended: one value of one union. */

export type Outcome =
  /** The target answered; the status may still be one that another target does better. */
  | { kind: 'answered'; status: number }
  /** No connection: nothing was sent, so nothing was executed. */
  | { kind: 'connectFailed'; reason: string }
  /** The connection ended before the answer began: the request may have been executed. */
  | { kind: 'brokenBeforeHeaders'; reason: string }
  /** No answer in time: the request may have been executed. */
  | { kind: 'timedOut'; reason: string }
  /** The target was declared down while the request was in flight on it: it may have been executed. */
  | { kind: 'targetDown'; reason: string }
  /** The connection ended within the answer. */
  | { kind: 'brokenMidBody'; reason: string }
  /** The client is not there any more. */
  | { kind: 'clientGone' };

/**
 * Statuses by which a target says that it cannot do the work while another may: unavailable (RFC 9110 §15.6.4), or a
 * gateway's word on what is behind it (§15.6.3, §15.6.5).
 */
export function isTargetsFault(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Whether there is nothing to decide: a target answered, and the answer is the client's. */
export function isFinal(outcome: Outcome): boolean {
  return outcome.kind === 'answered' && !isTargetsFault(outcome.status);
}

/** Whether the request was not executed for sure. */
export function isSurelyNotExecuted(outcome: Outcome): boolean {
  // 503 is a refusal; 502 and 504 tell what a gateway saw of a request that it passed on.
  return outcome.kind === 'connectFailed' || (outcome.kind === 'answered' && outcome.status === 503);
}
