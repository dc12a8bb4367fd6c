/** What a bridge does about clusters, put together: its state, promotions, and what operators see. */
import type { ClusterStatus } from '@causeway/protocol/clusters.ts';
import type { Replication } from '../replication/replication.ts';
import type { ClusterState } from './cluster-state.ts';
import { Promoter, type PromoterOptions } from './promoter.ts';
import { Rejoiner } from './rejoiner.ts';

export class Clusters {
  readonly state: ClusterState;
  readonly promoter: Promoter;
  readonly rejoiner: Rejoiner;
  readonly #replication: Replication | undefined;

  constructor(options: PromoterOptions & { prefer: 'availability' | 'consistency' }) {
    this.state = options.state;
    this.#replication = options.replication;
    this.promoter = new Promoter(options);
    this.rejoiner = new Rejoiner(options);
  }

  start(): void {
    this.state.start();
    this.#replication?.start();
  }

  async close(): Promise<void> {
    await this.state.close();
    await this.#replication?.close();
  }

  status(): ClusterStatus {
    const { self, mode, highest, own } = this.state;
    const { promoted, reports } = own.facts;
    const { how, atMs, by, reason } = promoted ?? {};
    return {
      cluster: self,
      mode,
      promotion: highest ?? null,
      promoted:
        how === undefined || atMs === undefined || by === undefined || reason === undefined
          ? null
          : { kind: how, at: new Date(atMs).toISOString(), by, reason },
      replication: this.#replication?.status() ?? null,
      reports: [...reports],
    };
  }
}
