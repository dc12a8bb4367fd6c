/** What a request reads to choose a target: immutable, made anew by the control plane at every change. */
import type { GatewayConfig, RegionConfig } from '../config/schema.ts';
import { isWhole } from './belonging.ts';
import type { Overrides } from './overrides.ts';
import type { Target } from './target.ts';

export interface RegionSnapshot {
  readonly name: string;
  /** 0 while an operator drains the region. */
  readonly weight: number;
  readonly configuredWeight: number;
  /** An operator set another weight than the configured one. */
  readonly weightIsOverridden: boolean;
  readonly priority: number;
  readonly isDrained: boolean;
  /** The region in which this gateway stands. */
  readonly isLocal: boolean;
  readonly targets: readonly Target[];
}

/** The part of the config that the request path reads. */
export type RequestSettings = Pick<GatewayConfig, 'request' | 'response' | 'retry' | 'affinity' | 'healthCheck'>;

export interface Snapshot {
  readonly regions: readonly RegionSnapshot[];
  /** So few targets are left that probes are not believed: every target counts as available. */
  readonly isPanic: boolean;
  /** Every region to which work belongs can serve: nothing goes anywhere else. */
  readonly isWhole: boolean;
  readonly settings: RequestSettings;
}

/** `targetsOf`: the targets of a region, in the order of the config. */
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

/** Whether any region may get new work. */
export function hasWeight(regions: readonly Pick<RegionSnapshot, 'weight'>[]): boolean {
  return regions.some(({ weight }) => weight > 0);
}

/**
 * Whether no priority has `panicPercent` of its targets left, counting regions with weight. One that has is enough: the
 * others' traffic goes there. Where no region has weight there is nobody to believe or not: no panic.
 */
export function isPanic(regions: readonly RegionSnapshot[], panicPercent: number): boolean {
  const counts = new Map<number, { total: number; available: number }>();
  for (const { weight, priority, targets } of regions) {
    if (weight === 0) continue;
    const count = counts.get(priority) ?? { total: 0, available: 0 };
    for (const { isServing } of targets) {
      count.total += 1;
      if (isServing) count.available += 1;
    }
    counts.set(priority, count);
  }
  return (
    hasWeight(regions) && [...counts.values()].every(({ total, available }) => available * 100 < total * panicPercent)
  );
}

/** Why panic begins or ends, for whoever reads the events. */
export function panicReason({ isPanic, regions }: Pick<Snapshot, 'isPanic' | 'regions'>, panicPercent: number): string {
  if (isPanic) return `fewer than ${panicPercent} % of the targets are left: all of them get traffic`;
  return hasWeight(regions) ? 'enough targets are well again' : 'no region has weight: nothing can be served';
}
