/** Loads the bridge's YAML, and checks what a schema cannot express and the files that it names. */
import type { Environment } from '@causeway/config/environment.ts';
import { loadConfig } from '@causeway/config/load.ts';
import { BridgeConfig, checkBridgeConfig } from './config.ts';
import { findCertificateProblems } from './http-config.ts';
import { findSecurityProblems } from './kafka/client/security.ts';

/** Errors: `ConfigError`, with line and reason. */
export function loadBridgeConfig(file: string, env: Environment): BridgeConfig {
  return loadConfig(file, {
    schema: BridgeConfig,
    env,
    check: (config) => [
      ...checkBridgeConfig(config),
      ...findCertificateProblems(config),
      ...findSecurityProblems(config.kafka),
      ...(config.clusters.peer === undefined ? [] : findSecurityProblems(config.clusters.peer, ['clusters', 'peer'])),
    ],
  });
}
