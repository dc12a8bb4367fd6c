/** How far a request is trusted, by its peer's address and the secret that it shows. */
import type { Trust, TrustedPeer, TrustPolicy } from '@causeway/config/trust.ts';
import { GATEWAY_HEADER, OPERATOR_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import type { RequestHead } from './message.ts';

export function trustOf(policy: TrustPolicy, peer: TrustedPeer, { headers }: Pick<RequestHead, 'headers'>): Trust {
  if (policy.trustsNone) return 'client';
  const isLikeGateway = headers[GATEWAY_HEADER] !== undefined || headers[OPERATOR_HEADER] !== undefined;
  return policy.of(peer, headers[SECRET_HEADER], isLikeGateway);
}

/** A header that only gateways may set; `undefined` from other peers. */
export function gatewayHeader(
  trust: Trust,
  { headers }: Pick<RequestHead, 'headers'>,
  name: string,
): string | undefined {
  if (trust !== 'gateway') return undefined;
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** Whether a gateway sent the request, for a client or as a probe. */
export function isFromGateway(trust: Trust, { headers }: Pick<RequestHead, 'headers'>): boolean {
  return trust === 'gateway' && headers[GATEWAY_HEADER] !== undefined;
}
