/** How an attempt ended: one value of one union. */

/** The fault that a response >= 500 names (`causeway-fault`); `undefined`: the target's. */
export type AnswerFault = 'request' | 'kafka' | 'cluster' | undefined;

export type Outcome =
  /** The target responded. Another target may still do better. */
  | { kind: 'answered'; status: number; fault?: AnswerFault }
  /**
   * No connection: nothing was sent or executed. `fault`: the gateway's, which lacks file descriptors, ports or memory, or the
   * request's, whose time was over; `undefined`: the target's.
   */
  | { kind: 'connectFailed'; reason: string; fault?: 'gateway' | 'request' }
  /**
   * The connection ended before the response began: the request may have been executed. `isReused`: the connection had
   * carried other requests, and the target may have closed it while it was idle (RFC 9112 §9.5).
   */
  | { kind: 'brokenBeforeHeaders'; reason: string; isReused?: boolean }
  /** No response in time: the request may have been executed. */
  | { kind: 'timedOut'; reason: string }
  /**
   * The target was declared down while the request was in flight: it may have been executed. `isOfKafka`: the target
   * responds, and reports that its Kafka does not.
   */
  | { kind: 'targetDown'; reason: string; isOfKafka?: boolean }
  /** The connection ended within the response. */
  | { kind: 'brokenMidBody'; reason: string }
  /** The client closed its connection. */
  | { kind: 'clientGone' };

/** The outcomes that something follows: when the client left, the exchange has ended. */
export type DecidedOutcome = Exclude<Outcome, { kind: 'clientGone' }>;

/** Why a request cannot be sent to any target. */
export type RequestFault =
  /** HTTP/1.1 cannot carry it. */
  | { kind: 'malformed'; reason: string }
  /** Its body turned out longer than allowed. */
  | { kind: 'bodyTooLarge' }
  /** The client has neither sent nor taken anything for the whole time limit. */
  | { kind: 'stalled' };

/** Misdirected Request (RFC 9110 §15.5.20): the owner of the consumer or slot is another bridge. */
export const MISDIRECTED = 421;

/**
 * Statuses of a target that cannot do the work while another may: unavailable (RFC 9110 §15.6.4), or those by which a
 * gateway reports the targets behind it (§15.6.3, §15.6.5).
 */
export function isTargetsFault(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/**
 * Whether the outcome is a response for the client. A 502 or 504 whose `causeway-fault` is the request is one, too: at another
 * target the request would fail, or wait, in the same way.
 */
export function isFinal(outcome: Outcome): boolean {
  if (outcome.kind !== 'answered') return false;
  return !isTargetsFault(outcome.status) || (outcome.fault === 'request' && outcome.status !== 503);
}

/** Whether the request was certainly not executed. */
export function isSurelyNotExecuted(outcome: Outcome): boolean {
  // 503 is a refusal; with 502 and 504 a gateway reports a request that it passed on.
  return outcome.kind === 'connectFailed' || (outcome.kind === 'answered' && outcome.status === 503);
}

/** Whether the target closed a connection that had been idle, as far as is known: it may also have died of the request. */
export function isIdleClose(outcome: Outcome): boolean {
  return outcome.kind === 'brokenBeforeHeaders' && outcome.isReused === true;
}

/** Whether the target took no connection. */
export function isUnreachable(outcome: Outcome): boolean {
  return outcome.kind === 'connectFailed' && outcome.fault === undefined;
}

/** Whether the target was lost while the request was in flight on it, so that the request may be the cause. */
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

/** Whether the target refused because its Kafka cluster does not serve clients: nothing was executed, and nothing is wrong with it. */
export function isRefusalOfCluster(outcome: Outcome): boolean {
  return outcome.kind === 'answered' && outcome.fault === 'cluster' && outcome.status === 503;
}

/** Whether the target reports that its Kafka is at fault. */
export function isFaultOfKafka(outcome: Outcome): boolean {
  return (
    (outcome.kind === 'answered' && outcome.fault === 'kafka') ||
    (outcome.kind === 'targetDown' && outcome.isOfKafka === true)
  );
}
