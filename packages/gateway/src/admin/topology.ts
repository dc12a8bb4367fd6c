/** The system as this gateway sees it: one JSON value for pages, commands and tests. */
import type { Affinity } from '../consumers/affinity.ts';
import type { BreakerState, HealthStatus } from '../events.ts';
import type { Registry } from '../regions/registry.ts';
import type { RateSampler, Rates } from './rates.ts';

export interface Topology {
  gateway: { name: string; region: string | null; startedAt: string };
  /** Too few targets are left: probes are not believed, and all of them get traffic. */
  isPanic: boolean;
  regions: RegionTopology[];
  /** Consumers whose home this gateway remembers. */
  consumers: { count: number };
  config: ConfigStatus;
}

export interface RegionTopology {
  name: string;
  /** 0 while it is drained. */
  weight: number;
  priority: number;
  /** An operator drains it, until the next reload. */
  isDrained: boolean;
  isLocal: boolean;
  /** `up`: every target is available; `degraded`: some are; `down`: none is. */
  state: 'up' | 'degraded' | 'down';
  inFlight: number;
  consumerCount: number;
  rates: Rates;
  targets: TargetTopology[];
}

export interface TargetTopology {
  url: string;
  isAvailable: boolean;
  inFlight: number;
  health: { status: HealthStatus; since: string; reason: string };
  breaker: { state: BreakerState; since: string };
}

export interface ConfigStatus {
  file: string;
  loadedAt: string;
  /** The last change that was refused, until a good one follows. */
  lastError: { at: string; reason: string } | null;
}

export interface TopologySources {
  registry: Registry;
  affinity: Affinity;
  rates: RateSampler;
  startedAt: Date;
  configStatus: () => ConfigStatus;
}

export function describeTopology({ registry, affinity, rates, startedAt, configStatus }: TopologySources): Topology {
  const { snapshot, config } = registry;
  const consumers = affinity.countByRegion();
  return {
    gateway: { name: config.gateway.name, region: config.gateway.region ?? null, startedAt: startedAt.toISOString() },
    isPanic: snapshot.isPanic,
    regions: snapshot.regions.map((region): RegionTopology => {
      const targets = region.targets.map(
        (target): TargetTopology => ({
          url: target.url,
          isAvailable: target.isAvailable,
          inFlight: target.inFlight.size,
          health: {
            status: target.health.status,
            since: target.healthSince.toISOString(),
            reason: target.health.reason,
          },
          breaker: { state: target.breaker.state, since: target.breakerSince.toISOString() },
        }),
      );
      const availableCount = targets.filter((target) => target.isAvailable).length;
      return {
        name: region.name,
        weight: region.weight,
        priority: region.priority,
        isDrained: region.isDrained,
        isLocal: region.isLocal,
        state: availableCount === targets.length ? 'up' : availableCount > 0 ? 'degraded' : 'down',
        inFlight: targets.reduce((sum, target) => sum + target.inFlight, 0),
        consumerCount: consumers.get(region.name) ?? 0,
        rates: rates.ratesOf(region.name),
        targets,
      };
    }),
    consumers: { count: affinity.size },
    config: configStatus(),
  };
}
