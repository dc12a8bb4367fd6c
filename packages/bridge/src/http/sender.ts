/** The sender of a request, as far as consumers need it: a client, or a gateway with what it knows of owners. */
import type { IncomingMessage } from 'node:http';
import type { Trust } from '@causeway/config/trust.ts';
import { gatewayHeader, isFromGateway } from '@causeway/http/trust.ts';
import { parsePrincipal } from '@causeway/protocol/principal.ts';
import {
  DELIVERED_HEADER,
  FAILED_HEADER,
  MAX_CONSUMERS_HEADER,
  MAX_RESPONSE_BYTES_HEADER,
  OPERATOR_HEADER,
  PRINCIPAL_HEADER,
  parseList,
  RELEASE_HEADER,
  TOPICS_HEADER,
} from '@causeway/protocol/routing.ts';
import { parseTopicFilter, type TopicFilter } from '@causeway/protocol/topic-filter.ts';
import type { Sender } from '../consumers/sender.ts';

const CLIENT: Sender = { via: 'client' };

export function senderOf(request: IncomingMessage, trust: Trust): Sender {
  if (!isFromGateway(trust, request)) return CLIENT;
  return {
    via: 'gateway',
    failedOwners: parseList(gatewayHeader(trust, request, FAILED_HEADER)),
    releaseReason: gatewayHeader(trust, request, RELEASE_HEADER),
    delivered: gatewayHeader(trust, request, DELIVERED_HEADER),
    principal: parsePrincipal(gatewayHeader(trust, request, PRINCIPAL_HEADER)),
    topics: topicFilter(gatewayHeader(trust, request, TOPICS_HEADER)),
    maxConsumers: count(gatewayHeader(trust, request, MAX_CONSUMERS_HEADER)),
    maxResponseBytes: count(gatewayHeader(trust, request, MAX_RESPONSE_BYTES_HEADER)),
  };
}

/** Whether a gateway sent the request for an operator. */
export function isFromOperator(request: IncomingMessage, trust: Trust): boolean {
  return gatewayHeader(trust, request, OPERATOR_HEADER) !== undefined;
}

/** Filters by their texts: principals send few, with every request. */
const filters = new Map<string, TopicFilter>();
const MAX_FILTERS = 1_000;

function topicFilter(text: string | undefined): TopicFilter | undefined {
  if (text === undefined) return undefined;
  let filter = filters.get(text);
  if (filter === undefined) {
    if (filters.size >= MAX_FILTERS) filters.clear();
    filter = parseTopicFilter(text);
    filters.set(text, filter);
  }
  return filter;
}

/** `undefined` for a header that no gateway sends. */
function count(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
