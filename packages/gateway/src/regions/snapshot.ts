/** The immutable value that requests read to select a target. The control plane publishes a new one after every change. */
import type { ClusterView } from '../clusters/cluster-view.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { Target } from './target.ts';

export interface RegionSnapshot {
  readonly name: string;
  /** 0 while an operator drains the region, and while its Kafka cluster stands by. */
  readonly weight: number;
  /** The weight if its Kafka cluster were active. */
  readonly usableWeight: number;
  /** Its Kafka cluster is not the active one. */
  readonly standsBy: boolean;
  readonly configuredWeight: number;
  /** An operator set a weight that differs from the configured one. */
  readonly weightIsOverridden: boolean;
  readonly priority: number;
  readonly isDrained: boolean;
  /** This gateway's own region. */
  readonly isLocal: boolean;
  readonly targets: readonly Target[];
}

/** The sections of the config that the request path reads. */
export type RequestSettings = Pick<GatewayConfig, 'request' | 'response' | 'retry' | 'affinity' | 'healthCheck'>;

export interface Snapshot {
  readonly regions: readonly RegionSnapshot[];
  /** Too few targets are available: probes are ignored, and all targets get traffic. */
  readonly isPanic: boolean;
  /** Every region to which work belongs can serve, so no work is redirected. */
  readonly isWhole: boolean;
  /** `undefined`: one Kafka serves all regions. */
  readonly clusters: ClusterView | undefined;
  readonly settings: RequestSettings;
}

/** Whether any region gets new work. */
export function hasWeight(regions: readonly Pick<RegionSnapshot, 'weight'>[]): boolean {
  return regions.some(({ weight }) => weight > 0);
}

/**
 * Whether every priority has less than `panicPercent` of its targets serving, among regions with weight. One priority above the
 * limit prevents panic, because it gets the traffic of the others. Without any weight there is no panic. Newcomers do not count: when a
 * name gives one target four more, nothing is wrong.
 */
export function isPanic(regions: readonly RegionSnapshot[], panicPercent: number): boolean {
  const counts = new Map<number, { total: number; available: number }>();
  for (const { weight, priority, targets } of regions) {
    if (weight === 0) continue;
    for (const { isServing, isNewcomer } of targets) {
      if (isNewcomer) continue;
      const count = counts.get(priority) ?? { total: 0, available: 0 };
      count.total += 1;
      if (isServing) count.available += 1;
      counts.set(priority, count);
    }
  }
  return (
    counts.size > 0 && [...counts.values()].every(({ total, available }) => available * 100 < total * panicPercent)
  );
}

/** Describes why panic begins or ends, for the event. */
export function panicReason({ isPanic, regions }: Pick<Snapshot, 'isPanic' | 'regions'>, panicPercent: number): string {
  if (isPanic) return `fewer than ${panicPercent} % of the targets are available: all of them get traffic`;
  return hasWeight(regions) ? 'enough targets are available again' : 'no region has weight: no request can be served';
}
