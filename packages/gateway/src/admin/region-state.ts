/** Judges the state of a region and says why. Pure, except for {@link RegionStates}, which remembers since when. */

import type { State } from '@causeway/protocol/admin/model.ts';
import type { RegionSnapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';

/** `trying`: not healthy, but may get some requests. */
type Condition = { kind: 'healthy' } | { kind: 'trying' | 'out'; reason: string };

function conditionOf({ health, breaker, breakerReason, isFull }: Target): Condition {
  if (health.status !== 'healthy') return { kind: 'out', reason: health.reason };
  if (breaker.state === 'open') return { kind: 'out', reason: `its breaker is open: ${breakerReason}` };
  if (breaker.state === 'halfOpen') return { kind: 'trying', reason: 'its breaker admits one trial request' };
  if (isFull) return { kind: 'trying', reason: 'it has as many requests as it may have' };
  return { kind: 'healthy' };
}

/** `up` if every target is healthy, `down` if none may be used, `degraded` otherwise. */
export function judgeRegion({
  targets,
  weight,
  isDrained,
  standsBy,
}: Pick<RegionSnapshot, 'targets' | 'weight' | 'isDrained' | 'standsBy'>): {
  state: State;
  reason: string;
} {
  // Its names have had no addresses yet.
  if (targets.length === 0) return { state: 'down', reason: 'DNS has no addresses for it yet' };
  const conditions = targets.map(conditionOf);
  const outCount = conditions.filter(({ kind }) => kind === 'out').length;
  const healthyCount = conditions.filter(({ kind }) => kind === 'healthy').length;
  const reasons = new Set(conditions.flatMap((condition) => (condition.kind === 'healthy' ? [] : [condition.reason])));
  if (healthyCount === targets.length) {
    return { state: 'up', reason: whyUnused({ weight, isDrained, standsBy }) ?? 'probes and requests succeed' };
  }
  const why = [...reasons].join('; ');
  if (outCount === targets.length) return { state: 'down', reason: why };
  return { state: 'degraded', reason: `${healthyCount} of ${targets.length} targets are healthy: ${why}` };
}

function whyUnused({
  weight,
  isDrained,
  standsBy,
}: Pick<RegionSnapshot, 'weight' | 'isDrained' | 'standsBy'>): string | undefined {
  if (isDrained) return 'drained by an operator';
  if (standsBy) return 'its Kafka cluster stands by';
  return weight === 0 ? 'gets no work: its weight is 0' : undefined;
}

/** Remembers since when each region is in its state; `update` must be called after every change. */
export class RegionStates {
  readonly #known = new Map<string, { state: State; since: Date }>();

  /** Judges all regions, and forgets removed ones. */
  update(regions: readonly RegionSnapshot[]): void {
    for (const name of this.#known.keys()) {
      if (!regions.some((region) => region.name === name)) this.#known.delete(name);
    }
    for (const region of regions) {
      const { state } = judgeRegion(region);
      if (this.#known.get(region.name)?.state !== state) this.#known.set(region.name, { state, since: new Date() });
    }
  }

  sinceOf(region: string): Date {
    return this.#known.get(region)?.since ?? new Date();
  }
}
