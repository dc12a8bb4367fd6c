/** Overrides that operators set through the admin API until the next reload: drained regions and weights. */
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

  /** Returns the weight of the region, drained or not. */
  weightOf({ name, weight }: RegionConfig): number {
    return this.#weights.get(name) ?? weight;
  }

  setWeight({ name, weight: configured }: RegionConfig, weight: number): void {
    if (weight === configured) this.#weights.delete(name);
    else this.#weights.set(name, weight);
  }

  /** Applies the overrides to a configured region. */
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

/** Throws `lastRegion` if no other region has weight, or if `region` is the only one that can serve. Pure. */
export function assertNotLast(regions: readonly RegionSnapshot[], region: string): void {
  const others = regions.filter(({ name, weight }) => name !== region && weight > 0);
  if (others.length === 0) {
    throw new GatewayError(
      'lastRegion',
      `Region ${region} is the last one with weight: no other region could serve its work.`,
    );
  }
  const itself = regions.find(({ name }) => name === region);
  if (itself !== undefined && canRegionServe(itself) && !others.some(canRegionServe)) {
    throw new GatewayError('lastRegion', `Region ${region} is the only one that can serve its work.`);
  }
}
