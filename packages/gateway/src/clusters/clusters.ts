/**
 * What this gateway knows of the Kafka clusters: the highest promotion that it knows, and whether the first probes are over. It
 * never goes back to a lower one; a reload of the YAML does not change it.
 */
import {
  comparePromotions,
  formatPromotion,
  highestPromotion,
  type Promotion,
  parsePromotion,
} from '@causeway/protocol/clusters.ts';
import type { ClustersSection } from '../config/clusters.ts';
import type { EventLog } from '../events.ts';
import { type ClusterRegion, type ClusterView, isPromotable, whyAwaited } from './cluster-view.ts';
import { ClusterWaits } from './cluster-waits.ts';

/** Since when a cluster is active, as far as this gateway knows, and why. */
export interface ActiveSince {
  readonly at: Date;
  readonly reason: string;
}

export class Clusters {
  readonly waits = new ClusterWaits();
  readonly #events: EventLog;
  readonly #listeners = new Set<() => void>();
  #settings: ClustersSection | undefined;
  /** Of the regions. */
  readonly #clusterOf = new Map<string, string>();
  /** Number 1 or higher. */
  #highest: Promotion | undefined;
  #since: ActiveSince = { at: new Date(), reason: 'the configuration says so' };
  /** What was heard before the end of the first probes counts. */
  #isSettled = false;
  /** The promotion that this gateway asks for now. */
  #asked: { readonly cluster: string; readonly reason: string } | undefined;
  /** Changes of the active cluster. */
  promotionCount = 0;

  constructor(events: EventLog) {
    this.#events = events;
  }

  /** `undefined`: there is one Kafka, as far as this gateway knows. */
  get settings(): ClustersSection | undefined {
    return this.#settings;
  }

  /** The highest promotion; number 0 and the YAML's cluster while none is known. `undefined` without the section. */
  get promotion(): Promotion | undefined {
    if (this.#settings === undefined) return undefined;
    return this.#highest ?? { number: 0, cluster: this.#settings.active };
  }

  /** The value of `causeway-promotion`; without the section what bridges and gateways report, if anything. */
  get header(): string | undefined {
    const promotion = this.promotion ?? this.#highest;
    return promotion === undefined ? undefined : formatPromotion(promotion);
  }

  get active(): string | undefined {
    return this.promotion?.cluster;
  }

  get since(): ActiveSince {
    return this.#since;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  configure(settings: ClustersSection | undefined): void {
    this.#settings = settings;
    this.#clusterOf.clear();
    for (const { name, regions } of settings?.members ?? []) {
      for (const region of regions) this.#clusterOf.set(region, name);
    }
  }

  clusterOf(region: string): string | undefined {
    return this.#clusterOf.get(region);
  }

  /** Whether the region's cluster is another one than the active one. */
  standsBy(region: string): boolean {
    const { active } = this;
    return active !== undefined && this.#clusterOf.get(region) !== active;
  }

  /** Calls `listener` after each change that concerns requests. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Follows a promotion if it is higher than the known one. Returns whether it is. `reason`: which region reported it, or why it was made. */
  learn(promotion: Promotion | undefined, reason: string): boolean {
    if (promotion === undefined || promotion.number === 0) return false;
    const before = this.#highest;
    if (before !== undefined && comparePromotions(promotion, before) <= 0) return false;
    const from = this.active;
    this.#highest = highestPromotion(before, promotion);
    if (from !== undefined && from !== promotion.cluster) {
      this.promotionCount += 1;
      const { cluster, number } = promotion;
      // A probe may be faster than the response to the question.
      const why = this.#asked?.cluster === cluster ? this.#asked.reason : reason;
      this.#since = { at: new Date(), reason: why };
      this.#events.emit({ type: 'promotion', cluster, from, promotion: number, reason: why });
    }
    this.#changed();
    return true;
  }

  /** As {@link learn}, from the header `causeway-promotion`. The cheap case: it says what is known. */
  learnText(text: string | undefined, reason: () => string): boolean {
    if (text === undefined || text === this.header) return false;
    return this.learn(parsePromotion(text), reason());
  }

  /** The first probes are over: from now on requests go to the active cluster. */
  settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#changed();
  }

  /** This gateway asks for a promotion, for this reason; `undefined`: the question is over. */
  set asked(value: { readonly cluster: string; readonly reason: string } | undefined) {
    this.#asked = value;
    this.#changed();
  }

  /** `maxInFlight`: of a target. */
  view(regions: readonly ClusterRegion[], { maxInFlight }: { maxInFlight: number }): ClusterView | undefined {
    const { active, header } = this;
    if (this.#settings === undefined || active === undefined || header === undefined) return undefined;
    const mayBePromoted =
      (this.#asked !== undefined || this.#settings.promoteAfterMs !== undefined) &&
      isPromotable(regions.filter(({ standsBy }) => standsBy));
    const targets = regions.flatMap((region) => (region.standsBy ? [] : region.targets));
    return {
      active,
      promotion: header,
      awaited: whyAwaited(regions, { isSettled: this.#isSettled, mayBePromoted }),
      mayBePromoted,
      maxWaiting: maxInFlight * Math.max(1, targets.length),
    };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
