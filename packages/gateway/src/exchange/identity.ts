/** The identity of a gateway, as its headers show it. */
import { formatHop, type GatewayHop, SECRET_HEADER } from '@causeway/protocol/routing.ts';

/** Made at the start, and again when a reload changes the secret. */
export interface Identity {
  readonly hop: GatewayHop;
  /** Entry of `causeway-gateway`. */
  readonly entry: string;
  /** Entry of `Via` in responses: a pseudonym has no `/` (RFC 9110 §7.6.3). */
  readonly via: string;
  /** Entry of `Via` in requests: with the random part that identifies this process. */
  readonly requestVia: string;
  /** The same for requests that arrived over HTTP/2. */
  readonly requestViaHttp2: string;
  /** That part, which no client can know. */
  readonly instance: string | undefined;
  /** The header with the secret, for targets; empty if the system has none. */
  readonly proof: readonly string[];
}

export function identityOf(
  hop: GatewayHop,
  { secret, instance }: { secret?: string | undefined; instance?: string } = {},
): Identity {
  const pseudonym = hop.region === undefined ? hop.name : `${hop.region}-${hop.name}`;
  const requestPseudonym = instance === undefined ? pseudonym : `${pseudonym}.${instance}`;
  return {
    hop,
    via: `1.1 ${pseudonym}`,
    instance,
    requestVia: `1.1 ${requestPseudonym}`,
    requestViaHttp2: `2.0 ${requestPseudonym}`,
    proof: secret === undefined || secret === '' ? [] : [SECRET_HEADER, secret],
    entry: formatHop(hop),
  };
}
