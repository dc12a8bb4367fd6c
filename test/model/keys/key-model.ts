/** The whole model of idempotency keys: a cluster, bridges with lanes, gateways, a client that repeats, and faults. */
import type { Model, Step } from '../explorer.ts';
import { askSteps } from './ask-steps.ts';
import type { Rules } from './bridge-part.ts';
import { clientSteps, givenUp, responded } from './client-steps.ts';
import { clusterSteps } from './kafka.ts';
import type { KeyProtocol } from './key-protocol.ts';
import { laneSteps } from './lane-steps.ts';
import { type Bounds, type Fault, freshBridge, initialState, letter, type State, withBridge } from './state.ts';
import { takeSteps } from './take-steps.ts';

export const KEY_BOUNDS: Bounds = {
  bridgeCount: 2,
  gatewayCount: 2,
  slotCount: 1,
  requests: [{ key: 0, fingerprint: 'f' }],
  repeatCount: 0,
  faultCount: 1,
  faults: ['die', 'freeze', 'giveUp', 'lose', 'release', 'expire'],
  isOnePartition: false,
  areLanesReady: true,
  areLanesChanging: false,
  isContended: false,
  hasEarlierOwner: false,
};

export function keyModel(protocol: KeyProtocol, bounds: Bounds): Model<State> {
  const rules: Rules = { protocol, bounds, responded };
  return {
    initial: initialState(bounds),
    steps: (state) => [
      ...clientSteps(state, bounds),
      ...state.bridges.flatMap(({ status }, number) => {
        if (status !== 'up') return [];
        const place = { state, number, rules };
        return [...askSteps(place), ...takeSteps(place), ...laneSteps(place)];
      }),
      ...clusterSteps(state, bounds),
      ...faultSteps(state, bounds),
    ],
    violation: (state) => wrong(state, bounds),
    mustSettle: ({ request, bridges }) => request !== undefined && bridges.some(({ status }) => status === 'up'),
    isSettled: ({ request }) => request === undefined,
  };
}

/** The violation of a state as a whole, if there is one. */
function wrong(state: State, bounds: Bounds): string | undefined {
  const { faultCount, repeatCount, hasEarlierOwner, isContended, bridgeCount } = bounds;
  for (const [key, answer] of state.given.entries()) {
    const isOfKey = (one: { key: number; status: string }): boolean => one.key === key && one.status !== 'open';
    const copies = state.data.filter(isOfKey).length;
    const answers = state.answers.flat().filter(isOfKey).length;
    if (copies > 1) return `key ${key} has ${copies} copies of its record`;
    if (copies > answers) return `the record of key ${key} has no answer`;
    if (answers > copies) return `the answer to key ${key} has no record`;
    if (answer !== undefined && copies === 0) return `key ${key} is acknowledged without its record`;
  }
  const eventCount = faultCount - state.faultsLeft + repeatCount - state.repeatsLeft;
  const claimCount = Math.max(...state.claims.map((log) => log.filter(({ status }) => status !== 'open').length));
  // Each of the requests with which the bridges begin may take the slot once, and the client's again when its gateway insists.
  const first = (isContended ? bridgeCount : 0) + (hasEarlierOwner ? 2 : 1);
  if (claimCount > first + CLAIMS_AN_EVENT * eventCount) {
    return `the slot bounces: ${claimCount} claims after ${eventCount} faults and repetitions`;
  }
  return undefined;
}

const CLAIMS_AN_EVENT = 2;

/** Faults, and recoveries from them. */
function faultSteps(state: State, { faults, areLanesChanging }: Bounds): Step<State>[] {
  return state.bridges.flatMap((bridge, number) => {
    const steps: Step<State>[] = [];
    const name = letter(number);
    const add = (label: string, next: State, fault?: Fault): void => {
      const cost = fault === undefined ? 0 : 1;
      if (state.faultsLeft < cost || (fault !== undefined && !faults.includes(fault))) return;
      steps.push({
        label: `${name} ${label}`,
        isOutside: true,
        next: { ...next, faultsLeft: state.faultsLeft - cost },
      });
    };
    if (bridge.status === 'up') {
      const { id } = bridge.lane;
      const nextId = areLanesChanging ? `${name}-${id.endsWith('0') ? 1 : 0}` : id;
      const dead = withBridge(state, number, { ...freshBridge(state, nextId), status: 'dead' });
      const { request } = state;
      // Its connections break.
      add('dies', request?.at === number ? givenUp(dead, request, number) : dead, 'die');
      add('freezes', withBridge(state, number, { status: 'frozen' }), 'freeze');
    }
    if (bridge.status === 'frozen') add('continues', withBridge(state, number, { status: 'up' }));
    if (bridge.status === 'dead') add('is started again', withBridge(state, number, { status: 'up' }));
    return steps;
  });
}
