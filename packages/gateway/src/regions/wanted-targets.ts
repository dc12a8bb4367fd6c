/** The targets that a configuration wants, with the addresses that DNS gives for its names. Pure. */
import type { GatewayConfig, TargetConfig } from '../config/schema.ts';
import { normalizeUrl, serverNameOf } from '../config/targets.ts';
import { authorityOf, type Endpoint } from '../discovery/answer.ts';

export interface WantedTarget {
  readonly region: string;
  /** With `region` its identity. */
  readonly url: string;
  readonly healthUrl: string;
  readonly adminUrl: string | undefined;
  /** The name that its certificate must have, if not the host of its URL. */
  readonly serverName: string | undefined;
  /** The name in DNS that gave its address; `undefined` for one with a URL in the configuration. */
  readonly discoveredBy: string | undefined;
}

export function keyOfTarget({ region, url }: Pick<WantedTarget, 'region' | 'url'>): string {
  return `${region} ${url}`;
}

/**
 * In the order of the configuration, each once. Where two names of a region give one address, the first name has it; where a URL of
 * the region has it, too, the URL does, which stays when the name loses it.
 */
export function wantedTargets(
  { regions, upstream }: Pick<GatewayConfig, 'regions' | 'upstream'>,
  endpointsOf: (target: TargetConfig) => readonly Endpoint[],
): WantedTarget[] {
  const wanted = new Map<string, WantedTarget>();
  for (const { name: region, targets } of regions) {
    for (const target of targets) {
      const serverName = serverNameOf(target, upstream);
      const found =
        target.url === undefined
          ? endpointsOf(target).map((endpoint) => discovered(target, endpoint))
          : [configured(target.url, target)];
      for (const addresses of found) {
        const one = { region, serverName, ...addresses };
        const key = keyOfTarget(one);
        const other = wanted.get(key);
        const hasPrecedence = one.discoveredBy === undefined && other?.discoveredBy !== undefined;
        if (other === undefined || hasPrecedence) wanted.set(key, one);
      }
    }
  }
  return [...wanted.values()];
}

type Addresses = Omit<WantedTarget, 'region' | 'serverName'>;

function configured(url: string, { healthUrl, adminUrl }: TargetConfig): Addresses {
  return {
    url: normalizeUrl(url),
    healthUrl: normalizeUrl(healthUrl ?? url),
    adminUrl,
    discoveredBy: undefined,
  };
}

function discovered(target: TargetConfig, { address, port: servicePort }: Endpoint): Addresses {
  const { dns, port, scheme = 'http', healthPort, healthScheme, adminPort, adminScheme } = target;
  const urlAt = (onePort: number | undefined, oneScheme: string): string | undefined =>
    onePort === undefined ? undefined : normalizeUrl(`${oneScheme}://${authorityOf(address, onePort)}`);
  // One of both is there: without a port in the configuration the lookup is one for SRV records.
  const url = urlAt(port ?? servicePort, scheme) ?? '';
  return {
    url,
    healthUrl: urlAt(healthPort, healthScheme ?? scheme) ?? url,
    adminUrl: urlAt(adminPort, adminScheme ?? scheme),
    discoveredBy: dns,
  };
}
