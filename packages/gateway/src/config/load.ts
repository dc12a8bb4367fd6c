/** Loads the gateway's YAML and checks what a schema cannot express. */

import { checkCors } from '@causeway/config/cors.ts';
import { ConfigError, type ConfigProblem, loadConfig, parseConfig } from '@causeway/config/load.ts';
import { namesCertificate } from '@causeway/config/peers.ts';
import { checkTrust, readTrustSecret } from '@causeway/config/trust.ts';
import { readUpstreamTls } from '@causeway/config/upstream-tls.ts';
import { certificateProblems } from '@causeway/http/certificates.ts';
import { defaultInFlightBytes } from '@causeway/http/in-flight-bytes.ts';
import { isServer } from '../discovery/resolv-conf.ts';
import { checkAccess } from './access.ts';
import { checkAdmin, DEFAULT_ADMIN_PORT, withAdminTokens } from './admin.ts';
import { checkAuth } from './auth.ts';
import { checkClusters } from './clusters.ts';
import { checkListeners, type Finding, knowsClients, listenersOf } from './listeners.ts';
import { checkQuotas } from './quotas.ts';
import { GatewayConfig } from './schema.ts';
import { checkOwnRegion, checkTargets, secureAddressesOf, serverNameOf } from './targets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Loads and checks a file and the secret files that it names. Errors: `ConfigError`, with line and reason. */
export function loadGatewayConfig(file: string, env: Environment): GatewayConfig {
  return withSecrets(loadConfig(file, { schema: GatewayConfig, env, check: checkGatewayConfig }));
}

/**
 * Like {@link loadGatewayConfig}, also with the files of the listeners' certificates. For the start: a reload leaves listeners as
 * they are, and reports files that become unusable by themselves.
 */
export function loadForStart(file: string, env: Environment): GatewayConfig {
  const check = (config: GatewayConfig, given: unknown): Finding[] => {
    const findings = checkGatewayConfig(config, given);
    return findings.length > 0 ? findings : certificateFindings(config);
  };
  return withSecrets(loadConfig(file, { schema: GatewayConfig, env, check }));
}

function certificateFindings(config: GatewayConfig): Finding[] {
  const { admin } = config;
  return [
    ...listenersOf(config).flatMap(({ path, settings }) => certificateProblems(settings.tls, [...path, 'tls'])),
    ...certificateProblems(admin.tls, ['admin', 'tls']),
  ];
}

/** Returns the problems that {@link loadGatewayConfig} would report for a file with this text. */
export function findConfigProblems(text: string, env: Environment): readonly ConfigProblem[] {
  try {
    parseConfig('', text, { schema: GatewayConfig, env, check: checkGatewayConfig });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function withSecrets(loaded: GatewayConfig): GatewayConfig {
  const config = withoutUnusedListen(loaded);
  const secret = readTrustSecret(config.trust);
  return {
    ...config,
    admin: withAdminTokens(config.admin),
    ...(secret === undefined ? {} : { trust: { ...config.trust, secret } }),
  };
}

/** Without the defaults of `listen` that `listeners` replaces. */
function withoutUnusedListen(config: GatewayConfig): GatewayConfig {
  if (config.listeners === undefined) return config;
  const { listen: _, ...others } = config;
  return others;
}

function checkGatewayConfig(config: GatewayConfig, given: unknown): Finding[] {
  return [
    ...checkTargets(config.regions),
    ...checkOwnRegion(config),
    ...checkClusters(config),
    ...checkDiscovery(config),
    ...checkLimits(config),
    ...checkRetry(config),
    ...checkCors(config.cors),
    ...checkTrust(config.trust, { verifiesClients: knowsClients(config) }),
    ...checkListeners(config, { admin: config.admin, trust: config.trust, adminPort: DEFAULT_ADMIN_PORT, given }),
    ...checkAdmin(config.admin),
    ...checkAuth(config.auth, { verifiesClients: knowsClients(config) }),
    ...checkAccess(config),
    ...checkQuotas(config.quotas, {
      knowsPrincipals: config.auth !== undefined,
      hasCertifiedPeers: config.trust.peers.some(namesCertificate),
    }),
    ...checkUpstreamTls(config),
  ];
}

function checkDiscovery({ discovery: { servers } }: GatewayConfig): Finding[] {
  return servers.flatMap((server, index) =>
    isServer(server)
      ? []
      : [
          {
            path: ['discovery', 'servers', index],
            reason: `${server} is not the address of a server: write ADDRESS or ADDRESS:PORT, in brackets for IPv6 with a port`,
          },
        ],
  );
}

/** Large bodies and responses may use three quarters of the budget. */
const MIN_BUDGET_PER_BUFFER = 4 / 3;

function checkLimits({ limits, request, response }: GatewayConfig): Finding[] {
  const neededBytes = Math.ceil(Math.max(request.bufferBytes, response.bufferBytes) * MIN_BUDGET_PER_BUFFER);
  if ((limits.maxInFlightBytes ?? defaultInFlightBytes()) >= neededBytes) return [];
  const reason = `must be at least ${neededBytes}, or a body of request.bufferBytes or response.bufferBytes could never be kept`;
  return [{ path: ['limits', 'maxInFlightBytes'], reason }];
}

function checkRetry({ retry, request }: GatewayConfig): Finding[] {
  if (retry.produce !== 'exactly-once' || request.bufferBytes > 0) return [];
  const reason =
    'has no effect: with request.bufferBytes 0 no body is kept, so that no request gets a key or is sent again';
  return [{ path: ['retry', 'produce'], reason }];
}

function checkUpstreamTls({ upstream, regions }: GatewayConfig): Finding[] {
  const read = readUpstreamTls(upstream.tls);
  const findings: Finding[] = Array.isArray(read)
    ? read.map(({ key, reason }) => ({ path: ['upstream', 'tls', key], reason }))
    : [];
  /** By the address of an admin API. */
  const names = new Map<string, string | undefined>();
  for (const [index, region] of regions.entries()) {
    for (const [targetIndex, target] of region.targets.entries()) {
      const path = ['regions', index, 'targets', targetIndex, 'serverName'];
      const urls = secureAddressesOf(target);
      if (target.serverName !== undefined && urls.length === 0) {
        findings.push({ path, reason: 'has no effect: the target is not reached by https' });
      }
      const name = serverNameOf(target, upstream);
      if (urls.some((url) => names.has(url) && names.get(url) !== name)) {
        findings.push({ path, reason: 'differs from that of another target with the same address' });
      }
      for (const url of urls) names.set(url, name);
    }
  }
  return findings;
}
