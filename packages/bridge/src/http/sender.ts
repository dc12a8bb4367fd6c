/** Who sent a request, as far as it matters to consumers: a client itself, or a gateway, and what that says of owners. */
import type { IncomingMessage } from 'node:http';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import {
  DELIVERED_HEADER,
  FAILED_HEADER,
  GATEWAY_HEADER,
  OPERATOR_HEADER,
  parseList,
  RELEASE_HEADER,
  SECRET_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Sender } from '../consumers/sender.ts';

const CLIENT: Sender = { via: 'client' };

/** How far a request is believed: by its connection's address, and by the secret that it shows. */
export function trustOf(policy: TrustPolicy, { headers, socket }: IncomingMessage): Trust {
  const isLikeGateway = headers[GATEWAY_HEADER] !== undefined || headers[OPERATOR_HEADER] !== undefined;
  return policy.of(socket, headers[SECRET_HEADER], isLikeGateway);
}

/** Whether a gateway sent the request, in a client's name or to probe. */
export function isOfGateway({ headers }: Pick<IncomingMessage, 'headers'>, trust: Trust): boolean {
  return trust === 'gateway' && headers[GATEWAY_HEADER] !== undefined;
}

export function senderOf(request: IncomingMessage, trust: Trust): Sender {
  if (!isOfGateway(request, trust)) return CLIENT;
  const { headers } = request;
  return {
    via: 'gateway',
    failedOwners: parseList(textOf(headers[FAILED_HEADER])),
    releaseReason: textOf(headers[RELEASE_HEADER]),
    delivered: textOf(headers[DELIVERED_HEADER]),
  };
}

/** Whether a gateway asks in an operator's name. */
export function isOperator({ headers }: IncomingMessage, trust: Trust): boolean {
  return trust === 'gateway' && headers[OPERATOR_HEADER] !== undefined;
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
