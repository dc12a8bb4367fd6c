/** Builds the snapshot that requests read, from the configuration, an operator's overrides and the targets. */
import type { GatewayConfig, RegionConfig } from '../config/schema.ts';
import { isWhole } from './belonging.ts';
import type { Overrides } from './overrides.ts';
import { isPanic, type RegionSnapshot, type Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

/** `targetsOf` returns the targets of a region in the order of the config. */
export function takeSnapshot(
  config: GatewayConfig,
  overrides: Overrides,
  targetsOf: (region: RegionConfig) => readonly Target[],
): Snapshot {
  const regions = config.regions.map((region): RegionSnapshot => {
    const { weight, configuredWeight, weightIsOverridden, isDrained } = overrides.of(region);
    return {
      name: region.name,
      weight,
      configuredWeight,
      weightIsOverridden,
      priority: region.priority,
      isDrained,
      isLocal: region.name === config.gateway.region,
      targets: targetsOf(region),
    };
  });
  const panic = isPanic(regions, config.healthCheck.panicPercent);
  return Object.freeze({ regions, isPanic: panic, isWhole: isWhole(regions), settings: config });
}
