/** In which state a region is, and why, in words. Pure, but for {@link RegionStates}, which remembers since when. */

import type { State } from '@causeway/protocol/admin/model.ts';
import type { RegionSnapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';

/** `trying`: some requests may go there, and it is not well. */
type Condition = { kind: 'well' } | { kind: 'trying' | 'out'; reason: string };

function conditionOf({ health, breaker, breakerReason, isFull }: Target): Condition {
  if (health.status !== 'healthy') return { kind: 'out', reason: health.reason };
  if (breaker.state === 'open') return { kind: 'out', reason: `its breaker is open: ${breakerReason}` };
  if (breaker.state === 'halfOpen') return { kind: 'trying', reason: 'its breaker lets one request through to try' };
  if (isFull) return { kind: 'trying', reason: 'it has as many requests as it may have' };
  return { kind: 'well' };
}

/** `up`: every target is well; `degraded`: some may be used; `down`: none. */
export function judgeRegion({ targets, weight, isDrained }: Pick<RegionSnapshot, 'targets' | 'weight' | 'isDrained'>): {
  state: State;
  reason: string;
} {
  const conditions = targets.map(conditionOf);
  const outCount = conditions.filter(({ kind }) => kind === 'out').length;
  const wellCount = conditions.filter(({ kind }) => kind === 'well').length;
  const reasons = new Set(conditions.flatMap((condition) => (condition.kind === 'well' ? [] : [condition.reason])));
  if (wellCount === targets.length) {
    const isUnused = isDrained ? 'drained by an operator' : weight === 0 ? 'gets no work: its weight is 0' : undefined;
    return { state: 'up', reason: isUnused ?? 'probes and requests are answered' };
  }
  const why = [...reasons].join('; ');
  if (outCount === targets.length) return { state: 'down', reason: why };
  return { state: 'degraded', reason: `${wellCount} of ${targets.length} targets are well: ${why}` };
}

/** Since when each region is in its state; to be told of every change. */
export class RegionStates {
  readonly #known = new Map<string, { state: State; since: Date }>();

  /** Looks at all regions, and forgets those that are gone. */
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
