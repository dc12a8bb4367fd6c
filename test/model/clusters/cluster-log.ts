/** The logs of the clusters in the model, and what bridges know from them. */
import { type ClusterView, EMPTY_VIEW } from '@causeway/bridge/clusters/rules.ts';
import { type ClusterMode, comparePromotions, type Promotion } from '@causeway/protocol/clusters.ts';
import type { Step } from '../explorer.ts';
import type { ClusterProtocol } from './cluster-protocol.ts';
import {
  type Bounds,
  type BridgeNumber,
  bridgeOf,
  type ClusterNumber,
  clusterOf,
  LEASE_MS,
  type LogEntry,
  letter,
  nameOf,
  OLD_TICKS,
  peerOf,
  type State,
  withBridge,
  withCluster,
} from './state.ts';

export interface Rules {
  protocol: ClusterProtocol;
  bounds: Bounds;
}

/** A bridge, in a state, and the rules. */
export interface Place extends Rules {
  state: State;
  number: BridgeNumber;
}

/** A view of a log, and where the cluster's own records begin. */
export interface PlacedView {
  view: ClusterView;
  /** Of the last promotion of the cluster. */
  point: number;
  /** Whether that was by force. */
  isForced: boolean;
  /** Whether the other cluster follows it. */
  isPeerJoined: boolean;
}

/** What the first `count` records of a log say. */
export function viewOf(
  { applyRecord }: ClusterProtocol,
  log: readonly LogEntry[],
  { cluster, count = log.length }: { cluster: ClusterNumber; count?: number },
): PlacedView {
  let placed: PlacedView = { view: EMPTY_VIEW, point: 0, isForced: false, isPeerJoined: false };
  for (const { record, point = 0 } of log.slice(0, count)) {
    const { view } = placed;
    if (record.kind === 'peerJoined') {
      const isOfLast = view.highest !== undefined && comparePromotions(view.highest, record.promotion) === 0;
      placed = { ...placed, isPeerJoined: placed.isPeerJoined || isOfLast };
      continue;
    }
    const next = applyRecord(view, record, nameOf(cluster));
    const isTaken = record.kind === 'promoted' && next !== view;
    placed = isTaken
      ? { view: next, point, isForced: record.how === 'forced', isPeerJoined: false }
      : { ...placed, view: next };
  }
  return placed;
}

/** What the whole log of a cluster says. */
export function truth(state: Pick<State, 'clusters'>, cluster: ClusterNumber, protocol: ClusterProtocol): PlacedView {
  return viewOf(protocol, clusterOf(state, cluster).log, { cluster });
}

/** What a bridge knows from its cluster's log. */
export function ownFacts({ state, number, protocol }: Place): PlacedView {
  const { cluster, read } = bridgeOf(state, number);
  return viewOf(protocol, clusterOf(state, cluster).log, { cluster, count: read });
}

export function ownView(place: Place): ClusterView {
  return ownFacts(place).view;
}

/** The promotion by which a bridge serves, as far as it has read; `undefined` if it is not its cluster's. */
export function termOf(place: Place): Promotion | undefined {
  const { highest } = ownView(place);
  const { cluster } = bridgeOf(place.state, place.number);
  return highest?.cluster === nameOf(cluster) ? highest : undefined;
}

/** What it knows from its peer's. */
export function peerView({ state, number, protocol }: Place): PlacedView {
  const { cluster, peerRead } = bridgeOf(state, number);
  const peer = peerOf(cluster);
  return viewOf(protocol, clusterOf(state, peer).log, { cluster: peer, count: peerRead });
}

/** The highest promotion that it learned from others. */
export function learnedOf(place: Place): Promotion | undefined {
  return place.protocol.highestPromotion(bridgeOf(place.state, place.number).heard, peerView(place).view.highest);
}

/** The highest promotion that it knows. */
export function highestOf(place: Place): Promotion | undefined {
  return place.protocol.highestPromotion(ownView(place).highest, learnedOf(place));
}

export function modeAt(place: Place): ClusterMode {
  const { cluster } = bridgeOf(place.state, place.number);
  return place.protocol.modeOf(ownView(place), learnedOf(place), nameOf(cluster));
}

/**
 * Whether a bridge may acknowledge what is under way: also during a pause, while its last confirmation counts that its cluster was active.
 */
export function mayAcknowledge(place: Place): boolean {
  const { activeTicks, peerTicks, servingTicks } = bridgeOf(place.state, place.number);
  const { protocol, bounds } = place;
  const mode = modeAt(place);
  if (mode !== 'active' && mode !== 'pausing') return false;
  const leaseMs = ownView(place).leaseMs ?? LEASE_MS;
  const confirmedAgoMs = activeTicks < OLD_TICKS ? 0 : leaseMs + 1;
  if (!protocol.mayAcknowledge({ mode: 'active', confirmedAgoMs, leaseMs })) return false;
  if (bounds.prefer === 'availability') return true;
  const hasWaited = !ownFacts(place).isForced || servingTicks >= OLD_TICKS || !protocol.isServingLater;
  return hasWaited && (!needsPeer(place) || peerTicks < OLD_TICKS);
}

/** With `prefer: consistency`, nothing is acknowledged without the other cluster's log, unless that cluster was lost and has not rejoined. */
function needsPeer(place: Place): boolean {
  const { isForced, isPeerJoined } = ownFacts(place);
  return place.protocol.isPeerNeeded && (!isForced || isPeerJoined);
}

/** Whether a bridge of a cluster can reach the other cluster. */
export function isPeerReachable({ isSplit, clusters }: State, cluster: ClusterNumber): boolean {
  return !isSplit && clusters[peerOf(cluster)]?.isUp === true;
}

/** A cluster's log stores a record. */
export function appended(state: State, cluster: ClusterNumber, entry: LogEntry, protocol: ClusterProtocol): State {
  const { log, fencedTicks, position } = clusterOf(state, cluster);
  const before = truth(state, cluster, protocol).view;
  const next = [...log, entry];
  const after = viewOf(protocol, next, { cluster }).view;
  const isOther = before.highest !== after.highest;
  return withCluster(state, cluster, {
    log: next,
    fencedTicks: after.mode === 'fenced' && before.mode !== 'fenced' ? 0 : fencedTicks,
    // Bridges that are no longer active give their sessions up.
    position: isOther ? undefined : position,
  });
}

/** A bridge writes into its own cluster's log, and reads that back. */
export function wrote(place: Place, entry: LogEntry): State {
  const { cluster } = bridgeOf(place.state, place.number);
  return withRead({ ...place, state: appended(place.state, cluster, entry, place.protocol) });
}

/** A bridge reads its cluster's log to the end. */
export function withRead(place: Place): State {
  const { state, number } = place;
  const { cluster } = bridgeOf(state, number);
  const next = withBridge(state, number, { read: clusterOf(state, cluster).log.length });
  const isNewTerm = JSON.stringify(termOf(place)) !== JSON.stringify(termOf({ ...place, state: next }));
  return isNewTerm ? withBridge(next, number, { servingTicks: 0 }) : next;
}

export function inside({ number }: Place, label: string, next: State, violation?: string): Step<State> {
  return { label: `${letter(number)} ${label}`, next, isOutside: false, violation };
}

/** Without what bridges heard and know better by now: it changes nothing. */
export function forgotten(state: State, { protocol }: Rules): State {
  let next = state;
  state.bridges.forEach(({ heard, cluster, read, peerRead }, number) => {
    if (heard === undefined) return;
    const peer = peerOf(cluster);
    const own = viewOf(protocol, clusterOf(state, cluster).log, { cluster, count: read }).view.highest;
    const other = viewOf(protocol, clusterOf(state, peer).log, { cluster: peer, count: peerRead }).view.highest;
    const isKnown = [own, other].some((known) => known !== undefined && comparePromotions(heard, known) <= 0);
    if (isKnown) next = withBridge(next, number, { heard: undefined });
  });
  return next;
}
