/** The whole model: bridges, gateways with their beliefs, a client that asks again, and faults. */

import { bridgeSteps, confirmed, isConfirmationComing, type Rules, takenBack } from './bridge-steps.ts';
import type { Model, Step } from './explorer.ts';
import { compacted, foldLog, type Protocol } from './protocol.ts';
import {
  type Bounds,
  type BridgeNumber,
  type BridgeState,
  DEAD,
  type Fault,
  type HeldAnswer,
  initialState,
  letter,
  type Rec,
  type State,
} from './session-state.ts';

export function sessionModel(protocol: Protocol, bounds: Bounds): Model<State> {
  const hasGateways = bounds.gatewayCount > 0;
  const rules: Rules = {
    protocol,
    isMember: bounds.isMember,
    isPrompt: bounds.isPrompt ?? false,
    hasGateways,
    answered,
  };
  return {
    initial: initialState(bounds),
    steps: (state) => [
      ...clientSteps(state, bounds),
      ...gatewaySteps(state, bounds),
      ...confirmationSteps(state),
      ...bridgeSteps(state, rules),
      ...outsideSteps(state, bounds),
      ...releaseSteps(state, bounds),
    ],
    violation: (state) => wrong(state, protocol, bounds),
    mustSettle: ({ request, bridges }) => request !== undefined && bridges.some(({ status }) => status === 'up'),
    isSettled: ({ request }) => request === undefined,
  };
}

/** The violation of a state as a whole, if there is one. */
function wrong(
  state: State,
  protocol: Protocol,
  { faultCount, gatewayCount, isPrompt = false }: Bounds,
): string | undefined {
  const entry = foldLog(protocol, placed(state));
  if (state.isDeleted && entry?.state !== 'deleted') return 'a deleted session is back';
  const kept = foldLog(protocol, compacted(protocol, state.log));
  if (kept?.id !== entry?.id || kept?.state !== entry?.state) {
    return `compaction turns the owner of epoch ${entry?.epoch} into that of epoch ${kept?.epoch}`;
  }
  const claimCount = new Set([...state.log, ...state.writes].filter(({ state: s }) => s === 'held').map(({ id }) => id))
    .size;
  const faultsSeen = faultCount - state.faultsLeft;
  const most = 1 + faultsSeen * (gatewayCount === 0 ? MOST_CLAIMS_A_FAULT_WITHOUT_GATEWAY : MOST_CLAIMS_A_FAULT);
  if (claimCount > most) return `the session bounces: ${claimCount} claims after ${faultsSeen} faults`;
  const mostRepeats = isPrompt ? 0 : faultsSeen;
  if (state.repeatCount > mostRepeats) return `${state.repeatCount} batches came again after ${faultsSeen} faults`;
  return undefined;
}

/** A fault may make two bridges adopt at once. */
const MOST_CLAIMS_A_FAULT = 2;
/** A client that goes from one bridge to the next takes its consumer along, also with what it asked before. */
const MOST_CLAIMS_A_FAULT_WITHOUT_GATEWAY = 4;

function placed({ log }: State) {
  return log.map((record, offset) => ({ record, offset }));
}

function clientSteps(state: State, { isDeleting }: Bounds): Step<State>[] {
  const { request, pollsLeft, nextGateway, gateways, isDeleted } = state;
  if (request !== undefined || pollsLeft === 0) return [];
  const asks = (op: 'poll' | 'delete'): Step<State> => ({
    label: `the client asks gateway ${nextGateway} to ${op}`,
    isOutside: false,
    next: {
      ...state,
      request: {
        op,
        gateway: nextGateway,
        at: undefined,
        isTaken: false,
        failed: [],
        delivered: gateways[nextGateway]?.delivered,
        answer: undefined,
      },
      gateways: gateways.map((gateway, number) =>
        number === nextGateway ? { ...gateway, delivered: undefined } : gateway,
      ),
      nextGateway: (nextGateway + 1) % gateways.length,
      pollsLeft: pollsLeft - 1,
    },
  });
  return isDeleting && !isDeleted ? [asks('poll'), asks('delete')] : [asks('poll')];
}

function gatewaySteps(state: State, { gatewayCount, faults }: Bounds): Step<State>[] {
  const { request } = state;
  if (request === undefined) return [];
  if (request.answer !== undefined) return [handsOver(state, request.answer)];
  if (request.at === undefined) return [sends(state, request.gateway)];
  const bridge = state.bridges[request.at];
  if (bridge === undefined) return [];
  const steps: Step<State>[] = [];
  if (!request.isTaken && bridge.status === 'up' && bridge.work === undefined) {
    const { op, failed } = request;
    const work = {
      op,
      failed,
      delivered: request.delivered,
      isAbandoned: false,
      step: 'received' as const,
      claim: undefined,
      superseded: undefined,
      waitTicks: 0,
      hasJoined: false,
      hasLost: false,
      position: undefined,
    };
    const taken = withBridge(state, request.at, confirmed({ ...bridge, work }, request.delivered));
    const label = `${letter(request.at)} takes the request${failed.length > 0 ? `, which says that ${failed.map(letter)} failed` : ''}`;
    steps.push({ label, isOutside: false, next: { ...taken, request: { ...request, isTaken: true } } });
  }
  const who = gatewayCount > 0 ? `gateway ${request.gateway}` : 'the client';
  if (bridge.status !== 'up') {
    steps.push({ label: `${who} gives ${letter(request.at)} up`, isOutside: false, next: givenUp(state, request.at) });
  } else if (state.faultsLeft > 0 && faults.includes('giveUp')) {
    const next = { ...givenUp(state, request.at), faultsLeft: state.faultsLeft - 1 };
    steps.push({ label: `${who} wrongly gives ${letter(request.at)} up`, isOutside: true, next });
  }
  return steps;
}

/** Sends to the owner that the gateway remembers, or to its first choice, of those that it believes to be up. */
function sends(state: State, number: number): Step<State> {
  const gateway = state.gateways[number];
  if (gateway === undefined || state.request === undefined) throw new TypeError('no such gateway');
  const believed = gateway.isDown.includes(false) ? gateway : { ...gateway, isDown: gateway.isDown.map(() => false) };
  const { remembered, isDown } = believed;
  const order = isDown.map((_, index) => (index + number) % isDown.length);
  const isRememberedUp = remembered !== undefined && isDown[remembered] === false;
  const at = isRememberedUp ? remembered : order.find((bridge) => isDown[bridge] === false);
  if (at === undefined) throw new TypeError('no target');
  const next = { ...state, gateways: state.gateways.with(number, believed) };
  return { label: `gateway ${number} chooses ${letter(at)}`, isOutside: false, next: sentTo(next, at, []) };
}

/** A connection to a dead bridge is refused at once. */
function sentTo(state: State, at: BridgeNumber, failed: readonly BridgeNumber[]): State {
  const { request } = state;
  if (request === undefined) return state;
  const sent = { ...state, request: { ...request, at, failed, isTaken: false } };
  return state.bridges[at]?.status === 'dead' ? givenUp(sent, at) : sent;
}

function givenUp(state: State, at: BridgeNumber): State {
  const { request, gateways, bridges } = state;
  const [bridge, gateway] = [bridges[at], gateways[request?.gateway ?? 0]];
  if (request === undefined || bridge === undefined || gateway === undefined) return state;
  const abandoned = request.isTaken && bridge.work !== undefined ? { ...bridge.work, isAbandoned: true } : bridge.work;
  return {
    ...withBridge(state, at, { ...bridge, work: abandoned }),
    request: { ...request, at: undefined, isTaken: false, failed: [] },
    gateways: gateways.with(request.gateway, { ...gateway, isDown: gateway.isDown.with(at, true) }),
  };
}

const answered: Rules['answered'] = (state, bridge, answer) => {
  const { request, gateways } = state;
  const gateway = gateways[request?.gateway ?? 0];
  if (request === undefined || gateway === undefined) throw new TypeError('no gateway asked');
  const remembering = (owner: BridgeNumber): State => ({
    ...state,
    gateways: gateways.with(request.gateway, { ...gateway, remembered: owner }),
  });
  const done = { ...remembering(bridge), request: undefined };
  switch (answer.kind) {
    case 'misdirected': {
      const next = remembering(answer.owner);
      const isUp = gateway.isDown[answer.owner] === false;
      const redirected = isUp ? sentTo(next, answer.owner, []) : sentTo(next, bridge, [answer.owner]);
      return { next: redirected, violation: undefined };
    }
    case 'deleted':
      return { next: { ...done, isDeleted: true }, violation: undefined };
    case 'notFound': {
      // A delete whose answer was lost says so too.
      const isOver =
        state.isDeleted || state.log.length === 0 || state.log.some((record) => record.state === 'deleted');
      return { next: done, violation: isOver ? undefined : 'a session that lives was not found' };
    }
    default: {
      const { position, epoch, id, mark } = answer;
      const held = { ...request, at: undefined, isTaken: false, answer: { position, epoch, id, mark } };
      const next = { ...remembering(bridge), acknowledged: { epoch, id }, request: held };
      return { next, violation: undefined };
    }
  }
};

/** The client has the whole answer, and its gateway will confirm that. */
function handsOver(state: State, { position, mark }: HeldAnswer): Step<State> {
  const { received, request, gateways } = state;
  const number = request?.gateway ?? 0;
  let violation: string | undefined;
  if (position > received) violation = `record ${received} is lost: the client got ${position}`;
  if (position < received - 1) violation = `the client has ${received}, and gets ${position} again`;
  const next = {
    ...state,
    request: undefined,
    gateways: gateways.map((gateway, other) => (other === number ? { ...gateway, delivered: mark } : gateway)),
    received: position + 1,
    repeatCount: position < received ? state.repeatCount + 1 : state.repeatCount,
  };
  return { label: `the client gets record ${position}`, isOutside: false, next, violation };
}

/** A gateway confirms a delivery although the client does not ask again through it. */
function confirmationSteps(state: State): Step<State>[] {
  return state.gateways.flatMap(({ delivered }, number) => {
    const at = state.bridges.findIndex(({ holding, status }) => status === 'up' && holding?.mark === delivered);
    const bridge = state.bridges[at];
    if (delivered === undefined || bridge === undefined) return [];
    const gateways = state.gateways.map((gateway, other) =>
      other === number ? { ...gateway, delivered: undefined } : gateway,
    );
    const next = { ...withBridge(state, at, confirmed(bridge, delivered)), gateways };
    return [{ label: `gateway ${number} confirms the delivery to ${letter(at)}`, isOutside: false, next }];
  });
}

/** SIGTERM: commits, releases the session and ends. */
function releaseSteps(state: State, { isMember, faults }: Bounds): Step<State>[] {
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

function outsideSteps(state: State, { faults }: Bounds): Step<State>[] {
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

function withBridge(state: State, number: BridgeNumber, bridge: BridgeState): State {
  return { ...state, bridges: state.bridges.with(number, bridge) };
}
