/** The states in which explorations begin. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { Promotion, PromotionKind } from '@causeway/protocol/clusters.ts';
import type { ClusterProtocol } from './cluster-protocol.ts';
import {
  type Bounds,
  type ClusterState,
  clusterOf,
  entry,
  freshBridge,
  NO_PROMOTION,
  nameOf,
  OLD_TICKS,
  peerOf,
  promotedEntry,
  type State,
  withBridge,
  withCluster,
} from './state.ts';

const GAP = undefined;

/** East is active, and has a gap at the beginning, so that offsets differ from west's. */
export function initialState(bounds: Bounds, protocol: Pick<ClusterProtocol, 'isPeerInformed'>): State {
  const empty: ClusterState = {
    isUp: true,
    log: [],
    data: [],
    syncs: [],
    checkpoint: 0,
    saved: { cluster: 0, position: 0, epoch: 0 },
    committing: undefined,
    position: undefined,
    reports: [],
    fencedTicks: 0,
  };
  const first = { number: 1, cluster: nameOf(0) };
  const isFresh = bounds.start === 'fresh';
  const follows = entry({ kind: 'follows', promotion: first });
  const east = { ...empty, log: isFresh ? [] : [promotedEntry(first, 'initial', 0)], data: [GAP] };
  const west = { ...empty, log: isFresh ? [] : [follows], saved: { cluster: 1, position: 0, epoch: 0 } };
  const clusters: ClusterState[] = [east, west];
  const bridges = bounds.bridgeCounts.flatMap((count, cluster) =>
    Array.from({ length: count }, () => {
      const length = clusters[cluster]?.log.length ?? 0;
      const isActive = cluster === 0 && !isFresh;
      const ticks = { activeTicks: isActive ? 0 : OLD_TICKS, servingTicks: OLD_TICKS, peerTicks: 0 };
      return { ...freshBridge(cluster), read: length, peerRead: length, ...ticks };
    }),
  );
  const known = isFresh ? NO_PROMOTION : first;
  const state: State = {
    clusters,
    bridges,
    gateways: Array.from({ length: bounds.gatewayCount }, () => ({ known, isBlind: [false, false] })),
    mirror: { from: 0, next: 1, copied: undefined },
    isSplit: false,
    acknowledged: [],
    acknowledgedBy: undefined,
    delivered: [],
    nextId: 0,
    promotionCount: 0,
    deliveriesLeft: bounds.deliveryCount,
    rejoinsLeft: bounds.rejoinCount,
    faultsLeft: bounds.faultCount,
  };
  switch (bounds.start) {
    case 'fresh':
    case 'active':
      return state;
    case 'filled':
      return filled(state);
    case 'handedOver':
      return handedOver(filled(state), bounds);
    case 'returned':
      return returned(filled(state));
    case 'fenced':
      return fenced(returned(filled(state)));
    case 'rejoined':
      return rejoined(fenced(returned(filled(state))), protocol);
    default:
      return assertNever(bounds.start);
  }
}

const SECOND: Promotion = { number: 2, cluster: nameOf(1) };

/** East has two records, and west both copies. */
function filled(state: State): State {
  const syncs = [
    { upstream: 1, downstream: 0 },
    { upstream: 2, downstream: 1 },
  ];
  const east = { ...clusterOf(state, 0), data: [GAP, 0, 1] };
  const west = { ...clusterOf(state, 1), data: [0, 1], syncs };
  const mirror = { from: 0, next: 3, copied: undefined };
  return { ...state, clusters: [east, west], mirror, acknowledged: [0, 1], nextId: 2 };
}

/** East has handed over to west. A bridge may have been held up since before that. */
function handedOver(state: State, bounds: Bounds): State {
  const { heldUp } = bounds;
  const before = clusterOf(state, 0);
  const pausing = entry({ kind: 'pausing', id: 'Z', promotion: SECOND, timeoutMs: 1 });
  const east = { ...before, log: [...before.log, pausing, entry({ kind: 'handedOver', id: 'Z' })] };
  const promoted = promotedWest({ ...state, clusters: state.clusters.with(0, east) }, 'orderly');
  if (heldUp === 'promoter') {
    const point = clusterOf(promoted, 1).data.length;
    const promoting = {
      id: 'Z',
      promotion: SECOND,
      step: 'promoting',
      isServing: true,
      waitTicks: 0,
      end: 0,
      point,
    } as const;
    return withBridge(promoted, bounds.bridgeCounts[0] ?? 0, { promoting });
  }
  if (heldUp === 'none') return promoted;
  const work = { id: promoted.nextId, isStored: false, term: { number: 1, cluster: nameOf(0) } };
  return withBridge({ ...promoted, nextId: promoted.nextId + 1 }, 0, { work });
}

/** West was promoted by force, and lacks east's second record; east is back, and its bridges know nothing. */
function returned(state: State): State {
  const before = clusterOf(state, 1);
  const west = {
    ...before,
    data: before.data.slice(0, 1),
    syncs: before.syncs.slice(0, 1),
    reports: [{ promotion: SECOND, lost: 0, from: 2, to: undefined }],
  };
  const lagging = { ...state, clusters: state.clusters.with(1, west), mirror: { ...state.mirror, next: 2 } };
  const promoted = promotedWest(lagging, 'forced');
  const bridges = promoted.bridges.map((bridge) => (bridge.cluster === 0 ? freshBridge(0) : bridge));
  return { ...promoted, bridges };
}

/** East's bridges know of west's promotion, too. */
function fenced(state: State): State {
  const { log } = clusterOf(state, 0);
  const next = [...log, entry({ kind: 'follows', promotion: SECOND })];
  const peerRead = clusterOf(state, 1).log.length;
  const east = withCluster(state, 0, { log: next, fencedTicks: OLD_TICKS });
  const bridges = east.bridges.map((bridge) =>
    bridge.cluster === 0 ? { ...bridge, read: next.length, peerRead } : { ...bridge, peerRead: next.length },
  );
  return { ...east, bridges };
}

/** An operator let east rejoin, and turned the replication. */
function rejoined(state: State, { isPeerInformed }: Pick<ClusterProtocol, 'isPeerInformed'>): State {
  const east = clusterOf(state, 0);
  const west = clusterOf(state, 1);
  const joined = isPeerInformed ? [entry({ kind: 'peerJoined', promotion: SECOND })] : [];
  const clusters = [
    { ...east, log: [...east.log, entry({ kind: 'rejoined', promotion: SECOND })] },
    { ...west, log: [...west.log, ...joined], reports: west.reports.map((one) => ({ ...one, to: east.data.length })) },
  ];
  const bridges = state.bridges.map((bridge) => ({
    ...bridge,
    read: clusterOf({ clusters }, bridge.cluster).log.length,
    peerRead: clusterOf({ clusters }, peerOf(bridge.cluster)).log.length,
  }));
  return { ...state, clusters, bridges, mirror: { from: 1, next: west.data.length, copied: undefined } };
}

function promotedWest(state: State, how: PromotionKind): State {
  const { log, data } = clusterOf(state, 1);
  const next = withCluster(state, 1, { log: [...log, promotedEntry(SECOND, how, data.length)] });
  const bridges = next.bridges.map((bridge) => ({
    ...bridge,
    read: clusterOf(next, bridge.cluster).log.length,
    peerRead: clusterOf(next, peerOf(bridge.cluster)).log.length,
    activeTicks: bridge.cluster === 1 ? 0 : OLD_TICKS,
  }));
  const gateways = next.gateways.map((gateway, at) => (at === 0 ? { ...gateway, known: SECOND } : gateway));
  return { ...next, bridges, gateways, promotionCount: 1 };
}
