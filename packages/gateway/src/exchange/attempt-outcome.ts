/** Turns what happened to an attempt into its outcome. Pure. */
import { FAULT_OF_CLUSTER } from '@causeway/protocol/clusters.ts';
import { FAULT_HEADER, FAULT_OF_KAFKA, FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';
import { describeConnectionFailure, isGatewaysOwn } from '../regions/connection-failure.ts';
import { isRefusalOfCertificate } from '../regions/tls-failure.ts';
import type { ResponseHeaders } from '../upstream/response-head.ts';
import { isStale, type UpstreamControl } from '../upstream/transport.ts';
import type { Outcome } from './outcome.ts';

const SERVER_ERROR = 500;

/** A complete response. From 500 on, `causeway-fault` counts. */
export function outcomeOfResponse(status: number, headers: ResponseHeaders): Outcome {
  if (status < SERVER_ERROR) return { kind: 'answered', status };
  const fault = headers[FAULT_HEADER];
  return fault === FAULT_OF_REQUEST || fault === FAULT_OF_KAFKA || fault === FAULT_OF_CLUSTER
    ? { kind: 'answered', status, fault }
    : { kind: 'answered', status };
}

export interface FailedConnection {
  /** `undefined` if it was never made: nothing was sent. */
  readonly connection: UpstreamControl | undefined;
  /** Of the response; 0 before it. */
  readonly status: number;
  /** The body was not kept: what was sent of it is gone. */
  readonly isStreamed: boolean;
}

export function outcomeOfFailure(error: Error, { connection, status, isStreamed }: FailedConnection): Outcome {
  const reason = describeConnectionFailure(error);
  if (status !== 0) return { kind: 'brokenMidBody', reason };
  // The target took no connection, though the gateway has written to it: nothing was read. A streamed body cannot be sent again.
  const isUnread = connection !== undefined && isUnanswered(connection) && isRefusalOfCertificate(error);
  if (isUnread && !isStreamed) return { kind: 'connectFailed', reason };
  if (connection === undefined) {
    return isGatewaysOwn(error)
      ? { kind: 'connectFailed', reason, fault: 'gateway' }
      : { kind: 'connectFailed', reason };
  }
  return isStale(connection)
    ? { kind: 'brokenBeforeHeaders', reason, isReused: true }
    : { kind: 'brokenBeforeHeaders', reason };
}

/** Nothing arrived on a connection that was new. */
function isUnanswered({ isReused, hasResponseBegun }: UpstreamControl): boolean {
  return !isReused && !hasResponseBegun;
}

/** An attempt that ended before it had a connection: nothing was sent. */
export function outcomeOfUnsent<Ended extends Outcome>(
  outcome: Ended,
): Ended | Extract<Outcome, { kind: 'connectFailed' }> {
  // The request's time was over before that of a connection.
  if (outcome.kind === 'timedOut') return { kind: 'connectFailed', reason: outcome.reason, fault: 'request' };
  return outcome.kind === 'targetDown' ? { kind: 'connectFailed', reason: outcome.reason } : outcome;
}
