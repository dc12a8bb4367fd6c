/** The headers that gateways and bridges add for each other. Clients never see nor set them. */

/** Every header of ours begins so; gateways strip such headers from anyone who is not a trusted peer. */
export const CAUSEWAY_PREFIX = 'causeway-';

/**
 * The gateways that a request has passed, oldest first, comma-separated: `name`, or `region/name` for a gateway that
 * stands in a region.
 */
export const GATEWAY_HEADER = 'causeway-gateway';

/** On 421: who owns the consumer, as `region/bridge`. */
export const OWNER_HEADER = 'causeway-owner';

/** On a repeated request: the owner that the gateway could not reach, as `region/bridge`. */
export const FAILED_HEADER = 'causeway-failed';

/** One entry of {@link GATEWAY_HEADER}. */
export interface GatewayHop {
  /** Absent for a tier-1 gateway, which stands above the regions. */
  region: string | undefined;
  name: string;
}

/** The entry that a gateway appends. */
export function formatHop({ region, name }: GatewayHop): string {
  return region === undefined ? name : `${region}/${name}`;
}

/** The hops of a {@link GATEWAY_HEADER} value; none when there is no header. */
export function parseHops(header: string | undefined): GatewayHop[] {
  if (header === undefined) return [];
  return header
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => {
      const slash = entry.indexOf('/');
      return slash === -1
        ? { region: undefined, name: entry }
        : { region: entry.slice(0, slash), name: entry.slice(slash + 1) };
    });
}
