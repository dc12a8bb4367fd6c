/** What bridges report about each Kafka cluster: asked once a second from one bridge, or from a gateway of its region. */
import type { ClusterMode, ClusterStatus } from '@causeway/protocol/clusters.ts';
import type { EventLog } from '../events.ts';
import { askStatus, type ClusterPeer, type Sender } from './cluster-requests.ts';
import type { ClusterTarget } from './cluster-view.ts';
import type { Clusters } from './clusters.ts';

export interface ClusterStatusesOptions {
  readonly clusters: Clusters;
  /** The targets of a cluster's regions. */
  readonly targetsOf: (cluster: string) => readonly (ClusterTarget & ClusterPeer)[];
  readonly sender: () => Sender;
  readonly events: EventLog;
  /** Says why a connection failed, in a few words. */
  readonly explain: (error: unknown) => string;
}

export interface KnownStatus {
  /** The last one. */
  readonly status: ClusterStatus | undefined;
  /** When it arrived. */
  readonly at: Date | undefined;
  /** Why there is no current one. */
  readonly error: string | undefined;
}

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_000;
const UNKNOWN: KnownStatus = { status: undefined, at: undefined, error: 'not asked yet' };

export class ClusterStatuses {
  readonly #options: ClusterStatusesOptions;
  readonly #known = new Map<string, KnownStatus>();
  /** The last known ones. */
  readonly #modes = new Map<string, ClusterMode>();
  /** Clusters whose bridges are being asked. */
  readonly #asking = new Set<string>();
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Questions so far: targets take turns. */
  #turn = 0;

  constructor(options: ClusterStatusesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#abort.abort(new Error('the gateway is closing'));
  }

  of(cluster: string): KnownStatus {
    return this.#known.get(cluster) ?? UNKNOWN;
  }

  /** By the last probes; `undefined` while no target that reports it is available. */
  modeOf(cluster: string): ClusterMode | undefined {
    const modes = this.#options.targetsOf(cluster).flatMap((target) => {
      return target.isServing && target.cluster?.cluster === cluster ? [target.cluster.mode] : [];
    });
    return modes.find((mode) => mode === 'active') ?? modes[0];
  }

  /** A target that leads to a bridge of the cluster now. */
  peerOf(cluster: string): (ClusterTarget & ClusterPeer) | undefined {
    const serving = this.#options.targetsOf(cluster).filter(({ isServing }) => isServing);
    this.#turn += 1;
    return serving[this.#turn % Math.max(1, serving.length)];
  }

  #look(): void {
    const { settings } = this.#options.clusters;
    for (const name of this.#known.keys()) {
      if (settings?.members.some((member) => member.name === name) !== true) this.#known.delete(name);
    }
    for (const { name } of settings?.members ?? []) {
      this.#noteMode(name);
      if (!this.#asking.has(name)) void this.#ask(name);
    }
  }

  #noteMode(cluster: string): void {
    const mode = this.modeOf(cluster);
    const before = this.#modes.get(cluster);
    if (mode === undefined || mode === before) return;
    this.#modes.set(cluster, mode);
    if (before !== undefined) this.#options.events.emit({ type: 'cluster', cluster, from: before, to: mode });
  }

  async #ask(cluster: string): Promise<void> {
    const { clusters, sender, explain } = this.#options;
    const before = this.of(cluster);
    const peer = this.peerOf(cluster);
    if (peer === undefined) {
      this.#known.set(cluster, { ...before, error: 'none of its targets is available' });
      return;
    }
    this.#asking.add(cluster);
    try {
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const answer = await askStatus(peer, { sender: sender(), signal });
      clusters.learn(answer.promotion, `region ${peer.region} reports it`);
      this.#known.set(
        cluster,
        answer.kind === 'done'
          ? { status: answer.result, at: new Date(), error: whyOther(answer.result, cluster) }
          : { ...before, error: answer.message },
      );
    } catch (error) {
      this.#known.set(cluster, { ...before, error: explain(error) });
    } finally {
      this.#asking.delete(cluster);
    }
  }
}

/** The YAML of the gateway says another cluster than that of the bridge. */
function whyOther({ cluster }: ClusterStatus, expected: string): string | undefined {
  return cluster === expected ? undefined : `its bridges speak to cluster ${cluster} (kafka.cluster)`;
}
