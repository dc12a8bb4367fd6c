/** Turns the replication after a promotion, as the operators of MirrorMaker do: they learn of it from the bridges. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ClusterStatus,
  comparePromotions,
  formatPromotion,
  type LossReport,
  type ReplicationStatus,
} from '@causeway/protocol/clusters.ts';
import type { Dispatcher } from 'undici';
import { LabError } from '../errors.ts';
import { type ClusterPair, FIRST_ACTIVE, otherThan } from './cluster-pair.ts';
import { askClusterStatus, endReplication, prepareReplication } from './cluster-status.ts';
import { isRegionName, REGION_NAMES, type RegionName } from './regions.ts';

const LOOK_EVERY_MS = 200;

/** `undefined`: no bridge of it responds. */
export type ClusterStatuses = Readonly<Record<RegionName, ClusterStatus | undefined>>;

/** The cluster of the highest promotion that any bridge knows. */
export function activeCluster(statuses: ClusterStatuses): RegionName | undefined {
  const promotions = REGION_NAMES.flatMap((name) => statuses[name]?.promotion ?? []);
  const cluster = promotions.toSorted(comparePromotions).at(-1)?.cluster;
  return cluster !== undefined && isRegionName(cluster) ? cluster : undefined;
}

export type ReplicationStep =
  | { kind: 'keep' }
  /** The source is not active any more, and cannot be filled yet. */
  | { kind: 'stop' }
  /** `source` was promoted, and the other one stands by. */
  | { kind: 'turn'; source: RegionName };

/** `source`: of the replication that runs or ran last. Pure. */
export function decideReplication(
  { source, isRunning }: { source: RegionName; isRunning: boolean },
  statuses: ClusterStatuses,
): ReplicationStep {
  const active = activeCluster(statuses);
  if (active === undefined || active === source) return { kind: 'keep' };
  if (statuses[source]?.mode === 'standby') return { kind: 'turn', source: active };
  return { kind: isRunning ? 'stop' : 'keep' };
}

export interface ReplicationFollowerOptions {
  pair: ClusterPair;
  bridgeUrls: Readonly<Record<RegionName, string>>;
  /** For requests to them, as a gateway. */
  agent: Dispatcher;
  secret: string;
  /** MirrorMaker did not start. */
  onError: (text: string) => void;
}

export class ReplicationFollower {
  readonly #options: ReplicationFollowerOptions;
  readonly #closed = new AbortController();
  #source: RegionName = FIRST_ACTIVE;
  #running: Promise<void> | undefined;
  #last: ClusterStatuses = { east: undefined, west: undefined };

  constructor(options: ReplicationFollowerOptions) {
    this.#options = options;
  }

  /** The active cluster; `undefined` before its first promotion. */
  get active(): RegionName | undefined {
    return activeCluster(this.#last);
  }

  /** Whether MirrorMaker copies from this cluster: its worker has joined. */
  isCopyingFrom(source: RegionName): boolean {
    return (
      this.#source === source && this.#running !== undefined && this.#options.pair.replication.direction !== undefined
    );
  }

  /** What would be lost if the active cluster died now, as the other one measures it; `undefined` while it does not. */
  get status(): ReplicationStatus | undefined {
    const { active } = this;
    return (active && this.#last[otherThan(active)]?.replication) ?? undefined;
  }

  /** Of forced promotions, as bridges report them now: each once, final if any bridge has the final one. */
  async lossReports(): Promise<LossReport[]> {
    const statuses = await this.#ask();
    const reports = new Map<string, LossReport>();
    for (const report of REGION_NAMES.flatMap((name) => statuses[name]?.reports ?? [])) {
      const id = formatPromotion(report.promotion);
      if (reports.get(id)?.isFinal !== true) reports.set(id, report);
    }
    return [...reports.values()];
  }

  /** Starts the first direction, then follows. Errors: see `MirrorMaker.start`. */
  async start(signal?: AbortSignal | undefined): Promise<void> {
    const { pair } = this.#options;
    await pair.replication.start(pair.direction(this.#source), signal);
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closed.abort(new LabError('stopped', 'The lab stops.'));
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        // A cluster that died again while MirrorMaker started: the next look decides.
        if (!this.#closed.signal.aborted)
          this.#options.onError(`MirrorMaker: ${error instanceof Error ? error.message : String(error)}`);
      }
      await delay(LOOK_EVERY_MS, undefined, { signal: this.#closed.signal }).catch(() => {});
    }
  }

  async #ask(): Promise<ClusterStatuses> {
    const { bridgeUrls, agent, secret } = this.#options;
    const ask = (name: RegionName): Promise<ClusterStatus | undefined> =>
      askClusterStatus(bridgeUrls[name], { agent, secret });
    const [east, west] = await Promise.all([ask('east'), ask('west')]);
    return { east, west };
  }

  async #look(): Promise<void> {
    const { pair } = this.#options;
    this.#last = await this.#ask();
    const isRunning = pair.replication.direction !== undefined;
    const step = decideReplication({ source: this.#source, isRunning }, this.#last);
    if (step.kind !== 'keep') await pair.replication.stop();
    await this.#noteEnd();
    if (step.kind !== 'turn' || !pair.isUp(otherThan(step.source))) return;
    const { source } = step;
    const { bridgeUrls, agent, secret } = this.#options;
    const prepare = (): Promise<void> => prepareReplication(bridgeUrls[otherThan(source)], { agent, secret });
    await pair.replication.turn(pair.direction(source), prepare, this.#closed.signal);
    this.#source = source;
  }

  /** Says that MirrorMaker does not fill the promoted cluster any more, as the program beside that does outside the lab. */
  async #noteEnd(): Promise<void> {
    const { pair, bridgeUrls, agent, secret } = this.#options;
    const { active } = this;
    if (active === undefined || pair.replication.direction?.target.name === active) return;
    const { mode, promotion = null, isReplicationEnded } = this.#last[active] ?? {};
    if (mode !== 'active' || promotion === null || isReplicationEnded === true) return;
    await endReplication(bridgeUrls[active], promotion, { agent, secret });
  }
}
