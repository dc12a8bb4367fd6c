/** What a gateway says about itself in headers. */
import { formatHop, type GatewayHop, SECRET_HEADER } from '@causeway/protocol/routing.ts';

/** Made once, and anew for another secret. */
export interface Identity {
  readonly hop: GatewayHop;
  /** Entry of `causeway-gateway`. */
  readonly entry: string;
  /** Entry of `Via` on answers: `/` is not part of a pseudonym (RFC 9110 §7.6.3). */
  readonly via: string;
  /** Entry of `Via` on requests: with what tells this process from all others. */
  readonly requestVia: string;
  /** The part of it that no client can know. */
  readonly instance: string | undefined;
  /** What targets are shown; none where the system has no secret. */
  readonly proof: readonly string[];
}

export function identityOf(
  hop: GatewayHop,
  { secret, instance }: { secret?: string | undefined; instance?: string } = {},
): Identity {
  const via = `1.1 ${hop.region === undefined ? hop.name : `${hop.region}-${hop.name}`}`;
  return {
    hop,
    via,
    instance,
    requestVia: instance === undefined ? via : `${via}.${instance}`,
    proof: secret === undefined || secret === '' ? [] : [SECRET_HEADER, secret],
    entry: formatHop(hop),
  };
}
