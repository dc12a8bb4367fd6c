/** Faults and recoveries, and time. */
import type { Step } from '../explorer.ts';
import { type Rules, truth } from './cluster-log.ts';
import {
  type Fault,
  freshBridge,
  letter,
  nameOf,
  OLD_TICKS,
  peerOf,
  type State,
  withBridge,
  withCluster,
} from './state.ts';

export function faultSteps(state: State, { bounds }: Rules): Step<State>[] {
  const steps: Step<State>[] = [];
  const add = (label: string, next: State, fault?: Fault): void => {
    if (fault !== undefined && (state.faultsLeft === 0 || !bounds.faults.includes(fault))) return;
    const faultsLeft = state.faultsLeft - (fault === undefined ? 0 : 1);
    steps.push({ label, isOutside: true, next: { ...next, faultsLeft } });
  };
  state.bridges.forEach(({ cluster, isUp }, number) => {
    const name = letter(number);
    if (isUp) add(`${name} dies`, withBridge(state, number, { ...freshBridge(cluster), isUp: false }), 'die');
    else add(`${name} is started again`, withBridge(state, number, { isUp: true }));
  });
  state.clusters.forEach(({ isUp }, cluster) => {
    const name = nameOf(cluster);
    if (isUp) add(`${name} dies`, killed(state, cluster), 'kill');
    else add(`${name} returns`, withCluster(state, cluster, { isUp: true }));
  });
  if (state.isSplit) add('the clusters reach each other', { ...state, isSplit: false });
  else add('the clusters lose each other', { ...state, isSplit: true }, 'split');
  state.gateways.forEach((gateway, at) => {
    gateway.isBlind.forEach((isBlind, cluster) => {
      // Of both it would do nothing.
      if (gateway.isBlind[peerOf(cluster)] === true && !isBlind) return;
      const changed = { ...gateway, isBlind: gateway.isBlind.with(cluster, !isBlind) };
      const next = { ...state, gateways: state.gateways.with(at, changed) };
      if (isBlind) add(`gateway ${at} reaches ${nameOf(cluster)} again`, next);
      else add(`gateway ${at} loses ${nameOf(cluster)}`, next, 'blind');
    });
  });
  return steps;
}

/** What its Kafka has not stored is lost; what bridges have in memory stays. */
function killed(state: State, cluster: number): State {
  const bridges = state.bridges.map((bridge) =>
    bridge.cluster === cluster && bridge.work?.isStored === false ? { ...bridge, work: undefined } : bridge,
  );
  return withCluster({ ...state, bridges }, cluster, { isUp: false, committing: undefined });
}

/** A lease passes, where something waits for that. */
export function tickSteps(state: State, { protocol, bounds }: Rules): Step<State>[] {
  let isAwaited = false;
  const waited = (ticks: number): number => {
    isAwaited ||= ticks < OLD_TICKS;
    return OLD_TICKS;
  };
  const isServingAwaited = bounds.prefer === 'consistency';
  const bridges = state.bridges.map((bridge) => {
    const { promoting, rejoining, servingTicks } = bridge;
    return {
      ...bridge,
      activeTicks: OLD_TICKS,
      peerTicks: OLD_TICKS,
      servingTicks: isServingAwaited ? waited(servingTicks) : OLD_TICKS,
      promoting: promoting?.step === 'waiting' ? { ...promoting, waitTicks: waited(promoting.waitTicks) } : promoting,
      rejoining: rejoining && { ...rejoining, waitTicks: waited(rejoining.waitTicks) },
    };
  });
  const clusters = state.clusters.map((cluster, number) => {
    const isFenced = truth(state, number, protocol).view.mode === 'fenced';
    return isFenced ? { ...cluster, fencedTicks: waited(cluster.fencedTicks) } : cluster;
  });
  return isAwaited ? [{ label: 'a lease passes', isOutside: false, next: { ...state, bridges, clusters } }] : [];
}
