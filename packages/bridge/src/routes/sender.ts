/** Who sent a request, as far as it matters to consumers: a client itself, or a gateway, and what that says of owners. */
import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import { isTrusted, plainAddress } from '@causeway/config/networks.ts';
import {
  DELIVERED_HEADER,
  FAILED_HEADER,
  GATEWAY_HEADER,
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

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
