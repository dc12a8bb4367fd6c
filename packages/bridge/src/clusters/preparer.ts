/** The replication between clusters after a promotion: where MirrorMaker begins in the active one, and that it does not fill that any more. */
import {
  isSamePromotion,
  type PreparedReplication,
  type PrepareRequest,
  type Promotion,
  type ReplicationEnd,
} from '@causeway/protocol/clusters.ts';
import { BridgeError } from '../errors.ts';
import { within } from '../kafka/client/limits.ts';
import type { Replication } from '../replication/replication.ts';
import { startPositions } from '../replication/start-positions.ts';
import type { ClusterState } from './cluster-state.ts';

export interface PreparerOptions {
  state: ClusterState;
  replication: Replication | undefined;
}

/** Positions of many partitions are read and written. */
const TIMEOUT_MS = 30_000;

export class Preparer {
  readonly #options: PreparerOptions;

  constructor(options: PreparerOptions) {
    this.#options = options;
  }

  /**
   * The same positions each time, until another promotion. Without `dryRun`, they are written where a MirrorMaker of its own keeps them, if they are ahead of that.
   * Errors: `promotionRefused` for a cluster that does not stand by; `kafkaUnavailable`, `kafkaRefused`.
   */
  async prepare({ dryRun = false }: PrepareRequest): Promise<PreparedReplication> {
    const { state, replication } = this.#options;
    const { own, self, peer } = state;
    const limits = within(TIMEOUT_MS);
    await own.confirm(limits);
    if (state.mode !== 'standby') throw this.#refusal(`it does not stand by (${state.mode})`);
    if (peer === undefined || replication === undefined) throw this.#refusal('it has no peer (clusters.peer)');
    await peer.confirm(limits);
    const { promoted, point } = peer.facts;
    const { highest } = state;
    if (promoted === undefined || (highest !== undefined && !isSamePromotion(promoted.promotion, highest))) {
      throw this.#refusal(`${peer.name} is not active`);
    }
    // What the first active cluster had before is copied from the beginning.
    const positions = promoted.how === 'initial' ? [] : startPositions(point, await replication.wasCopied(limits));
    if (!dryRun) await replication.advanceMirror(positions, limits);
    return { promotion: promoted.promotion, source: peer.name, target: self, positions };
  }

  /**
   * Notes in the log of the active cluster, which is this bridge's, that MirrorMaker does not fill it any more. It does not matter how often.
   * Errors: `promotionRefused` for a cluster that is not active by this promotion; `kafkaUnavailable`.
   */
  async endReplication({ promotion, by }: ReplicationEnd): Promise<{ promotion: Promotion }> {
    const { own, self, mode } = this.#options.state;
    const limits = within(TIMEOUT_MS);
    await own.confirm(limits);
    const { promoted, isReplicationEnded } = own.facts;
    if (mode !== 'active' || !isSamePromotion(promoted?.promotion, promotion)) {
      throw this.#refused(`${self} is not active by promotion ${promotion.number} (${mode}): nothing is noted`);
    }
    if (!isReplicationEnded) {
      const reason = `MirrorMaker does not fill ${self} any more`;
      await own.append([{ fact: { kind: 'replicationEnded', promotion }, by, reason }], limits);
      await own.confirm(limits);
    }
    return { promotion };
  }

  #refusal(why: string): BridgeError {
    return this.#refused(`The replication to Kafka cluster ${this.#options.state.self} cannot be prepared now: ${why}`);
  }

  #refused(message: string): BridgeError {
    return new BridgeError('promotionRefused', { message, promotion: this.#options.state.promotionHeader });
  }
}
