/** Detects requests that crossed regions, and those that circulate between gateways whose targets name each other. */
import type { IncomingHttpHeaders } from 'node:http';
import { GATEWAY_HEADER, parseHops } from '@causeway/protocol/routing.ts';
import type { Identity } from './identity.ts';

/** Whether another region's gateway sent the request here: then it stays in this region. */
export function hasCrossedRegions(headers: IncomingHttpHeaders, { hop }: Identity): boolean {
  if (hop.region === undefined) return false;
  const header = headers[GATEWAY_HEADER];
  if (header === undefined) return false;
  const text = Array.isArray(header) ? header.join(',') : header;
  return parseHops(text).some(({ region }) => region !== undefined && region !== hop.region);
}

/** The most gateways that a request passes: tier-1, two regional ones, and one to spare. */
export const MAX_HOPS = 4;

/** Why a request counts as a loop, in words; `undefined`: it does not. No client can cause this. */
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
