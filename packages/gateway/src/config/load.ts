/** Reads the gateway's YAML, with the checks that a schema cannot make. */

import { checkCors } from '@causeway/config/cors.ts';
import { ConfigError, type ConfigProblem, loadConfig, parseConfig } from '@causeway/config/load.ts';
import { areHostsInConflict, isLoopback } from '@causeway/config/networks.ts';
import { readSecret } from '@causeway/config/secret.ts';
import { checkTrust, readTrustSecret } from '@causeway/config/trust.ts';
import { DEFAULT_ADMIN_PORT, GatewayConfig } from './schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and checks a file, with the secrets that it names. Errors: `ConfigError`, with line and reason. */
export function loadGatewayConfig(file: string, env: Environment): GatewayConfig {
  return withSecrets(loadConfig(file, { schema: GatewayConfig, env, check: checkGatewayConfig }));
}

/** What is wrong with the text of a file, as {@link loadGatewayConfig} would say it; nothing of it is used. */
export function findConfigProblems(text: string, env: Environment): readonly ConfigProblem[] {
  try {
    parseConfig('', text, { schema: GatewayConfig, env, check: checkGatewayConfig });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function withSecrets(config: GatewayConfig): GatewayConfig {
  const { token: value, tokenFile: file } = config.admin;
  const token = readSecret({ value, file });
  const secret = readTrustSecret(config.trust);
  return {
    ...config,
    ...(token === undefined ? {} : { admin: { ...config.admin, token } }),
    ...(secret === undefined ? {} : { trust: { ...config.trust, secret } }),
  };
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
  findings.push(
    ...checkLimits(config),
    ...checkCors(config.cors),
    ...checkTrust(config.trust),
    ...checkPorts(config),
    ...checkAdmin(config.admin),
  );
  return findings;
}

/** Large bodies and answers have three quarters of the budget. */
const MIN_BUDGET_PER_BUFFER = 4 / 3;

function checkLimits({ limits, request, response }: GatewayConfig): Finding[] {
  const neededBytes = Math.ceil(Math.max(request.bufferBytes, response.bufferBytes) * MIN_BUDGET_PER_BUFFER);
  if (limits.maxInFlightBytes >= neededBytes) return [];
  const reason = `must be at least ${neededBytes}, or a body of request.bufferBytes or response.bufferBytes would never be kept`;
  return [{ path: ['limits', 'maxInFlightBytes'], reason }];
}

function checkPorts({ listen, admin }: GatewayConfig): Finding[] {
  const { port } = admin;
  if (port === 0 || port !== listen.port || !areHostsInConflict(listen.host, admin.host)) return [];
  // Told where the file has it: one of the two is not at its default.
  const [section, other] = port === DEFAULT_ADMIN_PORT ? ['listen', 'admin'] : ['admin', 'listen'];
  return [{ path: [section, 'port'], reason: `${port} is ${other}.port, too: clients and operators need a port each` }];
}

function checkAdmin({ host, token = '', tokenFile }: GatewayConfig['admin']): Finding[] {
  if (tokenFile !== undefined) {
    if (token !== '') return [{ path: ['admin', 'tokenFile'], reason: 'token and tokenFile exclude each other' }];
    try {
      const read = readSecret({ value: undefined, file: tokenFile }) ?? '';
      if (/^[A-Za-z0-9._~+/=-]+$/.test(read)) return [];
      return [{ path: ['admin', 'tokenFile'], reason: `${tokenFile} holds what a header cannot carry as a token` }];
    } catch (error) {
      return [{ path: ['admin', 'tokenFile'], reason: error instanceof Error ? error.message : String(error) }];
    }
  }
  if (token !== '' || isLoopback(host)) return [];
  return [
    {
      path: ['admin', 'host'],
      reason: `${host} can be reached from other machines, so the admin API needs a token: set admin.token or admin.tokenFile`,
    },
  ];
}

/** The identity of a target: its URL's origin. */
export function normalizeUrl(url: string): string {
  return new URL(url).origin;
}
