/** What every bridge does by itself: it confirms, reads its peer's log, writes what it learned, stores and acknowledges records. */
import { comparePromotions, formatPromotion } from '@causeway/protocol/clusters.ts';
import type { Step } from '../explorer.ts';
import {
  inside,
  isPeerReachable,
  learnedOf,
  mayAcknowledge,
  ownView,
  type Place,
  peerView,
  termOf,
  truth,
  viewOf,
  withRead,
  wrote,
} from './cluster-log.ts';
import {
  type BridgeState,
  bridgeOf,
  clusterOf,
  entry,
  nameOf,
  peerOf,
  promotedEntry,
  type State,
  withBridge,
  withCluster,
} from './state.ts';

export function bridgeSteps(place: Place): Step<State>[] {
  const { cluster } = bridgeOf(place.state, place.number);
  const isUp = clusterOf(place.state, cluster).isUp;
  if (!isUp) return answers(place);
  return [
    ...confirms(place),
    ...readsPeer(place),
    ...learns(place),
    ...resumes(place),
    ...completes(place),
    ...stores(place),
    ...answers(place),
  ];
}

/** It asks for the end of the log, and reads up to there; for consistency, of its peer's log, too. */
function confirms(place: Place): Step<State>[] {
  const { state, number, protocol, bounds } = place;
  const { cluster, peerRead, peerTicks } = bridgeOf(state, number);
  const isBoth = bounds.prefer === 'consistency' && protocol.isPeerNeeded && isPeerReachable(state, cluster);
  const peer = isBoth
    ? { peerRead: clusterOf(state, peerOf(cluster)).log.length, peerTicks: 0 }
    : { peerRead, peerTicks };
  const read = withBridge(withRead(place), number, peer);
  const isActive = ownView({ ...place, state: read }).mode === 'active';
  const next = isActive ? withBridge(read, number, { activeTicks: 0 }) : read;
  return isSame(bridgeOf(next, number), bridgeOf(state, number)) ? [] : [inside(place, 'confirms', next)];
}

function isSame(a: BridgeState, b: BridgeState): boolean {
  return (
    a.read === b.read && a.peerRead === b.peerRead && a.activeTicks === b.activeTicks && a.peerTicks === b.peerTicks
  );
}

function readsPeer(place: Place): Step<State>[] {
  const { state, number } = place;
  const { cluster, peerRead } = bridgeOf(state, number);
  const end = clusterOf(state, peerOf(cluster)).log.length;
  if (peerRead === end || !isPeerReachable(state, cluster)) return [];
  return [inside(place, "reads its peer's log", withBridge(state, number, { peerRead: end }))];
}

function learns(place: Place): Step<State>[] {
  const { state, number, protocol } = place;
  const self = nameOf(bridgeOf(state, number).cluster);
  const peerHighest = peerView(place).view.highest;
  const decision = protocol.decideLearned(ownView(place), learnedOf(place), { self, peerHighest });
  if (decision === undefined) return [];
  const { promotion } = decision;
  const text = formatPromotion(promotion);
  if (decision.kind === 'initial') {
    return [inside(place, `writes the first promotion, ${text}`, wrote(place, promotedEntry(promotion, 'initial', 0)))];
  }
  return [inside(place, `writes that it follows ${text}`, wrote(place, entry({ kind: 'follows', promotion })))];
}

function resumes(place: Place): Step<State>[] {
  const { mode, pausing } = ownView(place);
  if (mode !== 'pausing' || pausing === undefined || !place.protocol.isResuming) return [];
  const { id } = pausing;
  return [inside(place, `ends the pause ${id}`, wrote(place, entry({ kind: 'resumed', id })))];
}

/** By both logs, read to their ends. */
function completes(place: Place): Step<State>[] {
  const { state, number, protocol } = place;
  const { cluster } = bridgeOf(state, number);
  if (!protocol.isCompleting || !isPeerReachable(state, cluster)) return [];
  const peer = truth(state, peerOf(cluster), protocol).view;
  const promotion = protocol.decideCompletion(truth(state, cluster, protocol).view, peer, nameOf(cluster));
  if (promotion === undefined) return [];
  const written = promotedEntry(promotion, 'orderly', clusterOf(state, cluster).data.length);
  return [inside(place, `completes ${formatPromotion(promotion)}`, wrote(place, written))];
}

/** Kafka stores the record, whatever the bridge knows by then. */
function stores(place: Place): Step<State>[] {
  const { state, number } = place;
  const { cluster, work } = bridgeOf(state, number);
  if (work === undefined || work.isStored) return [];
  const next = withBridge(state, number, { work: { ...work, isStored: true } });
  const data = [...clusterOf(state, cluster).data, work.id];
  return [inside(place, `has record ${work.id} stored in ${nameOf(cluster)}`, withCluster(next, cluster, { data }))];
}

/** It answers the client, who gets 503 if the cluster is no longer active. */
function answers(place: Place): Step<State>[] {
  const { state, number, protocol } = place;
  const { work } = bridgeOf(state, number);
  if (work?.isStored !== true) return [];
  const next = withBridge(state, number, { work: undefined });
  if (protocol.isCheckedAfterStoring && !mayAcknowledge(place)) {
    return [inside(place, `does not acknowledge record ${work.id}`, next)];
  }
  const isSameTerm = JSON.stringify(work.term) === JSON.stringify(termOf(place));
  if (protocol.isTermKept && !isSameTerm) return [inside(place, `does not acknowledge record ${work.id} now`, next)];
  const acknowledged = [...state.acknowledged, work.id].sort((a, b) => a - b);
  const acknowledgedBy = ownView(place).highest;
  const wrong = wrongAnswer(place) ?? lostAnswer(place, work.id);
  return [inside(place, `acknowledges record ${work.id}`, { ...next, acknowledged, acknowledgedBy }, wrong)];
}

/** Replication copies what stands behind the point of the promotion. */
function lostAnswer({ state, number, protocol }: Place, id: number): string | undefined {
  const { cluster } = bridgeOf(state, number);
  const isCopied = clusterOf(state, cluster).data.indexOf(id) >= truth(state, cluster, protocol).point;
  return isCopied ? undefined : `${nameOf(cluster)} acknowledges record ${id}, which replication leaves out`;
}

/** Why the bridge must not serve a client now. */
export function wrongAnswer(place: Place): string | undefined {
  const { state, number, protocol, bounds } = place;
  const { cluster, read } = bridgeOf(state, number);
  const { fencedTicks, log } = clusterOf(state, cluster);
  const name = nameOf(cluster);
  const { mode } = truth(state, cluster, protocol).view;
  if (mode === 'standby' || mode === 'unassigned') return `${name} serves a client and is ${mode}`;
  if (mode === 'fenced' && fencedTicks > 0) return `${name} serves a client after it was fenced`;
  const { highest } = viewOf(protocol, log, { cluster, count: read }).view;
  if (highest?.cluster !== name) return `${name} serves a client by a promotion of another cluster`;
  const { acknowledgedBy } = state;
  const isOlder = acknowledgedBy !== undefined && comparePromotions(highest, acknowledgedBy) < 0;
  if (bounds.prefer === 'consistency' && isOlder) return `${name} serves a client after its peer did`;
  return undefined;
}
