/** The steps of gateways: what they believe of bridges, and what they pass on. */
import type { Rules } from './bridge-steps.ts';
import type { Step } from './explorer.ts';
import { confirmed } from './holding.ts';
import { type Bounds, type BridgeNumber, type HeldAnswer, letter, type State, withBridge } from './session-state.ts';

/** The gateway that has the client's request sends it, gives a bridge up, or hands the answer over. */
export function gatewaySteps(state: State, { gatewayCount, faults }: Bounds): Step<State>[] {
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

/** The gateway no longer waits for a bridge, and believes it to be down. */
export function givenUp(state: State, at: BridgeNumber): State {
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

/** A bridge answers the gateway that waits. */
export const answered: Rules['answered'] = (state, bridge, answer) => {
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
export function confirmationSteps(state: State): Step<State>[] {
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
