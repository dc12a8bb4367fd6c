/** The client that repeats, and the gateways' part: they follow 421, and report owners that they cannot reach. */
import type { Step } from '../explorer.ts';
import { abandoned, received } from './ask-steps.ts';
import type { Response, Rules } from './bridge-part.ts';
import { type Bounds, type BridgeNumber, letter, type Request, type State, slotOfKey } from './state.ts';

/** The client asks; its gateway chooses a bridge, or gives it up. */
export function clientSteps(state: State, bounds: Bounds): Step<State>[] {
  const { request } = state;
  if (request === undefined) return asks(state, bounds);
  const steps = repeats(state, request, bounds);
  if (request.at === undefined) return [...steps, ...chooses(state, request, bounds)];
  const { at } = request;
  if (state.bridges[at]?.status !== 'up') steps.push(step(`${letter(at)} is given up`, givenUp(state, request, at)));
  else if (bounds.gatewayCount > 0 && state.faultsLeft > 0 && bounds.faults.includes('giveUp')) {
    const next = { ...givenUp(state, request, at), faultsLeft: state.faultsLeft - 1 };
    steps.push({ label: `${letter(at)} is given up wrongly`, isOutside: true, next });
  }
  return steps;
}

function asks(state: State, bounds: Bounds): Step<State>[] {
  const next = bounds.requests[state.askedCount];
  if (next === undefined) return [];
  const asked = { ...state, askedCount: state.askedCount + 1 };
  const ways = waysIn(asked, next, bounds);
  // Until then, exchanging the gateways and the bridges changes nothing.
  const different = state.askedCount === 0 ? ways.slice(0, 1) : ways;
  return different.map(({ way, sent }) => step(`the client asks for key ${next.key}${way}`, sent));
}

/** The client breaks its connection, and asks again: its gateway forgets the request, and the bridge continues with it. */
function repeats(state: State, request: Request, bounds: Bounds): Step<State>[] {
  if (state.repeatsLeft === 0) return [];
  const broken = request.at !== undefined ? abandoned(state, request.at) : state;
  const again = { ...broken, repeatsLeft: state.repeatsLeft - 1 };
  return waysIn(again, request, bounds).map(({ way, sent }) => ({
    label: `the client breaks its connection, and asks again${way}`,
    isOutside: true,
    next: sent,
  }));
}

/** Through each gateway, or to each bridge. */
function waysIn(
  state: State,
  { key, fingerprint }: { key: number; fingerprint: string },
  { gatewayCount }: Bounds,
): { way: string; sent: State }[] {
  const blank = { key, fingerprint, failed: [], tried: [] };
  if (gatewayCount === 0) {
    return state.bridges.map((_, at) => ({
      way: ` from ${letter(at)}`,
      sent: sent(state, { ...blank, gateway: 0, at: undefined, owner: undefined }, at),
    }));
  }
  return state.gateways.map((gateway, number) => ({
    way: ` through gateway ${number}`,
    sent: {
      ...state,
      request: { ...blank, gateway: number, at: undefined, owner: gateway.homes[slotOfKey(state, key)] },
    },
  }));
}

/** The owner as far as known, or the gateway's first choice, of those that it believes to be up and that have not failed. */
function chooses(state: State, request: Request, bounds: Bounds): Step<State>[] {
  const gateway = state.gateways[request.gateway];
  if (gateway === undefined)
    return waysIn(state, request, bounds).map(({ way, sent }) => step(`the client tries again${way}`, sent));
  const { tried, owner, failed } = request;
  const isUsable = (at: BridgeNumber): boolean => gateway.isDown[at] === false && !tried.includes(at);
  const order = state.bridges.map((_, index) => (index + request.gateway) % state.bridges.length);
  const at = owner !== undefined && isUsable(owner) ? owner : order.find(isUsable);
  if (at === undefined) {
    // The client gets 503, and tries again later; the gateway has found out who lives.
    const gateways = state.gateways.with(request.gateway, { ...gateway, isDown: state.bridges.map(() => false) });
    const fresh = { ...request, tried: [], failed: [], owner: gateway.homes[slotOfKey(state, request.key)] };
    return [step('the client gets 503, and tries again', { ...state, gateways, request: fresh })];
  }
  // As ConsumerRoute.headersAt: an owner to which the request does not go counts as failed.
  const hasFailed = owner !== undefined && owner !== at;
  const reported = hasFailed && !failed.includes(owner) ? [...failed, owner] : failed;
  const next = { ...request, owner: hasFailed ? undefined : owner, failed: reported };
  return [step(`gateway ${request.gateway} sends to ${letter(at)}${says(reported)}`, sent(state, next, at))];
}

function says(failed: readonly BridgeNumber[]): string {
  return failed.length > 0 ? `, and says that ${failed.map(letter)} failed` : '';
}

/** The request is in the bridge's socket, whether that runs or is frozen; a dead one refuses the connection. */
function sent(state: State, request: Request, at: BridgeNumber): State {
  if (state.bridges[at]?.status === 'dead') return givenUp(state, { ...request, at: undefined }, at);
  const { key, fingerprint, failed } = request;
  return received({ ...state, request: { ...request, at } }, at, {
    key,
    fingerprint,
    failed,
    hasLost: false,
    before: undefined,
    isHeard: true,
  });
}

/** The gateway, or the client, no longer waits for a bridge. */
export function givenUp(state: State, request: Request, at: BridgeNumber): State {
  const left = request.at === at ? abandoned(state, at) : state;
  const gateway = state.gateways[request.gateway];
  const gateways =
    gateway === undefined
      ? state.gateways
      : state.gateways.with(request.gateway, { ...gateway, isDown: gateway.isDown.with(at, true) });
  const tried = gateway === undefined ? [] : [...request.tried, at];
  return { ...left, gateways, request: { ...request, at: undefined, tried } };
}

/** A bridge responds to the request that waits. */
export const responded: Rules['responded'] = (state, bridge, response) => {
  const { request } = state;
  if (request === undefined) return state;
  if (response.kind !== 'misdirected') {
    return { ...remembering(state, request, bridge), request: undefined };
  }
  return misdirected(state, request, bridge, response);
};

/** As ConsumerRoute.misdirected and follow. */
function misdirected(
  state: State,
  request: Request,
  from: BridgeNumber,
  { owner }: Response & { kind: 'misdirected' },
): State {
  const gateway = state.gateways[request.gateway];
  const back: Request = { ...request, at: undefined, owner: undefined };
  // Without a gateway the client asks any bridge again, and one without an owner is asked of any.
  if (gateway === undefined || owner === undefined) return { ...state, request: back };
  const { failed, tried } = request;
  const isReachable =
    !failed.includes(owner) && gateway.isDown[owner] === false && owner !== from && !tried.includes(owner);
  if (isReachable) return sent(remembering(state, request, owner), { ...back, owner }, owner);
  const reported = failed.includes(owner) ? failed : [...failed, owner];
  return sent(state, { ...back, failed: reported }, from);
}

function remembering(state: State, { gateway: number, key }: Request, owner: BridgeNumber): State {
  const gateway = state.gateways[number];
  if (gateway === undefined) return state;
  const homes = gateway.homes.with(slotOfKey(state, key), owner);
  return { ...state, gateways: state.gateways.with(number, { ...gateway, homes }) };
}

function step(label: string, next: State): Step<State> {
  return { label, next, isOutside: false };
}
