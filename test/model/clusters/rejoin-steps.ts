/** How a bridge lets its fenced cluster stand by again. */
import { comparePromotions, formatPromotion } from '@causeway/protocol/clusters.ts';
import type { Step } from '../explorer.ts';
import { appended, inside, isPeerReachable, ownView, type Place, truth, wrote } from './cluster-log.ts';
import {
  bridgeOf,
  clusterOf,
  entry,
  letter,
  nameOf,
  OLD_TICKS,
  peerOf,
  type State,
  withBridge,
  withCluster,
} from './state.ts';

export function rejoinSteps(place: Place): Step<State>[] {
  const { state, number, protocol, bounds } = place;
  const { cluster, rejoining } = bridgeOf(state, number);
  if (!clusterOf(state, cluster).isUp || !isPeerReachable(state, cluster)) return [];
  if (rejoining === undefined) return begins(place);
  const { promotion, waitTicks, end } = rejoining;
  if (end === undefined) {
    if (protocol.isTailFinal && waitTicks < OLD_TICKS) return [];
    const read = { ...rejoining, end: clusterOf(state, cluster).data.length };
    return [
      inside(place, `reads and saves the tail of ${nameOf(cluster)}`, withBridge(state, number, { rejoining: read })),
    ];
  }
  const peer = peerOf(cluster);
  if (bounds.prefer === 'consistency' && protocol.isPeerInformed && !rejoining.isJoined) {
    const informed = appended(state, peer, entry({ kind: 'peerJoined', promotion }), protocol);
    const highest = truth(informed, peer, protocol).view.highest;
    const isStill = highest !== undefined && comparePromotions(highest, promotion) === 0;
    const next = isStill ? { ...rejoining, isJoined: true, waitTicks: 0 } : undefined;
    return [
      inside(
        place,
        `writes into the log of ${nameOf(peer)} that it follows`,
        withBridge(informed, number, { rejoining: next }),
      ),
    ];
  }
  if (rejoining.isJoined && waitTicks < OLD_TICKS) return [];
  const reports = clusterOf(state, peer).reports.map((report) =>
    formatPromotion(report.promotion) === formatPromotion(promotion) ? { ...report, to: report.to ?? end } : report,
  );
  const next = wrote(
    { ...place, state: withCluster(state, peer, { reports }) },
    entry({ kind: 'rejoined', promotion }),
  );
  return [inside(place, `lets ${nameOf(cluster)} rejoin`, withBridge(next, number, { rejoining: undefined }))];
}

/** An operator asks for it. */
function begins({ state, number, ...rules }: Place): Step<State>[] {
  const { mode, highest } = ownView({ state, number, ...rules });
  if (mode !== 'fenced' || highest === undefined || state.rejoinsLeft === 0) return [];
  const rejoining = { promotion: highest, isJoined: false, waitTicks: 0, end: undefined };
  const next = withBridge({ ...state, rejoinsLeft: state.rejoinsLeft - 1 }, number, { rejoining });
  return [{ label: `an operator asks ${letter(number)} to rejoin`, isOutside: true, next }];
}
