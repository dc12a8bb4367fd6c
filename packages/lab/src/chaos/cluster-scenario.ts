/** The definition of a scenario with two Kafka clusters: one is active, the other one stands by, and a step names neither. */
import type { Dice } from './dice.ts';
import type { Plan } from './scenario.ts';

export type ClusterAction =
  /** SIGKILL of the active cluster with its region: gateway, bridge and Kafka. */
  | { kind: 'killActive' }
  /** The tier-1 gateways promote the other one by themselves. */
  | { kind: 'awaitPromotion' }
  /** Starts what was killed, with its data. Once the cluster is fenced, what it alone has is compared with its report. */
  | { kind: 'restoreKilled' }
  /** An operator lets the fenced cluster stand by, and the replication turns. */
  | { kind: 'rejoin' }
  /** An operator switches over to the cluster that stands by. */
  | { kind: 'switchOver' }
  /** The same, which must be refused: records would be lost. */
  | { kind: 'switchOverInVain' }
  /** An operator promotes the cluster that stands by, whatever is lost. */
  | { kind: 'force' }
  /** SIGSTOP and SIGCONT of MirrorMaker. */
  | { kind: 'freezeMirror' }
  | { kind: 'thawMirror' }
  /** Neither cluster is reached from the other one's region any more, by bridges and MirrorMaker; tier-1 reaches both. */
  | { kind: 'cutPeers' }
  | { kind: 'healPeers' }
  /** SIGSTOP and SIGCONT of the second tier-1 gateway. */
  | { kind: 'freezeTier1' }
  | { kind: 'thawTier1' }
  /** One cluster is active for every gateway, and the other one stands by and is filled. */
  | { kind: 'awaitMirrored' };

export interface ClusterAllowance {
  /** Longest allowed time without an acknowledgement, or without a delivery to a group: waiting, … */
  fixedMs: number;
  /** … and the work that follows, on an idle machine. */
  workMs: number;
  /**
   * What may come again. `unsynced`: what the last checkpoint and sync before a loss did not know. `uncommitted`, for orderly moves: what a client that commits
   * by itself had not committed, when another consumer of its group gets the partition.
   */
  duplicates: 'uncommitted' | 'unsynced';
  /** So many promotions happen, no more and no fewer, … */
  promotions: number;
  /** … and of these so many by force, each with a report. */
  losses: number;
}

export interface ClusterScenario {
  name: string;
  /** What happens, in one line. */
  title: string;
  allowed: ClusterAllowance;
  plan(dice: Dice): Plan<ClusterAction>;
}
