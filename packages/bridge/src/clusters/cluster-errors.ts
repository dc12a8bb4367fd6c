/** The errors of requests to a cluster that is not active, or no longer. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { ClusterMode } from '@causeway/protocol/clusters.ts';
import { BridgeError } from '../errors.ts';

interface ErrorContext {
  /** The highest promotion, for gateways. */
  promotion: string | undefined;
  cause?: unknown;
}

/** A switch-over takes about as long. */
const RETRY_AFTER_SECONDS = 1;

/** Nothing was executed. */
export function inactiveError(message: string, { promotion, cause }: ErrorContext): BridgeError {
  return new BridgeError('clusterInactive', { message, promotion, cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
}

export function lostError(self: string, { promotion, cause }: ErrorContext): BridgeError {
  const message = `Kafka cluster ${self} stopped serving clients before the request was confirmed: whether it was executed is not known`;
  return new BridgeError('clusterLost', { message, promotion, cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** Why the cluster serves no clients. `active`: the one that does, or is about to. */
export function inactiveReason({
  self,
  mode,
  isLoaded,
  active = 'another one',
}: {
  self: string;
  mode: ClusterMode;
  isLoaded: boolean;
  active: string | undefined;
}): string {
  if (!isLoaded) return `The log of Kafka cluster ${self} is being read`;
  switch (mode) {
    case 'active':
      return `Kafka cluster ${self} is active`;
    case 'pausing':
      return `Kafka cluster ${self} hands over to ${active}`;
    case 'standby':
      return `Kafka cluster ${self} stands by: ${active} is active`;
    case 'fenced':
      return `Kafka cluster ${self} is fenced: ${active} was promoted, and an operator has not let ${self} rejoin`;
    case 'unassigned':
      return `Kafka cluster ${self} has not been promoted, and no gateway has said which cluster is active`;
    default:
      return assertNever(mode);
  }
}
