/** Promotes Kafka clusters: for operators, and by itself once the active cluster has been down for `clusters.promoteAfterMs`. */
import type { PromoteResponse } from '@causeway/protocol/clusters.ts';
import type { EventLog } from '../events.ts';
import { decideAutomatic, type Watch, watchOf } from './automatic-promotion.ts';
import { askPromotion, type ClusterPeer, type Sender } from './cluster-requests.ts';
import { type ClusterRegion, type ClusterTarget, isClusterDown, isPromotable } from './cluster-view.ts';
import type { Clusters } from './clusters.ts';

/** A region with the targets that lead to its bridges. */
export interface PromoterRegion extends ClusterRegion {
  readonly name: string;
  readonly targets: readonly (ClusterTarget & ClusterPeer)[];
}

export interface PromoterOptions {
  readonly clusters: Clusters;
  readonly regions: () => readonly PromoterRegion[];
  readonly sender: () => Sender;
  readonly events: EventLog;
  /** Says why a connection failed, in a few words. */
  readonly explain: (error: unknown) => string;
  /** Milliseconds, never going back. */
  readonly now: () => number;
}

export interface PromotionRequest {
  readonly cluster: string;
  /** `operator ann`, `gateway edge-1`. */
  readonly by: string;
  readonly reason: string;
  readonly mayLose: boolean;
  /** Also what a Kafka has that can be reached. */
  readonly isForced?: boolean;
}

export type PromotionResult =
  | { kind: 'promoted'; response: PromoteResponse }
  /** The bridge refused, or could not be asked. */
  | { kind: 'refused'; message: string };

/** How often the clusters are looked at. */
const LOOK_INTERVAL_MS = 100;
/** A switch-over waits for replication, by default for 10 seconds at most. */
const PROMOTION_TIMEOUT_MS = 60_000;

export class Promoter {
  readonly #options: PromoterOptions;
  #watch: Watch = watchOf('');
  #timer: NodeJS.Timeout | undefined;
  /** The promotion that is being asked for. */
  #asking: { abort: AbortController; target: ClusterTarget } | undefined;
  /** Why the last automatic promotion failed. */
  #lastFailure = '';
  /** Questions so far: targets take turns. */
  #turn = 0;

  constructor(options: PromoterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#asking?.abort.abort(new Error('the gateway is closing'));
  }

  /** Whether no region of the active cluster has a healthy target. */
  get isActiveDown(): boolean {
    return isClusterDown(this.#options.regions().filter(({ standsBy }) => !standsBy));
  }

  /** Makes a cluster the active one. Never throws. */
  async promote({ cluster, by, reason, mayLose, isForced = false }: PromotionRequest): Promise<PromotionResult> {
    const { clusters, explain, sender } = this.#options;
    const after = clusters.promotion;
    const target = this.#targetOf(cluster);
    if (after === undefined || target === undefined) {
      return { kind: 'refused', message: `No region of cluster ${cluster} has a target that could promote it.` };
    }
    if (this.#asking !== undefined) return { kind: 'refused', message: 'Another promotion is under way.' };
    const abort = new AbortController();
    this.#asking = { abort, target };
    clusters.asked = { cluster, reason };
    const timer = setTimeout(() => abort.abort(new Error('no response in time')), PROMOTION_TIMEOUT_MS);
    try {
      const request = { after: { number: after.number, cluster: after.cluster }, by, reason, mayLose, isForced };
      const answer = await askPromotion(target, request, { sender: sender(), signal: abort.signal });
      if (answer.kind === 'done') clusters.learn(answer.result.promotion, reason);
      clusters.learn(answer.promotion, `region ${target.region} reports it`);
      return answer.kind === 'done'
        ? { kind: 'promoted', response: answer.result }
        : { kind: 'refused', message: answer.message };
    } catch (error) {
      return { kind: 'refused', message: `A bridge of cluster ${cluster} could not be asked: ${explain(error)}.` };
    } finally {
      clearTimeout(timer);
      this.#asking = undefined;
      clusters.asked = undefined;
    }
  }

  #targetOf(cluster: string): (ClusterTarget & ClusterPeer) | undefined {
    const serving = this.#regionsOf(cluster).flatMap(({ targets }) => targets.filter(({ isServing }) => isServing));
    this.#turn += 1;
    return serving[this.#turn % Math.max(1, serving.length)];
  }

  #regionsOf(cluster: string): PromoterRegion[] {
    const { clusters, regions } = this.#options;
    return regions().filter(({ name }) => clusters.clusterOf(name) === cluster);
  }

  #look(): void {
    const { clusters, now } = this.#options;
    const { settings, active, isSettled } = clusters;
    if (settings === undefined || active === undefined || !isSettled) return;
    const asking = this.#asking;
    if (asking !== undefined && !asking.target.isServing) asking.abort.abort(new Error('it is down now'));
    const { watch, promote } = decideAutomatic(this.#watch, {
      nowMs: now(),
      active,
      isActiveDown: this.isActiveDown,
      promoteAfterMs: settings.promoteAfterMs,
      candidates: settings.members.map(({ name }) => name).filter((name) => name !== active && this.#isCandidate(name)),
      isPromoting: asking !== undefined,
    });
    this.#watch = watch;
    if (watch.downSinceMs === undefined) this.#lastFailure = '';
    if (promote !== undefined) void this.#promoteByItself(promote, { active, afterMs: settings.promoteAfterMs ?? 0 });
  }

  /** A fenced cluster has records that the others lack, and refuses. */
  #isCandidate(name: string): boolean {
    const regions = this.#regionsOf(name);
    const modes = regions.flatMap(({ targets }) => targets.map(({ cluster }) => cluster?.mode));
    return isPromotable(regions) && !modes.includes('fenced');
  }

  async #promoteByItself(cluster: string, { active, afterMs }: { active: string; afterMs: number }): Promise<void> {
    const { events, sender } = this.#options;
    const reason = `no region of cluster ${active} has had a healthy target for ${afterMs} ms`;
    const result = await this.promote({ cluster, by: `gateway ${sender().entry}`, reason, mayLose: true });
    if (result.kind === 'promoted' || result.message === this.#lastFailure) return;
    this.#lastFailure = result.message;
    // A refusal that named a higher promotion has been followed.
    if (this.#options.clusters.active === active) {
      events.emit({ type: 'promotionFailed', cluster, reason: result.message });
    }
  }
}
