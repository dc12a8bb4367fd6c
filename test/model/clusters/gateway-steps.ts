/** What gateways do: they probe, send clients' records, and ask for promotions; and clients, who only ask them. */
import { formatPromotion } from '@causeway/protocol/clusters.ts';
import type { Step } from '../explorer.ts';
import { highestOf, modeAt, type Place, type Rules, termOf } from './cluster-log.ts';
import { promotionAsked } from './promotion-steps.ts';
import { bridgeOf, clusterOf, type GatewayState, letter, nameOf, numberOf, type State, withBridge } from './state.ts';

export function gatewaySteps(state: State, rules: Rules): Step<State>[] {
  return state.gateways.flatMap((gateway, at) =>
    state.bridges.flatMap((bridge, number) => {
      const isReached =
        bridge.isUp && clusterOf(state, bridge.cluster).isUp && gateway.isBlind[bridge.cluster] === false;
      if (!isReached) return [];
      const place: Place = { ...rules, state, number };
      return [...probes(place, gateway, at), ...sends(place, gateway, at), ...promotes(place, gateway, at)];
    }),
  );
}

/** Each learns the highest promotion that the other one knows. */
function probes(place: Place, gateway: GatewayState, at: number): Step<State>[] {
  const informed = exchanged(place, gateway, at);
  return informed === undefined ? [] : [inside(`gateway ${at} probes ${letter(place.number)}`, informed)];
}

/** `undefined`: nothing is new to either. */
function exchanged(place: Place, gateway: GatewayState, at: number): State | undefined {
  const { state, number, protocol } = place;
  const known = protocol.highestPromotion(gateway.known, highestOf(place)) ?? gateway.known;
  const { heard } = bridgeOf(state, number);
  const isNewToBridge = isHigher(gateway, place);
  const isNewToGateway = known !== gateway.known;
  if (!isNewToBridge && !isNewToGateway) return undefined;
  const next = isNewToGateway ? withKnown(state, at, { ...gateway, known }) : state;
  return withBridge(next, number, { heard: isNewToBridge ? gateway.known : heard });
}

function isHigher({ known }: GatewayState, place: Place): boolean {
  return place.protocol.highestPromotion(highestOf(place), known) === known && highestOf(place) !== known;
}

function sends(place: Place, gateway: GatewayState, at: number): Step<State>[] {
  const { state, number, bounds } = place;
  const { cluster, work: other } = bridgeOf(state, number);
  if (state.nextId >= bounds.writeCount || other !== undefined || numberOf(gateway.known.cluster) !== cluster)
    return [];
  const informed = exchanged(place, gateway, at) ?? state;
  const heard = { ...place, state: informed };
  if (modeAt(heard) !== 'active') return [];
  const id = state.nextId;
  const work = { id, isStored: false, term: termOf(heard) };
  const next = withBridge({ ...informed, nextId: id + 1 }, number, { work });
  return [inside(`gateway ${at} sends record ${id} to ${letter(number)}`, next)];
}

/** By itself or for an operator, who may lose records only while the active cluster cannot be reached. */
function promotes(place: Place, gateway: GatewayState, at: number): Step<State>[] {
  const { state, number, bounds } = place;
  const { known } = gateway;
  const active = numberOf(known.cluster);
  if (state.promotionCount >= bounds.promotionCount || bridgeOf(state, number).cluster === active) return [];
  const mayLose = !clusterOf(state, active).isUp || gateway.isBlind[active] === true;
  const asked = promotionAsked(place, { after: known, mayLose });
  if (asked === undefined) return [];
  const { highest = known } = asked;
  const next = withKnown(asked.state, at, { ...gateway, known: highest });
  const how = mayLose ? ', which may lose records' : '';
  return [
    {
      label: `gateway ${at} asks ${letter(number)} to promote ${nameOf(1 - active)} after ${formatPromotion(known)}${how}`,
      isOutside: true,
      next,
    },
  ];
}

function withKnown(state: State, at: number, gateway: GatewayState): State {
  return { ...state, gateways: state.gateways.with(at, gateway) };
}

function inside(label: string, next: State): Step<State> {
  return { label, next, isOutside: false };
}
