/** What happens to bridges and gateways from outside: stops, deaths, freezes, and recoveries. */
import type { Step } from './explorer.ts';
import { givenUp } from './gateway-steps.ts';
import { isConfirmationComing, takenBack } from './holding.ts';
import {
  type Bounds,
  type BridgeNumber,
  DEAD,
  type Fault,
  letter,
  type Rec,
  type State,
  withBridge,
} from './session-state.ts';

/** SIGTERM: commits, releases the session and ends. */
export function releaseSteps(state: State, { isMember, faults }: Bounds): Step<State>[] {
  if (state.faultsLeft === 0 || !faults.includes('end')) return [];
  return state.bridges.flatMap((bridge, number) => {
    const { holding, status, work } = bridge;
    if (status !== 'up' || holding === undefined || work !== undefined) return [];
    // It waits for a confirmation that a gateway is about to send.
    if (holding.mark !== undefined && isConfirmationComing(state, holding.mark)) return [];
    const { position } = holding.mark === undefined ? holding : takenBack(holding);
    const claimedAt = state.log.findIndex(({ id }) => id === holding.id);
    const release: Rec = {
      epoch: holding.epoch,
      id: holding.id,
      owner: number,
      state: 'released',
      claimedAt,
      received: undefined,
      position: undefined,
    };
    const mayCommit = isMember ? state.member === holding.id : bridge.confirmedTicks === 0;
    return {
      label: `${letter(number)} ends in order`,
      isOutside: true,
      next: {
        ...withBridge(state, number, DEAD),
        committed: mayCommit ? position : state.committed,
        writes: [...state.writes, release],
        faultsLeft: state.faultsLeft - 1,
      },
    };
  });
}

/** Faults, and recoveries from them. */
export function outsideSteps(state: State, { faults }: Bounds): Step<State>[] {
  const steps: Step<State>[] = [];
  const add = (label: string, next: State, fault?: Fault): void => {
    const cost = fault === undefined ? 0 : 1;
    if (state.faultsLeft >= cost && (fault === undefined || faults.includes(fault))) {
      steps.push({ label, isOutside: true, next: { ...next, faultsLeft: state.faultsLeft - cost } });
    }
  };
  state.bridges.forEach((bridge, number) => {
    const name = letter(number);
    if (bridge.status === 'up') {
      add(`${name} dies`, broken(withBridge(state, number, DEAD), number), 'die');
      add(`${name} freezes`, withBridge(state, number, { ...bridge, status: 'frozen' }), 'freeze');
    }
    if (bridge.status === 'frozen') add(`${name} continues`, withBridge(state, number, { ...bridge, status: 'up' }));
    if (bridge.status === 'dead') add(`${name} is started again`, withBridge(state, number, { ...DEAD, status: 'up' }));
    state.gateways.forEach((gateway, index) => {
      if (bridge.status !== 'up' || gateway.isDown[number] !== true) return;
      const gateways = state.gateways.with(index, { ...gateway, isDown: gateway.isDown.with(number, false) });
      add(`gateway ${index} sees that ${name} is up`, { ...state, gateways });
    });
  });
  state.gateways.forEach((gateway, number) => {
    const isKnowing = gateway.delivered !== undefined || state.request?.gateway === number;
    if (isKnowing) add(`gateway ${number} dies, and is started again`, withoutGateway(state, number), 'gatewayDies');
  });
  return steps;
}

/** The gateway loses its knowledge and its request; the client asks again through another one. */
function withoutGateway(state: State, number: number): State {
  const { gateways, request, bridges } = state;
  const isDown = bridges.map(() => false);
  const fresh = gateways.with(number, { remembered: undefined, isDown, delivered: undefined });
  if (request?.gateway !== number) return { ...state, gateways: fresh };
  const bridge = request.at === undefined ? undefined : bridges[request.at];
  const work = bridge?.work;
  const isWorking = request.isTaken && request.at !== undefined && bridge !== undefined && work !== undefined;
  const abandoned = isWorking
    ? withBridge(state, request.at ?? 0, { ...bridge, work: { ...work, isAbandoned: true } })
    : state;
  return { ...abandoned, gateways: fresh, request: undefined };
}

/** The connections of a bridge that dies break. */
function broken(state: State, number: BridgeNumber): State {
  return state.request?.at === number ? givenUp(state, number) : state;
}
