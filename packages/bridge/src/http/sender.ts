/** The sender of a request, as far as consumers need it: a client, or a gateway with what it knows of owners. */
import type { IncomingMessage } from 'node:http';
import type { Trust } from '@causeway/config/trust.ts';
import { gatewayHeader, isFromGateway } from '@causeway/http/trust.ts';
import {
  DELIVERED_HEADER,
  FAILED_HEADER,
  OPERATOR_HEADER,
  parseList,
  RELEASE_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Sender } from '../consumers/sender.ts';

const CLIENT: Sender = { via: 'client' };

export function senderOf(request: IncomingMessage, trust: Trust): Sender {
  if (!isFromGateway(trust, request)) return CLIENT;
  return {
    via: 'gateway',
    failedOwners: parseList(gatewayHeader(trust, request, FAILED_HEADER)),
    releaseReason: gatewayHeader(trust, request, RELEASE_HEADER),
    delivered: gatewayHeader(trust, request, DELIVERED_HEADER),
  };
}

/** Whether a gateway sent the request for an operator. */
export function isFromOperator(request: IncomingMessage, trust: Trust): boolean {
  return gatewayHeader(trust, request, OPERATOR_HEADER) !== undefined;
}
