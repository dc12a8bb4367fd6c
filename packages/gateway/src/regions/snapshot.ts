/** What a request reads to choose a target: immutable, made anew by the control plane at every change. */
import type { GatewayConfig } from '../config/schema.ts';
import type { Target } from './target.ts';

export interface RegionSnapshot {
  readonly name: string;
  readonly weight: number;
  readonly priority: number;
  /** The region in which this gateway stands. */
  readonly isLocal: boolean;
  readonly targets: readonly Target[];
}

/** The part of the config that the request path reads. */
export type RequestSettings = Pick<GatewayConfig, 'request' | 'response' | 'retry'>;

export interface Snapshot {
  readonly regions: readonly RegionSnapshot[];
  /** So few targets are left that probes are not believed: every target counts as available. */
  readonly isPanic: boolean;
  readonly settings: RequestSettings;
}

/** Whether fewer than `panicPercent` of the targets of regions with weight are well. */
export function isPanic(regions: readonly RegionSnapshot[], panicPercent: number): boolean {
  let totalCount = 0;
  let availableCount = 0;
  for (const region of regions) {
    if (region.weight === 0) continue;
    for (const target of region.targets) {
      totalCount += 1;
      if (target.health.status === 'healthy' && target.breaker.state !== 'open') availableCount += 1;
    }
  }
  return availableCount * 100 < totalCount * panicPercent;
}
