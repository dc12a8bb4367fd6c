/** Reads the gateway's YAML, with the checks that a schema cannot make. */
import { loadConfig } from '@causeway/config/load.ts';
import { checkPeers } from '@causeway/config/networks.ts';
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
  findings.push(...checkPeers(config.trust.peers));
  return findings;
}

/** The identity of a target: its URL's origin. */
export function normalizeUrl(url: string): string {
  return new URL(url).origin;
}
