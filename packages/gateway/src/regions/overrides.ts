/** What operators set at run time, until the next reload: drained regions and other weights. */
import type { RegionConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { canRegionServe } from './belonging.ts';
import type { RegionSnapshot } from './snapshot.ts';

type OverriddenRegion = Pick<RegionSnapshot, 'weight' | 'configuredWeight' | 'weightIsOverridden' | 'isDrained'>;

export class Overrides {
  readonly #drained = new Set<string>();
  readonly #weights = new Map<string, number>();

  drain(region: string): void {
    this.#drained.add(region);
  }

  /** `false`: the region was not drained. */
  undrain(region: string): boolean {
    return this.#drained.delete(region);
  }

  /** What the region would have if it were not drained. */
  weightOf({ name, weight }: RegionConfig): number {
    return this.#weights.get(name) ?? weight;
  }

  setWeight({ name, weight: configured }: RegionConfig, weight: number): void {
    if (weight === configured) this.#weights.delete(name);
    else this.#weights.set(name, weight);
  }

  /** A region as configured, with what operators changed. */
  of(region: RegionConfig): OverriddenRegion {
    const { name, weight } = region;
    const isDrained = this.#drained.has(name);
    return {
      weight: isDrained ? 0 : this.weightOf(region),
      configuredWeight: weight,
      weightIsOverridden: this.#weights.has(name),
      isDrained,
    };
  }

  clear(): void {
    this.#drained.clear();
    this.#weights.clear();
  }
}

/** Errors: `lastRegion` when no other region has weight, or `region` serves and no other one does. Pure. */
export function assertNotLast(regions: readonly RegionSnapshot[], region: string): void {
  const others = regions.filter(({ name, weight }) => name !== region && weight > 0);
  if (others.length === 0) {
    throw new GatewayError('lastRegion', `Region ${region} is the last one with weight: nobody could take its work.`);
  }
  const itself = regions.find(({ name }) => name === region);
  if (itself !== undefined && canRegionServe(itself) && !others.some(canRegionServe)) {
    throw new GatewayError(
      'lastRegion',
      `Region ${region} is the only one that can serve: nobody could take its work.`,
    );
  }
}
