/** The scenarios for `--clusters`, one after the other on one system: each begins with whichever cluster is active. */
import process from 'node:process';
import type { ClusterAction, ClusterAllowance, ClusterScenario } from './cluster-scenario.ts';
import type { Dice } from './dice.ts';
import type { Plan, Step } from './scenario.ts';
import { DETECTION_MS, endOf, start } from './steps.ts';

/** `clusters.promoteAfterMs` of the tier-1 gateways. On a machine that stops programs for seconds, five are too few. */
export const PROMOTE_AFTER_MS = Number(process.env['PROMOTE_AFTER_MS'] ?? 5_000);
/** The recovery time is promised to be below `promoteAfterMs` and this. */
const AFTER_PROMOTION_MS = 3_000;
/** Bridges of the active cluster stop (1.2 s), and their consumers' positions are carried over. */
const SWITCH_OVER_MS = 2_000;

const LOSS: ClusterAllowance = {
  fixedMs: PROMOTE_AFTER_MS + DETECTION_MS,
  workMs: AFTER_PROMOTION_MS - DETECTION_MS,
  duplicates: 'unsynced',
  promotions: 1,
  losses: 1,
};
const ORDERLY: ClusterAllowance = {
  fixedMs: SWITCH_OVER_MS,
  workMs: SWITCH_OVER_MS,
  duplicates: 'uncommitted',
  promotions: 1,
  losses: 0,
};
/** An operator forces it: no gateway waits for `promoteAfterMs`, but the bridge asks the other cluster first, without an answer. */
const FORCED: ClusterAllowance = { ...LOSS, fixedMs: AFTER_PROMOTION_MS };

/** Records, positions and sessions are replicated before the first step. */
const REPLICATED_SECONDS = 4;
const FROZEN_MIRROR_SECONDS = 20;

export const CLUSTER_SCENARIOS: readonly ClusterScenario[] = [
  {
    name: 'kill-cluster',
    title: 'SIGKILL of the active region with its Kafka; the tier-1 gateways promote the other one',
    allowed: LOSS,
    plan: (dice) => sequence(dice, [['killActive'], ['awaitPromotion'], ['restoreKilled', 4], ['rejoin']]),
  },
  {
    name: 'switch-over',
    title: 'an operator switches over, and back',
    allowed: { ...ORDERLY, promotions: 2 },
    plan: (dice) => sequence(dice, [['switchOver'], ['awaitMirrored'], ['switchOver', 4]]),
  },
  {
    name: 'split',
    title:
      'the clusters do not reach each other, tier-1 reaches both; an operator forces the promotion, and the line heals',
    allowed: FORCED,
    plan: (dice) =>
      sequence(dice, [['cutPeers'], ['switchOverInVain', 3], ['force', 1], ['healPeers', 5], ['rejoin', 2]]),
  },
  {
    name: 'mirror-lags',
    title: `SIGSTOP of MirrorMaker for ${FROZEN_MIRROR_SECONDS} s, then SIGKILL of the active region with its Kafka`,
    allowed: LOSS,
    plan: (dice) =>
      sequence(dice, [
        ['freezeMirror'],
        ['killActive', FROZEN_MIRROR_SECONDS],
        ['thawMirror'],
        ['awaitPromotion'],
        ['restoreKilled', 3],
        ['rejoin'],
      ]),
  },
  {
    name: 'returning-cluster',
    title: 'an old active cluster returns with records that were not replicated, rejoins, and is active again',
    allowed: { ...LOSS, promotions: 2 },
    plan: (dice) =>
      sequence(dice, [
        ['freezeMirror'],
        ['killActive', 3],
        ['thawMirror'],
        ['awaitPromotion'],
        ['restoreKilled', 2],
        ['rejoin', 3],
        ['awaitMirrored'],
        ['switchOver', 3],
      ]),
  },
  {
    name: 'two-tier1',
    title: 'SIGSTOP of one of two tier-1 gateways, which wakes after the other one has promoted a cluster',
    allowed: LOSS,
    plan: (dice) =>
      sequence(dice, [
        ['freezeTier1'],
        ['killActive', 1],
        ['awaitPromotion'],
        ['thawTier1', 1],
        ['restoreKilled', 3],
        ['rejoin'],
      ]),
  },
];

/** Each action, so many seconds after the one before (default: at once, when that is done). */
function sequence(dice: Dice, actions: readonly (readonly [ClusterAction['kind'], number?])[]): Plan<ClusterAction> {
  let atSecond = start(dice) + REPLICATED_SECONDS;
  const steps = actions.map(([kind, afterSeconds = 0]): Step<ClusterAction> => {
    atSecond += afterSeconds;
    return { atSecond, action: { kind } };
  });
  return { steps, endSecond: endOf(steps) };
}
