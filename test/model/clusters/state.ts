/** The state of the model of clusters: two Kafka clusters with their logs, bridges, gateways, MirrorMaker, and a consumer. */
import type { ClusterRecord } from '@causeway/bridge/clusters/rules.ts';
import type { Promotion, PromotionKind } from '@causeway/protocol/clusters.ts';

export type ClusterNumber = number;
export type BridgeNumber = number;

/** The clusters by number. */
export const NAMES = ['east', 'west'] as const;

/** A record of a cluster's log; its offset is its place. */
export interface LogEntry {
  /** `peerJoined`: the other cluster follows this promotion. */
  record: ClusterRecord | { kind: 'peerJoined'; promotion: Promotion };
  /** Of `promoted`: the offset behind which the cluster has records of its own. */
  point: number | undefined;
}

/** The written report of a forced promotion: what the lost cluster has behind `from`, and the promoted one does not. */
export interface Report {
  promotion: Promotion;
  lost: ClusterNumber;
  from: number;
  /** `undefined` until the lost cluster has rejoined: everything behind `from`. */
  to: number | undefined;
}

/** A record of the source and its copy. */
export interface Sync {
  upstream: number;
  downstream: number;
}

/** What clients and MirrorMaker have stored for the consumer. */
export interface Saved {
  /** The cluster whose offsets `position` counts. */
  cluster: ClusterNumber;
  position: number;
  /** Of the session's claim: the log keeps the highest. */
  epoch: number;
}

export interface ClusterState {
  isUp: boolean;
  log: readonly LogEntry[];
  /** The partition that clients write and read: ids of records, `undefined` where the log has a gap. */
  data: readonly (number | undefined)[];
  /** Of MirrorMaker, for what it copied to here. */
  syncs: readonly Sync[];
  /** The last position of the consumer in the other cluster that MirrorMaker has written. */
  checkpoint: number;
  /** Of the consumer. */
  saved: Saved;
  /** A commit on its way. */
  committing: number | undefined;
  /** Where the consumer is in the memory of this cluster's bridges; `undefined`: no bridge has its session. */
  position: number | undefined;
  reports: readonly Report[];
  /** Leases that have passed since it was fenced. */
  fencedTicks: number;
}

/** A promotion under way, in the memory of its promoter. */
export interface Promoting {
  /** Of the switch-over. */
  id: string;
  promotion: Promotion;
  step: 'pausing' | 'waiting' | 'replicating' | 'handingOver' | 'readingBack' | 'promoting' | 'reporting' | 'forcing';
  /** Whether the peer served when it began. */
  isServing: boolean;
  waitTicks: number;
  /** Of the peer. */
  end: number;
  /** Of the cluster itself, read before it promotes. */
  point: number;
}

/** A rejoin under way, in the memory of its bridge. */
export interface Rejoining {
  promotion: Promotion;
  /** Whether its peer knows. */
  isJoined: boolean;
  waitTicks: number;
  /** Of the tail, once it was read. */
  end: number | undefined;
}

export interface BridgeState {
  cluster: ClusterNumber;
  isUp: boolean;
  /** Records of its cluster's log that it has read. */
  read: number;
  /** Leases that have passed since it asked for the log's end, and found its cluster active up to there. */
  activeTicks: number;
  /** The same of its peer's log, whatever that says. */
  peerTicks: number;
  /** Leases that have passed since it read the promotion by which it serves. */
  servingTicks: number;
  /** Records of its peer's log that it has read. */
  peerRead: number;
  /** The highest promotion that gateways sent. */
  heard: Promotion | undefined;
  /** A client's record, on its way to Kafka or stored there. */
  work: { id: number; isStored: boolean; term: Promotion | undefined } | undefined;
  promoting: Promoting | undefined;
  rejoining: Rejoining | undefined;
}

export interface GatewayState {
  known: Promotion;
  /** By cluster: whether the gateway cannot reach it. */
  isBlind: readonly boolean[];
}

export interface Mirror {
  from: ClusterNumber;
  /** The next offset to copy. */
  next: number;
  /** The last copy, that has no sync yet. */
  copied: Sync | undefined;
}

export interface State {
  clusters: readonly ClusterState[];
  bridges: readonly BridgeState[];
  gateways: readonly GatewayState[];
  mirror: Mirror;
  /** Whether neither cluster can reach the other. */
  isSplit: boolean;
  /** Records that clients got acknowledged, by id. */
  acknowledged: readonly number[];
  /** Of the last acknowledgement. */
  acknowledgedBy: Promotion | undefined;
  /** What the consumer got, by id. */
  delivered: readonly number[];
  nextId: number;
  /** Switch-overs that have begun. */
  promotionCount: number;
  deliveriesLeft: number;
  rejoinsLeft: number;
  faultsLeft: number;
}

/** A bridge dies; a cluster dies; the clusters lose each other; a gateway loses a cluster. All of it may end at any time. */
export type Fault = 'die' | 'kill' | 'split' | 'blind';

export interface Bounds {
  /** By cluster. */
  bridgeCounts: readonly number[];
  gatewayCount: number;
  writeCount: number;
  /** Promotions that gateways and operators ask for. */
  promotionCount: number;
  rejoinCount: number;
  deliveryCount: number;
  faultCount: number;
  faults: readonly Fault[];
  /** After the hand-over: what a bridge has under way since before it, a record in east or the promotion in west. */
  heldUp: 'none' | 'request' | 'promoter';
  /** Whether syncs may come later than the copies. */
  areSyncsLate: boolean;
  /** Where the consumer's position is: committed to its group, or in its session's entry. */
  positions: 'committed' | 'logged';
  prefer: 'availability' | 'consistency';
  /** What has happened before. */
  start: 'fresh' | 'active' | 'filled' | 'handedOver' | 'returned' | 'fenced' | 'rejoined';
}

/** A confirmation that is too old. */
export const OLD_TICKS = 1;
export const LEASE_MS = 1000;

export const NO_PROMOTION: Promotion = { number: 0, cluster: NAMES[0] };

export function promotedEntry(promotion: Promotion, how: PromotionKind, point: number): LogEntry {
  return { record: { kind: 'promoted', promotion, how, leaseMs: LEASE_MS }, point };
}

export function entry(record: LogEntry['record']): LogEntry {
  return { record, point: undefined };
}

export function nameOf(cluster: ClusterNumber): string {
  return NAMES[cluster] ?? '';
}

export function numberOf(name: string): ClusterNumber {
  return NAMES.indexOf(name as (typeof NAMES)[number]);
}

export function peerOf(cluster: ClusterNumber): ClusterNumber {
  return 1 - cluster;
}

/** `A`, `B`, … */
export function letter(bridge: BridgeNumber): string {
  return String.fromCharCode(65 + bridge);
}

export function clusterOf({ clusters }: Pick<State, 'clusters'>, number: ClusterNumber): ClusterState {
  const cluster = clusters[number];
  if (cluster === undefined) throw new TypeError('no such cluster');
  return cluster;
}

export function bridgeOf({ bridges }: Pick<State, 'bridges'>, number: BridgeNumber): BridgeState {
  const bridge = bridges[number];
  if (bridge === undefined) throw new TypeError('no such bridge');
  return bridge;
}

export function withCluster(state: State, number: ClusterNumber, change: Partial<ClusterState>): State {
  return { ...state, clusters: state.clusters.with(number, { ...clusterOf(state, number), ...change }) };
}

export function withBridge(state: State, number: BridgeNumber, change: Partial<BridgeState>): State {
  return { ...state, bridges: state.bridges.with(number, { ...bridgeOf(state, number), ...change }) };
}

/** A bridge that has just been started. */
export function freshBridge(cluster: ClusterNumber): BridgeState {
  return {
    cluster,
    isUp: true,
    read: 0,
    activeTicks: OLD_TICKS,
    peerTicks: OLD_TICKS,
    servingTicks: 0,
    peerRead: 0,
    heard: undefined,
    work: undefined,
    promoting: undefined,
    rejoining: undefined,
  };
}
