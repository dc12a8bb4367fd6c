/** Every rule of the protocol of two Kafka clusters is needed: without it, the model finds a violation. */
import { applyRecord, decidePromotion } from '@causeway/bridge/clusters/rules.ts';
import { highestPromotion } from '@causeway/protocol/clusters.ts';
import { describe, expect, test } from 'vitest';
import { EXPLORATION_TIMEOUT_MS, IS_FULL } from './model/bounds.ts';
import { CLUSTER_BOUNDS, clusterModel } from './model/clusters/cluster-model.ts';
import { CLUSTER_PROTOCOL, type ClusterProtocol } from './model/clusters/cluster-protocol.ts';
import type { Bounds } from './model/clusters/state.ts';
import { describeExploration, explore } from './model/explorer.ts';

const LOST = /west lacks record 0, and no report has it/;
const BESIDE = /serves a client after its peer did/;
const STUCK = /nothing leads on from here/;
/** An old primary that knows nothing of west's promotion, with a gateway that knows as little. */
const RETURNED = { start: 'returned', gatewayCount: 2, promotionCount: 0, faultCount: 0 } as const;
const CONSISTENT = { prefer: 'consistency', faults: ['split', 'blind'], faultCount: 2 } as const;

describe('each rule is needed: the model finds a violation', () => {
  interface Mutation {
    without: string;
    protocol: Partial<ClusterProtocol>;
    bounds: Partial<Bounds>;
    finds: RegExp;
    /** It takes seconds: left out in the short form. */
    isLong?: boolean;
  }
  const mutations: Mutation[] = [
    {
      without: 'looking again after Kafka stored the records',
      protocol: { isCheckedAfterStoring: false },
      bounds: { faultCount: 0 },
      finds: LOST,
    },
    {
      without: 'acknowledging only under the promotion under which the request began',
      protocol: { isTermKept: false },
      bounds: { start: 'handedOver', heldUp: 'request', writeCount: 3, promotionCount: 2, faultCount: 0 },
      finds: /east acknowledges record 2, which replication leaves out/,
    },
    {
      without: 'letting the lease pass before the end offsets are read',
      protocol: { isLeaseAwaited: false },
      bounds: { faultCount: 0 },
      finds: LOST,
    },
    {
      without: 'waiting for replication',
      protocol: { isReplicationAwaited: false },
      bounds: { faultCount: 0 },
      finds: LOST,
    },
    {
      without: 'reading back whether the hand-over counts',
      protocol: { isReadBack: false },
      bounds: { faultCount: 0 },
      finds: LOST,
    },
    {
      without: 'a hand-over that counts only during its pause',
      protocol: {
        applyRecord: (view, record, self) => {
          const { pausing } = view;
          const next = applyRecord(view, record, self);
          if (record.kind === 'resumed') return { ...next, pausing };
          if (record.kind !== 'handedOver' || pausing?.id !== record.id) return next;
          return { ...view, mode: 'standby', highest: pausing.promotion };
        },
      },
      bounds: { faultCount: 0 },
      finds: LOST,
    },
    {
      without: 'the end of a pause that takes too long',
      protocol: { isResuming: false },
      bounds: { faultCount: 0, writeCount: 0 },
      finds: STUCK,
    },
    {
      without: 'completing a switch-over whose promoter is gone',
      protocol: { isCompleting: false },
      bounds: { faults: ['split'], writeCount: 0 },
      finds: STUCK,
    },
    {
      without: 'completing it only after the hand-over',
      protocol: {
        decideCompletion: (view, { pausing }, self) => {
          if (pausing?.promotion.cluster !== self) return undefined;
          return highestPromotion(view.highest, pausing.promotion) === view.highest ? undefined : pausing.promotion;
        },
      },
      bounds: { faultCount: 0 },
      finds: LOST,
    },
    {
      without: 'completing a promotion that a cluster follows which did not serve',
      protocol: {
        decideCompletion: (view, peer, self) =>
          peer.pausing === undefined ? undefined : CLUSTER_PROTOCOL.decideCompletion(view, peer, self),
      },
      bounds: { faultCount: 0, promotionCount: 2, writeCount: 0 },
      finds: STUCK,
      isLong: true,
    },
    {
      without: 'ignoring a promotion that is not higher',
      protocol: {
        applyRecord: (view, record, self) => {
          if (record.kind !== 'promoted' || record.promotion.cluster !== self) return applyRecord(view, record, self);
          const { promotion, leaseMs } = record;
          return { mode: 'active', highest: promotion, pausing: undefined, leaseMs };
        },
      },
      bounds: { start: 'handedOver', heldUp: 'promoter', writeCount: 3, promotionCount: 2, faultCount: 0 },
      finds: /east lacks record 2, and no report has it/,
    },
    {
      without: 'the report of a promotion by force',
      protocol: { isReported: false },
      bounds: { faults: ['kill'] },
      finds: LOST,
    },
    {
      without: 'the point at which a promotion begins',
      protocol: { hasPoint: false },
      bounds: { start: 'handedOver', writeCount: 4, promotionCount: 2, faultCount: 0 },
      finds: /east lacks record 2, and no report has it/,
    },
    {
      without: 'counting what stands before the point as copied',
      protocol: { isPointCopied: false },
      bounds: { start: 'handedOver', writeCount: 2, promotionCount: 2, faults: ['kill'] },
      finds: /the report says that record 0 is lost, and east has it/,
    },
    {
      without: 'fencing a cluster that did not hand over',
      protocol: {
        applyRecord: (view, record, self) => {
          const next = applyRecord(view, record, self);
          return record.kind === 'follows' && next !== view ? { ...next, mode: 'standby' } : next;
        },
      },
      bounds: { ...RETURNED, bridgeCounts: [2, 1], writeCount: 3 },
      finds: /east serves a client and is standby/,
    },
    {
      without: 'letting the lease pass before the tail is read',
      protocol: { isTailFinal: false },
      bounds: { ...RETURNED, bridgeCounts: [2, 1], writeCount: 3, rejoinCount: 1 },
      finds: /east serves a client and is standby/,
      isLong: true,
    },
    {
      without: 'a key for every record of the log',
      protocol: { isEveryRecordKept: false },
      bounds: { ...RETURNED, bridgeCounts: [2, 1], gatewayCount: 1, writeCount: 2, rejoinCount: 1 },
      finds: /compaction turns east from standby to fenced/,
    },
    {
      without: 'following the higher promotion',
      protocol: { highestPromotion: (a, b) => a ?? b },
      bounds: { faultCount: 0, writeCount: 0 },
      finds: STUCK,
    },
    {
      without: 'translating committed positions',
      protocol: { translateOffset: (_, { offset }) => offset },
      bounds: { start: 'filled', deliveryCount: 1, faultCount: 0 },
      finds: /the consumer in west skips record 1/,
    },
    {
      without: "translating the positions of a session's entry",
      protocol: { translateSince: (_, _point, { offset }) => offset },
      bounds: { start: 'filled', deliveryCount: 1, faultCount: 0, positions: 'logged' },
      finds: /the consumer in west skips record 1/,
    },
    {
      without: "the point as the limit of an entry's positions",
      protocol: { translateSince: (syncs, _, position) => CLUSTER_PROTOCOL.translateOffset(syncs, position) },
      bounds: { start: 'returned', deliveryCount: 1, faultCount: 0, positions: 'logged', writeCount: 3 },
      finds: /the consumer in west skips record 2/,
    },
    {
      without: 'a promotion that counts as soon as it is learned',
      protocol: { modeOf: ({ mode }) => mode },
      bounds: { ...RETURNED, prefer: 'consistency', writeCount: 4 },
      finds: BESIDE,
    },
    {
      without: "a confirmation by the peer's log, for consistency",
      protocol: { isPeerNeeded: false },
      bounds: { ...RETURNED, prefer: 'consistency', writeCount: 4 },
      finds: BESIDE,
    },
    {
      without: 'serving only when the lease of the other cluster has passed, for consistency',
      protocol: { isServingLater: false },
      bounds: { ...CONSISTENT, writeCount: 2 },
      finds: BESIDE,
      isLong: true,
    },
    {
      without: 'refusing to promote a fenced cluster',
      protocol: {
        decidePromotion: (situation) => {
          const decision = decidePromotion(situation);
          const isForced = decision.kind === 'isFenced' && situation.mayLose && !situation.isPeerReachable;
          return isForced ? decidePromotion({ ...situation, view: { ...situation.view, mode: 'standby' } }) : decision;
        },
      },
      bounds: { ...CONSISTENT, start: 'fenced', writeCount: 4, promotionCount: 2 },
      finds: BESIDE,
      isLong: true,
    },
    {
      without: "writing a rejoin into the peer's log first, for consistency",
      protocol: { isPeerInformed: false },
      bounds: { ...CONSISTENT, start: 'rejoined', writeCount: 4, promotionCount: 2 },
      finds: BESIDE,
      isLong: true,
    },
  ];
  test.each(mutations.filter(({ isLong }) => IS_FULL || isLong !== true))(
    'without $without',
    ({ protocol, bounds, finds }) => {
      const result = explore(clusterModel({ ...CLUSTER_PROTOCOL, ...protocol }, { ...CLUSTER_BOUNDS, ...bounds }));
      expect(describeExploration(result)).toMatch(finds);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
