/** What a bridge does about clusters, put together: its state, promotions, and what operators see. */
import type { ClusterStatus } from '@causeway/protocol/clusters.ts';
import type { Replication } from '../replication/replication.ts';
import type { ClusterState } from './cluster-state.ts';
import { Preparer } from './preparer.ts';
import { Promoter, type PromoterOptions } from './promoter.ts';
import { Rejoiner } from './rejoiner.ts';

/** Longer than a lease: other bridges of the cluster may acknowledge records until then. */
const REPORT_INTERVAL_MS = 3000;

export class Clusters {
  readonly state: ClusterState;
  readonly promoter: Promoter;
  readonly rejoiner: Rejoiner;
  readonly preparer: Preparer;
  readonly #replication: Replication | undefined;
  readonly #log: PromoterOptions['log'];
  #reportTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: PromoterOptions & { prefer: 'availability' | 'consistency' }) {
    this.state = options.state;
    this.#replication = options.replication;
    this.#log = options.log;
    this.promoter = new Promoter(options);
    this.rejoiner = new Rejoiner(options);
    this.preparer = new Preparer(options);
    this.state.onMode((mode) => {
      clearTimeout(this.#reportTimer);
      if (mode === 'fenced') this.#reportSoon();
    });
  }

  start(): void {
    this.state.start();
    this.#replication?.start();
  }

  async close(): Promise<void> {
    clearTimeout(this.#reportTimer);
    this.#isClosed = true;
    await this.state.close();
    await this.#replication?.close();
  }

  status(): ClusterStatus {
    const { self, mode, highest, own, peer } = this.state;
    const { promoted } = own.facts;
    // What this cluster alone has stands in the log of the one that is active.
    const ownTail = peer?.facts.reports.filter(({ lost }) => lost === self) ?? [];
    const reports = mode === 'fenced' ? ownTail : own.facts.reports;
    const { how, atMs, by, reason } = promoted ?? {};
    return {
      cluster: self,
      mode,
      promotion: highest ?? null,
      promoted:
        how === undefined || atMs === undefined || by === undefined || reason === undefined
          ? null
          : { kind: how, at: new Date(atMs).toISOString(), by, reason },
      isReplicationEnded: own.facts.isReplicationEnded,
      replication: this.#replication?.status() ?? null,
      reports: [...reports],
    };
  }

  /** A cluster that returns says what it alone has, before an operator asks: its bridges know the exact ends. */
  #reportSoon(): void {
    if (this.#isClosed) return;
    this.#reportTimer = setTimeout(() => {
      this.rejoiner.report().then(
        (report) => {
          if (report !== undefined) this.#log.info({ report }, 'records that this cluster alone has');
        },
        () => this.#reportSoon(),
      );
    }, REPORT_INTERVAL_MS);
  }
}
