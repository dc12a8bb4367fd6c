/** The whole model of two clusters: bridges, gateways, clients, MirrorMaker, operators, and faults. */
import { comparePromotions, type Promotion } from '@causeway/protocol/clusters.ts';
import type { Model, Step } from '../explorer.ts';
import { bridgeSteps } from './bridge-steps.ts';
import { forgotten, mayAcknowledge, type Rules, truth, viewOf } from './cluster-log.ts';
import type { ClusterProtocol } from './cluster-protocol.ts';
import { consumerSteps } from './consumer-steps.ts';
import { faultSteps, tickSteps } from './fault-steps.ts';
import { gatewaySteps } from './gateway-steps.ts';
import { initialState } from './initial-state.ts';
import { promotionSteps } from './promotion-steps.ts';
import { rejoinSteps } from './rejoin-steps.ts';
import { isReported, mirrorSteps } from './replication.ts';
import { type Bounds, clusterOf, nameOf, numberOf, type State } from './state.ts';

export const CLUSTER_BOUNDS: Bounds = {
  bridgeCounts: [1, 1],
  gatewayCount: 1,
  writeCount: 1,
  promotionCount: 1,
  rejoinCount: 0,
  deliveryCount: 0,
  faultCount: 1,
  faults: ['die', 'kill', 'split', 'blind'],
  heldUp: 'none',
  areSyncsLate: false,
  positions: 'committed',
  prefer: 'availability',
  start: 'active',
};

export function clusterModel(protocol: ClusterProtocol, bounds: Bounds): Model<State> {
  const rules: Rules = { protocol, bounds };
  return {
    initial: initialState(bounds, protocol),
    steps: (state) =>
      [
        ...state.bridges.flatMap((bridge, number): Step<State>[] => {
          if (!bridge.isUp) return [];
          const place = { ...rules, state, number };
          return [...bridgeSteps(place), ...promotionSteps(place), ...rejoinSteps(place), ...consumerSteps(place)];
        }),
        ...mirrorSteps(state, rules),
        ...gatewaySteps(state, rules),
        ...tickSteps(state, rules),
        ...faultSteps(state, rules),
      ].map((step) => ({ ...step, next: forgotten(step.next, rules) })),
    violation: (state) => wrong(state, rules),
    mustSettle: ({ clusters, bridges, gateways, isSplit }) =>
      !isSplit &&
      // What fails at the first promotion is asked for again by an operator.
      bounds.start !== 'fresh' &&
      clusters.every(({ isUp }) => isUp) &&
      bridges.every(({ isUp }) => isUp) &&
      gateways.every(({ isBlind }) => !isBlind.includes(true)),
    isSettled: (state) => isSettled(state, rules),
  };
}

/** The violation of a state as a whole, if there is one. */
function wrong(state: State, { protocol }: Rules): string | undefined {
  const { highest } = highestTruth(state, protocol);
  if (highest !== undefined) {
    const current = numberOf(highest.cluster);
    const missing = state.acknowledged.find((id) => !isKept(state, id, current));
    if (missing !== undefined) return `${highest.cluster} lacks record ${missing}, and no report has it`;
  }
  return state.clusters
    .map((_, cluster) => compactionFault(state, cluster, protocol))
    .find((fault) => fault !== undefined);
}

/** Whether a cluster has the record, or a report says that it is in another one. */
function isKept({ clusters }: State, id: number, current: number): boolean {
  if (clusters[current]?.data.includes(id)) return true;
  return isReported({ clusters }, id);
}

/** Compaction keeps the last record of each key. */
function compactionFault(state: State, cluster: number, protocol: ClusterProtocol): string | undefined {
  if (protocol.isEveryRecordKept) return undefined;
  const { log } = clusterOf(state, cluster);
  const keyOf = (at: number): string => {
    const record = log[at]?.record;
    return record === undefined ? '' : 'id' in record ? `${record.kind} ${record.id}` : record.kind;
  };
  const kept = log.filter((_, at) => log.findLastIndex((_other, later) => keyOf(later) === keyOf(at)) === at);
  const all = viewOf(protocol, log, { cluster }).view;
  const fewer = viewOf(protocol, kept, { cluster }).view;
  return all.mode === fewer.mode ? undefined : `compaction turns ${nameOf(cluster)} from ${all.mode} to ${fewer.mode}`;
}

/** The highest promotion in any log. */
function highestTruth(state: State, protocol: ClusterProtocol): { highest: Promotion | undefined } {
  const views = state.clusters.map((_, cluster) => truth(state, cluster, protocol).view.highest);
  return { highest: views.reduce((a, b) => protocol.highestPromotion(a, b), undefined) };
}

/** The promoted cluster serves, the other one does not, and all gateways know it. */
function isSettled(state: State, rules: Rules): boolean {
  const { highest } = highestTruth(state, rules.protocol);
  if (highest === undefined) return false;
  const isKnown = state.gateways.every(({ known }) => comparePromotions(known, highest) === 0);
  const serving = state.bridges.flatMap(({ cluster }, number) =>
    mayAcknowledge({ ...rules, state, number }) ? [nameOf(cluster)] : [],
  );
  return isKnown && serving.length > 0 && serving.every((name) => name === highest.cluster);
}
