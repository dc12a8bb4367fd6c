/** Reads the gateway's YAML, with the checks that a schema cannot make. */
import { BlockList, isIP } from 'node:net';
import { loadConfig } from '@causeway/config/load.ts';
import { GatewayConfig } from './schema.ts';

/** Reads and checks a file. Errors: `ConfigError` of @causeway/config, with line and reason. */
export function loadGatewayConfig(file: string, env: Readonly<Record<string, string | undefined>>): GatewayConfig {
  return loadConfig(file, { schema: GatewayConfig, env, check: checkGatewayConfig });
}

type Finding = { path: (string | number)[]; reason: string };

function checkGatewayConfig(config: GatewayConfig): Finding[] {
  const findings: Finding[] = [];
  const regionNames = new Set<string>();
  const urls = new Set<string>();
  config.regions.forEach((region, index) => {
    if (regionNames.has(region.name)) {
      findings.push({ path: ['regions', index, 'name'], reason: `the region ${region.name} is there twice` });
    }
    regionNames.add(region.name);
    region.targets.forEach((target, targetIndex) => {
      const path = ['regions', index, 'targets', targetIndex, 'url'];
      if (!URL.canParse(target.url)) findings.push({ path, reason: `${target.url} is not a URL` });
      else if (urls.has(normalizeUrl(target.url)))
        findings.push({ path, reason: `the target ${target.url} is there twice` });
      else urls.add(normalizeUrl(target.url));
    });
  });
  if (config.gateway.region !== undefined && !regionNames.has(config.gateway.region)) {
    findings.push({
      path: ['gateway', 'region'],
      reason: `there is no region ${config.gateway.region} under regions (there: ${[...regionNames].join(', ')})`,
    });
  }
  config.trust.peers.forEach((peer, index) => {
    if (parseNetwork(peer) === undefined) {
      findings.push({ path: ['trust', 'peers', index], reason: `${peer} is not an address or a network (10.0.0.0/8)` });
    }
  });
  return findings;
}

/** The identity of a target: its URL's origin. */
export function normalizeUrl(url: string): string {
  return new URL(url).origin;
}

function parseNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const maxPrefix = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? maxPrefix : Number(prefixText);
  if (!/^\d{1,3}$/.test(prefixText ?? '0') || prefix > maxPrefix) return undefined;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** The networks of `trust.peers`, which the check above has found to be well-formed. */
export function trustedNetworks(peers: readonly string[]): BlockList {
  const networks = new BlockList();
  for (const peer of peers) {
    const network = parseNetwork(peer);
    if (network !== undefined) networks.addSubnet(network.address, network.prefix, network.family);
  }
  return networks;
}
