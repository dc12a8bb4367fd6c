/** Who sent a request, as far as it matters to consumers: a client itself, or a gateway, and what that says of owners. */
import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import { isTrusted, plainAddress } from '@causeway/config/networks.ts';
import {
  DELIVERED_HEADER,
  FAILED_HEADER,
  GATEWAY_HEADER,
  OPERATOR_HEADER,
  parseList,
  RELEASE_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Sender } from '../consumers/sender.ts';

const CLIENT: Sender = { via: 'client' };

/** `networks`: whose `causeway-*` headers are believed. */
export function senderOf({ headers, socket }: IncomingMessage, networks: BlockList): Sender {
  if (headers[GATEWAY_HEADER] === undefined) return CLIENT;
  if (!isTrusted(networks, plainAddress(socket.remoteAddress))) return CLIENT;
  return {
    via: 'gateway',
    failedOwners: parseList(textOf(headers[FAILED_HEADER])),
    releaseReason: textOf(headers[RELEASE_HEADER]),
    delivered: textOf(headers[DELIVERED_HEADER]),
  };
}

/** Whether a gateway asks in an operator's name. */
export function isOperator({ headers, socket }: IncomingMessage, networks: BlockList): boolean {
  return headers[OPERATOR_HEADER] !== undefined && isTrusted(networks, plainAddress(socket.remoteAddress));
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
