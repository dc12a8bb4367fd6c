/** Where a request has been: loops of gateways that name each other, and requests that have crossed regions. */
import type { IncomingHttpHeaders } from 'node:http';
import { GATEWAY_HEADER, parseHops } from '@causeway/protocol/routing.ts';
import type { Identity } from './identity.ts';

/** Whether another region's gateway has sent the request here: then it stays. */
export function hasCrossedRegions(headers: IncomingHttpHeaders, { hop }: Identity): boolean {
  if (hop.region === undefined) return false;
  const header = headers[GATEWAY_HEADER];
  if (header === undefined) return false;
  const text = Array.isArray(header) ? header.join(',') : header;
  return parseHops(text).some(({ region }) => region !== undefined && region !== hop.region);
}

/** A request passes no more gateways than these: tier-1, a region's, another region's, and one to spare. */
export const MAX_HOPS = 4;

/** Why a request goes round in a circle, in words; `undefined` when it does not. A client can bring neither about. */
export function whyLooping(
  headers: IncomingHttpHeaders,
  { isFromGateway, identity }: { isFromGateway: boolean; identity: Identity },
): string | undefined {
  if (identity.instance !== undefined && headers.via?.includes(identity.instance) === true) {
    return `it has passed gateway ${identity.entry} before`;
  }
  const gateways = isFromGateway ? String(headers[GATEWAY_HEADER]).split(',') : [];
  return gateways.length < MAX_HOPS ? undefined : `it has passed ${MAX_HOPS} gateways, as many as it may`;
}
