/**
 * Whether this Kafka cluster serves clients: decided from the log of the cluster, and from promotions that were learned elsewhere. Pure.
 * `test/model/clusters` explores the protocol that these functions make; `docs/disaster-recovery.md` explains it.
 *
 * The protocol:
 * 1. Each cluster has a log of its own, one partition, which replication leaves out. Its records, in their order, say in which mode the
 *    cluster is ({@link applyRecord}). A cluster becomes active by a record in its own log alone: the promoted side waits for no other.
 * 2. A promotion is a pair of number and cluster. Bridges and gateways follow the highest that they know: bridges read their own log and, while they
 *    can reach it, their peer's; gateways learn from bridges, and send what they know with every request. An active cluster that learns of a
 *    higher promotion refuses clients from then on, and writes down that it follows.
 * 3. A bridge acknowledges nothing without a *confirmation*: a question to Kafka for the end of the cluster's log, asked no longer ago
 *    than the lease, with everything up to that end read and the mode still active. It looks again after Kafka stored the records.
 * 4. A switch-over writes `pausing` into the log of the active cluster, lets more than the lease pass, and reads the end offsets there: no record
 *    behind them is acknowledged any more, by frozen bridges neither. When replication has everything, `handedOver` in the same log is the point
 *    of no return. It counts only before `resumed`, which any bridge of the active cluster writes when the pause takes too long.
 * 5. A cluster that was active and follows a promotion that it did not hand over is fenced: it may have records that the other one lacks.
 *    An operator lets it rejoin.
 */
import {
  type ClusterMode,
  comparePromotions,
  isSamePromotion,
  type Promotion,
  type PromotionKind,
} from '@causeway/protocol/clusters.ts';

/** The clocks of two machines may run at slightly different speeds. */
const WAIT_RATIO = 1.2;

/** A record of a cluster's log, as far as the rules need it. */
export type ClusterRecord =
  /** The cluster of the log became active. `leaseMs` holds for all its bridges until the next promotion. */
  | { kind: 'promoted'; promotion: Promotion; how: PromotionKind; leaseMs: number }
  /** The cluster of `promotion` asks for a switch-over. */
  | { kind: 'pausing'; id: string; promotion: Promotion; timeoutMs: number }
  | { kind: 'resumed'; id: string }
  | { kind: 'handedOver'; id: string }
  /** A bridge learned of a promotion of another cluster. */
  | { kind: 'follows'; promotion: Promotion }
  /** An operator lets the cluster stand by again. */
  | { kind: 'rejoined'; promotion: Promotion };

/** What a cluster's log says. */
export interface ClusterView {
  readonly mode: ClusterMode;
  /** The highest promotion in the log. */
  readonly highest: Promotion | undefined;
  /** The switch-over under way, or that ended in {@link ClusterView.highest}; of another cluster. */
  readonly pausing: { readonly id: string; readonly promotion: Promotion; readonly timeoutMs: number } | undefined;
  /** Of the last promotion of this cluster, in milliseconds. */
  readonly leaseMs: number | undefined;
}

export const EMPTY_VIEW: ClusterView = {
  mode: 'unassigned',
  highest: undefined,
  pausing: undefined,
  leaseMs: undefined,
};

/** The view after one more record of the log of cluster `self`. Records that come too late, or twice, change nothing. */
export function applyRecord(view: ClusterView, record: ClusterRecord, self: string): ClusterView {
  switch (record.kind) {
    case 'promoted': {
      const { promotion, leaseMs } = record;
      if (promotion.cluster !== self || !isHigher(promotion, view.highest)) return view;
      return { mode: 'active', highest: promotion, pausing: undefined, leaseMs };
    }
    case 'pausing': {
      const { id, promotion, timeoutMs } = record;
      if (view.mode !== 'active' || promotion.cluster === self || !isHigher(promotion, view.highest)) return view;
      return { ...view, mode: 'pausing', pausing: { id, promotion, timeoutMs } };
    }
    case 'resumed':
      return isPausing(view, record.id) ? { ...view, mode: 'active', pausing: undefined } : view;
    case 'handedOver':
      return isPausing(view, record.id) ? { ...view, mode: 'standby', highest: view.pausing.promotion } : view;
    case 'follows': {
      const { promotion } = record;
      if (promotion.cluster === self || !isHigher(promotion, view.highest)) return view;
      const mode = modeOfFollower(view.mode);
      return { ...view, mode, highest: promotion, pausing: undefined };
    }
    case 'rejoined':
      return view.mode === 'fenced' && isSamePromotion(record.promotion, view.highest)
        ? { ...view, mode: 'standby' }
        : view;
  }
}

/** The mode in which a bridge serves, by its cluster's log and the highest promotion that it learned elsewhere. */
export function modeOf({ mode, highest }: ClusterView, learned: Promotion | undefined, self: string): ClusterMode {
  // A promotion of this cluster counts when its own log has it. Number 0 is what a gateway's YAML says: any record counts for more.
  if (learned === undefined || learned.cluster === self || !isHigher(learned, highest)) return mode;
  return modeOfFollower(mode);
}

/** What a bridge writes into its cluster's log after it learned of a promotion; `undefined`: nothing. */
export function decideLearned(
  view: ClusterView,
  learned: Promotion | undefined,
  { self, peerHighest }: { self: string; peerHighest: Promotion | undefined },
): { kind: 'initial'; promotion: Promotion } | { kind: 'follows'; promotion: Promotion } | undefined {
  if (learned === undefined || !isHigher(learned, view.highest)) return undefined;
  // Number 0 is no promotion: only the first one follows from it.
  if (learned.number > 0) return learned.cluster === self ? undefined : { kind: 'follows', promotion: learned };
  if (learned.cluster !== self || view.highest !== undefined || peerHighest !== undefined) return undefined;
  return { kind: 'initial', promotion: { number: 1, cluster: self } };
}

export interface PromotionSituation {
  self: string;
  /** Of the own log, read to its end. */
  view: ClusterView;
  learned: Promotion | undefined;
  /** The promotion that the request follows. */
  after: Promotion;
  mayLose: boolean;
  /** Whether the active cluster's log can be read and written. */
  isPeerReachable: boolean;
}

export type PromotionDecision =
  /** The cluster is active by the promotion that the request follows. */
  | { kind: 'isActive'; promotion: Promotion }
  /** The sender of the request does not know the highest promotion. */
  | { kind: 'superseded'; highest: Promotion }
  /** The cluster has records of its own that the active one lacks. */
  | { kind: 'isFenced' }
  /** The active cluster cannot be reached, and the request does not allow for a loss. */
  | { kind: 'wouldLose' }
  | { kind: 'switchOver'; promotion: Promotion }
  | { kind: 'force'; promotion: Promotion };

/** Decides a request to promote the cluster `self`. */
export function decidePromotion({
  self,
  view,
  learned,
  after,
  mayLose,
  isPeerReachable,
}: PromotionSituation): PromotionDecision {
  const known = [view.highest, learned].reduce<Promotion>(
    (highest, other) => (other !== undefined && comparePromotions(other, highest) > 0 ? other : highest),
    after,
  );
  const mode = modeOf(view, known, self);
  if (mode === 'active') return { kind: 'isActive', promotion: view.highest ?? known };
  if (comparePromotions(known, after) > 0) return { kind: 'superseded', highest: known };
  const promotion = { number: known.number + 1, cluster: self };
  // Not even by force: a gateway's timer would activate what lacks all that the other cluster stored since. An operator lets it rejoin first.
  if (mode === 'fenced') return { kind: 'isFenced' };
  if (isPeerReachable) return { kind: 'switchOver', promotion };
  return mayLose ? { kind: 'force', promotion } : { kind: 'wouldLose' };
}

/**
 * What a bridge of the cluster `self` writes into its own log, now that it read its peer's: the promotion that the peer follows, whose promoter may have
 * died; `undefined`: nothing. A peer that stands by without having been fenced handed over, or did not serve: `self` has all that it acknowledged.
 */
export function decideCompletion(view: ClusterView, peer: ClusterView, self: string): Promotion | undefined {
  const { mode, highest } = peer;
  if (mode !== 'standby' || highest?.cluster !== self) return undefined;
  // A log without any promotion: perhaps the cluster has lost its disks, and must not serve without what it had.
  return view.highest !== undefined && isHigher(highest, view.highest) ? highest : undefined;
}

/** Whether a bridge may acknowledge a request, `confirmedAgoMs` after it asked for its last confirmation. */
export function mayAcknowledge({
  mode,
  confirmedAgoMs,
  leaseMs,
}: {
  mode: ClusterMode;
  confirmedAgoMs: number;
  leaseMs: number;
}): boolean {
  return mode === 'active' && confirmedAgoMs <= leaseMs;
}

/** How long a promoter waits after `pausing` is in the log, until no bridge acknowledges any more. */
export function leaseWaitMs(leaseMs: number): number {
  return Math.ceil(leaseMs * WAIT_RATIO);
}

/** Whether `a` is higher than what is known. */
function isHigher(a: Promotion, known: Promotion | undefined): boolean {
  return known === undefined || comparePromotions(a, known) > 0;
}

function isPausing(
  view: ClusterView,
  id: string,
): view is ClusterView & { pausing: NonNullable<ClusterView['pausing']> } {
  return view.mode === 'pausing' && view.pausing?.id === id;
}

function modeOfFollower(mode: ClusterMode): ClusterMode {
  return mode === 'active' || mode === 'pausing' || mode === 'fenced' ? 'fenced' : 'standby';
}
