/** Metrics of the configuration that the gateway runs with, and of the program itself. */
import process from 'node:process';
import { BUILD_INFO, counter, gauge } from '@causeway/metrics/declaration.ts';
import { MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';

export const CONFIG_METRICS = {
  reloads: counter('causeway_config_reloads_total', 'Changes of the configuration file: applied or refused.', [
    'result',
  ]),
  isCurrent: gauge(
    'causeway_config_last_reload_successful',
    '0 while the configuration file has a change that was refused: the gateway runs with the previous one.',
  ),
  loadedAt: gauge(
    'causeway_config_last_reload_success_timestamp_seconds',
    'When the configuration in use was loaded, in seconds since 1970.',
  ),
  buildInfo: BUILD_INFO,
};

export interface ConfigSources {
  reloadCounts: { applied: number; refused: number };
  /** `loadedAt` in ISO 8601; `lastError` until a good change follows. */
  configStatus: () => { loadedAt: string; lastError: object | null };
  /** Its own name and, where it stands in one, its region before it. */
  name: string;
  version: string;
}

export function addConfigMetrics(exposition: Exposition, sources: ConfigSources): void {
  const { reloadCounts, configStatus, name, version } = sources;
  exposition.add(CONFIG_METRICS.reloads, (sample) => {
    sample({ result: 'applied' }, reloadCounts.applied);
    sample({ result: 'refused' }, reloadCounts.refused);
  });
  exposition.addValue(CONFIG_METRICS.isCurrent, () => (configStatus().lastError === null ? 1 : 0));
  exposition.addValue(CONFIG_METRICS.loadedAt, () => Date.parse(configStatus().loadedAt) / MILLISECONDS_PER_SECOND);
  exposition.add(CONFIG_METRICS.buildInfo, (sample) => {
    sample({ program: 'gateway', name, version, node_version: process.version }, 1);
  });
}
