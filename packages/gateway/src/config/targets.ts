/** Checks the targets of the regions, and says what follows from one: its identity, its addresses, the name in its certificate. */
import type { UpstreamTls } from '@causeway/config/upstream-tls.ts';
import type { Finding } from './listeners.ts';
import type { GatewayConfig, RegionConfig, TargetConfig } from './schema.ts';

type Path = readonly (string | number)[];

/** Reports regions and targets that are there twice, and targets that name none or two ways to their addresses. */
export function checkTargets(regions: readonly RegionConfig[]): Finding[] {
  const names = new Set<string>();
  const keys = new Set<string>();
  return regions.flatMap((region, index) => {
    const findings: Finding[] = [];
    if (names.has(region.name)) {
      findings.push({ path: ['regions', index, 'name'], reason: `duplicate region ${region.name}` });
    }
    names.add(region.name);
    region.targets.forEach((target, targetIndex) => {
      const path = ['regions', index, 'targets', targetIndex];
      const found = target.dns === undefined ? checkUrlTarget(target, path) : checkDnsTarget(target, path);
      findings.push(...found);
      if (found.length > 0) return;
      const [keyword, key] = identityOf(target);
      if (keys.has(key)) findings.push({ path: [...path, keyword], reason: `duplicate target ${key}` });
      keys.add(key);
    });
    return findings;
  });
}

/** The keys that belong to a name, with what says the same of a URL. */
const OF_DNS = {
  port: 'the url has its own',
  scheme: 'the url has its own',
  healthPort: 'write healthUrl',
  healthScheme: 'write healthUrl',
  adminPort: 'write adminUrl',
  adminScheme: 'write adminUrl',
} as const;

function checkUrlTarget(target: TargetConfig, path: Path): Finding[] {
  if (target.url === undefined) {
    return [
      {
        path: [...path],
        reason: 'the key url is missing, or dns in its place: a name with an address for each target',
      },
    ];
  }
  if (!URL.canParse(target.url)) return [{ path: [...path, 'url'], reason: `${target.url} is not a URL` }];
  return Object.entries(OF_DNS).flatMap(([key, instead]) =>
    target[key as keyof typeof OF_DNS] === undefined
      ? []
      : [{ path: [...path, key], reason: `belongs to dns: ${instead}` }],
  );
}

function checkDnsTarget(target: TargetConfig, path: Path): Finding[] {
  const findings: Finding[] = [];
  const add = (key: string, reason: string): void => void findings.push({ path: [...path, key], reason });
  if (target.url !== undefined) add('dns', 'url and dns exclude each other: write two targets');
  if (target.healthUrl !== undefined)
    add('healthUrl', 'belongs to url: write healthPort, of all addresses of the name');
  if (target.adminUrl !== undefined) add('adminUrl', 'belongs to url: write adminPort, of all addresses of the name');
  if (target.healthScheme !== undefined && target.healthPort === undefined) add('healthScheme', 'needs healthPort');
  if (target.adminScheme !== undefined && target.adminPort === undefined) add('adminScheme', 'needs adminPort');
  return findings;
}

/** The key that has the target's identity, and the identity. */
function identityOf({ url, dns, port }: TargetConfig): ['url' | 'dns', string] {
  if (url !== undefined) return ['url', normalizeUrl(url)];
  return ['dns', `${dns?.toLowerCase()}${port === undefined ? '' : `:${port}`}`];
}

/** The origins and schemes by which the target is reached over TLS: names have no origin before their addresses are found. */
export function secureAddressesOf(target: TargetConfig): string[] {
  const { url, healthUrl, adminUrl, dns, scheme, healthPort, healthScheme, adminPort, adminScheme } = target;
  if (dns !== undefined) {
    const used = [
      scheme,
      healthPort === undefined ? undefined : (healthScheme ?? scheme),
      adminPort === undefined ? undefined : (adminScheme ?? scheme),
    ];
    return used.some((one) => one === 'https') ? [`https ${dns} ${target.port}`] : [];
  }
  return [url, healthUrl, adminUrl]
    .flatMap((address) => (address !== undefined && URL.canParse(address) ? [normalizeUrl(address)] : []))
    .filter((origin) => origin.startsWith('https:'));
}

/** The name that the certificate of a target must have; `undefined`: that of its URL's host. */
export function serverNameOf(
  target: Pick<TargetConfig, 'serverName' | 'dns'>,
  { tls }: { tls: Pick<UpstreamTls, 'serverName'> },
): string | undefined {
  return target.serverName ?? tls.serverName ?? (target.dns === undefined ? undefined : hostIn(target.dns));
}

/** Without the labels of a service (`_http._tcp.`, RFC 2782), which no certificate has, and without the dot of an absolute name. */
function hostIn(dns: string): string {
  return dns.replace(/^(?:_[^.]+\.)+/, '').replace(/\.$/, '');
}

/** The identity of a target: its URL's origin. */
export function normalizeUrl(url: string): string {
  return new URL(url).origin;
}

/** Regions that exist, for a gateway that is in one of them. */
export function checkOwnRegion({ gateway, regions }: GatewayConfig): Finding[] {
  if (gateway.region === undefined || regions.some(({ name }) => name === gateway.region)) return [];
  const known = [...new Set(regions.map(({ name }) => name))].join(', ');
  return [
    { path: ['gateway', 'region'], reason: `there is no region ${gateway.region} under regions (known: ${known})` },
  ];
}
