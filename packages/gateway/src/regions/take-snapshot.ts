/** Builds the snapshot that requests read, from the configuration, an operator's overrides and the targets. */
import type { Clusters } from '../clusters/clusters.ts';
import type { GatewayConfig, RegionConfig } from '../config/schema.ts';
import { isWhole } from './belonging.ts';
import type { Overrides } from './overrides.ts';
import { isPanic, type RegionSnapshot, type Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

/** What the snapshot is made of, beside the configuration. */
export interface SnapshotSources {
  readonly overrides: Overrides;
  readonly clusters: Pick<Clusters, 'standsBy' | 'view'>;
  /** Returns the targets of a region in the order of the config. */
  readonly targetsOf: (region: RegionConfig) => readonly Target[];
}

export function takeSnapshot(config: GatewayConfig, { overrides, clusters, targetsOf }: SnapshotSources): Snapshot {
  const regions = config.regions.map((region): RegionSnapshot => {
    const { weight, configuredWeight, weightIsOverridden, isDrained } = overrides.of(region);
    const standsBy = clusters.standsBy(region.name);
    return {
      name: region.name,
      weight: standsBy ? 0 : weight,
      usableWeight: weight,
      standsBy,
      configuredWeight,
      weightIsOverridden,
      priority: region.priority,
      isDrained,
      isLocal: region.name === config.gateway.region,
      targets: targetsOf(region),
    };
  });
  const facts = regions.map(({ standsBy, usableWeight, targets }) => ({
    standsBy,
    isUsable: usableWeight > 0,
    targets,
  }));
  const view = clusters.view(facts, config.upstream);
  return Object.freeze({
    regions,
    // Requests that wait for a cluster go to no target.
    isPanic: view?.awaited === undefined && isPanic(regions, config.healthCheck.panicPercent),
    isWhole: isWhole(regions),
    clusters: view,
    settings: config,
  });
}
