/** How a bridge promotes its cluster: a switch-over, or by force; and how it lets a fenced cluster rejoin. */
import { formatPromotion, type Promotion } from '@causeway/protocol/clusters.ts';
import type { Step } from '../explorer.ts';
import {
  appended,
  inside,
  isPeerReachable,
  learnedOf,
  ownView,
  type Place,
  truth,
  withRead,
  wrote,
} from './cluster-log.ts';
import { isReported, replicatedThrough, translated } from './replication.ts';
import {
  bridgeOf,
  type ClusterNumber,
  clusterOf,
  entry,
  letter,
  nameOf,
  OLD_TICKS,
  type Promoting,
  peerOf,
  promotedEntry,
  type State,
  withBridge,
  withCluster,
} from './state.ts';

/** A bridge gets the request to promote its cluster. `undefined`: it does nothing. */
export function promotionAsked(
  place: Place,
  { after, mayLose }: { after: Promotion; mayLose: boolean },
): { state: State; highest: Promotion | undefined } | undefined {
  const { number, protocol } = place;
  const { cluster, promoting } = bridgeOf(place.state, number);
  if (promoting !== undefined) return undefined;
  const known = isPeerReachable(place.state, cluster)
    ? withBridge(place.state, number, { peerRead: clusterOf(place.state, peerOf(cluster)).log.length })
    : place.state;
  const state = withRead({ ...place, state: known });
  const read = { ...place, state };
  const decision = protocol.decidePromotion({
    self: nameOf(cluster),
    view: ownView(read),
    learned: learnedOf(read),
    after,
    mayLose,
    isPeerReachable: isPeerReachable(state, cluster),
  });
  switch (decision.kind) {
    case 'isActive':
      return { state, highest: decision.promotion };
    case 'superseded':
      return { state, highest: decision.highest };
    case 'switchOver':
    case 'force': {
      const { promotion } = decision;
      const count = state.promotionCount + 1;
      const step = decision.kind === 'force' ? 'reporting' : 'pausing';
      const begun = {
        id: `${letter(number)}${count}`,
        promotion,
        step,
        isServing: true,
        waitTicks: 0,
        end: 0,
        point: 0,
      } as const;
      const next = withBridge({ ...state, promotionCount: count }, number, { promoting: begun });
      return { state: next, highest: undefined };
    }
    default:
      return undefined;
  }
}

export function promotionSteps(place: Place): Step<State>[] {
  const { cluster, promoting } = bridgeOf(place.state, place.number);
  if (promoting === undefined || !clusterOf(place.state, cluster).isUp) return [];
  const forth = isPeerReachable(place.state, cluster) ? switchesOver(place, promoting) : [];
  return [...forth, ...forces(place, promoting), ...givesUp(place, promoting)];
}

function switchesOver(place: Place, promoting: Promoting): Step<State>[] {
  const { state, number, protocol } = place;
  const { cluster } = bridgeOf(state, number);
  const peer = peerOf(cluster);
  const { id, promotion } = promoting;
  switch (promoting.step) {
    case 'pausing': {
      const { mode } = truth(state, peer, protocol).view;
      const isServing = mode === 'active' || mode === 'pausing';
      const record = isServing
        ? ({ kind: 'pausing', id, promotion, timeoutMs: 1 } as const)
        : ({ kind: 'follows', promotion } as const);
      const next = appended(state, peer, entry(record), protocol);
      if (isServing && truth(next, peer, protocol).view.pausing?.id !== id) {
        return [inside(place, 'finds another pause', withPromoting(next, place, undefined))];
      }
      const label = isServing ? `asks ${nameOf(peer)} to pause (${id})` : `writes that ${nameOf(peer)} follows`;
      return [inside(place, label, withPromoting(next, place, { step: 'waiting', isServing }))];
    }
    case 'waiting': {
      if (protocol.isLeaseAwaited && promoting.waitTicks < OLD_TICKS) return [];
      const end = endOfRecords(state, peer);
      const next = withPromoting(state, place, { step: 'replicating', end });
      return [inside(place, `reads the end of ${nameOf(peer)}`, next)];
    }
    case 'replicating': {
      const isReplicated = replicatedThrough(state, peer, truth(state, peer, protocol).point) >= promoting.end;
      if (protocol.isReplicationAwaited && !isReplicated) return [];
      const point = clusterOf(state, cluster).data.length;
      const change = promoting.isServing ? ({ step: 'handingOver' } as const) : ({ step: 'promoting', point } as const);
      const next = withPromoting(carried(place, clusterOf(state, peer).saved.position), place, change);
      return [inside(place, 'has everything, and carries positions over', next)];
    }
    case 'handingOver': {
      const next = appended(state, peer, entry({ kind: 'handedOver', id }), protocol);
      return [inside(place, `writes that ${id} is handed over`, withPromoting(next, place, { step: 'readingBack' }))];
    }
    case 'readingBack': {
      const peerRead = clusterOf(state, peer).log.length;
      const read = withBridge(state, number, { peerRead });
      const counts = protocol.decideCompletion(ownView(place), truth(state, peer, protocol).view, nameOf(cluster));
      if (counts === undefined && protocol.isReadBack) {
        return [inside(place, 'reads that this does not count', withPromoting(read, place, undefined))];
      }
      const point = clusterOf(state, cluster).data.length;
      return [inside(place, 'reads that this counts', withPromoting(read, place, { step: 'promoting', point }))];
    }
    default:
      return [];
  }
}

function forces(place: Place, promoting: Promoting): Step<State>[] {
  const { state, number, protocol } = place;
  const { cluster } = bridgeOf(state, number);
  const { promotion, step, point } = promoting;
  if (step === 'reporting') {
    const { checkpoint, data } = clusterOf(state, cluster);
    const reported = protocol.isReported ? withReport(place, promotion) : state;
    const ready = carried({ ...place, state: reported }, checkpoint);
    const next = withPromoting(ready, place, { step: 'forcing', point: data.length });
    const violation = protocol.isReported ? wrongReport(place, next) : undefined;
    return [inside(place, 'writes its report, and carries positions over', next, violation)];
  }
  if (step !== 'forcing' && step !== 'promoting') return [];
  const how = step === 'forcing' ? 'forced' : 'orderly';
  const next = wrote(place, promotedEntry(promotion, how, point));
  return [inside(place, `writes ${formatPromotion(promotion)} (${how})`, withPromoting(next, place, undefined))];
}

/** It takes too long. Another bridge ends the pause. */
function givesUp(place: Place, { step }: Promoting): Step<State>[] {
  const isHeldUp = step === 'replicating' || !isPeerReachable(place.state, bridgeOf(place.state, place.number).cluster);
  if (!isHeldUp || step === 'reporting' || step === 'forcing' || step === 'promoting') return [];
  return [inside(place, 'gives up', withPromoting(place.state, place, undefined))];
}

/** Offsets behind the last record: what follows it is nothing to replicate. */
function endOfRecords(state: State, cluster: ClusterNumber): number {
  return clusterOf(state, cluster).data.findLastIndex((id) => id !== undefined) + 1;
}

function withReport({ state, number, protocol }: Place, promotion: Promotion): State {
  const { cluster, peerRead } = bridgeOf(state, number);
  const lost = peerOf(cluster);
  const { log } = clusterOf(state, lost);
  const known = {
    ...state,
    clusters: state.clusters.with(lost, { ...clusterOf(state, lost), log: log.slice(0, peerRead) }),
  };
  const { point } = truth(known, lost, protocol);
  const from = replicatedThrough(state, lost, protocol.isPointCopied ? point : 0);
  const others = clusterOf(state, cluster).reports.filter(
    (report) => formatPromotion(report.promotion) !== formatPromotion(promotion),
  );
  return withCluster(state, cluster, { reports: [...others, { promotion, lost, from, to: undefined }] });
}

/** The report has what was copied, though MirrorMaker has written that. */
function wrongReport({ number, bounds }: Place, state: State): string | undefined {
  const { cluster, peerRead } = bridgeOf(state, number);
  const { reports, data } = clusterOf(state, cluster);
  const { from = 0, lost = 0 } = reports.at(-1) ?? {};
  const { log, data: there } = clusterOf(state, lost);
  if (bounds.areSyncsLate || peerRead < log.length) return undefined;
  // What an earlier report has may be copied late.
  const before = withCluster(state, cluster, { reports: reports.slice(0, -1) });
  const copied = there.slice(from).find((id) => id !== undefined && data.includes(id) && !isReported(before, id));
  return copied === undefined
    ? undefined
    : `the report says that record ${copied} is lost, and ${nameOf(cluster)} has it`;
}

/** Commits the consumer's position in the peer, translated, in the own cluster. Positions in the session log need nothing. */
function carried({ state, number, protocol, bounds }: Place, position: number): State {
  if (bounds.positions !== 'committed') return state;
  const { cluster } = bridgeOf(state, number);
  const { saved } = clusterOf(state, cluster);
  const own = translated(state, cluster, { position, protocol });
  return withCluster(state, cluster, { saved: { ...saved, position: own } });
}

function withPromoting(state: State, { number }: Place, change: Partial<Promoting> | undefined): State {
  const { promoting } = bridgeOf(state, number);
  const next = change && promoting && { ...promoting, ...change };
  return withBridge(state, number, { promoting: next });
}
