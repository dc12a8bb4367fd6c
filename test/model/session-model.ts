/** The whole model: bridges, gateways with their beliefs, a client that asks again, and faults. */

import { bridgeSteps, type Rules } from './bridge-steps.ts';
import type { Model, Step } from './explorer.ts';
import { outsideSteps, releaseSteps } from './fault-steps.ts';
import { answered, confirmationSteps, gatewaySteps } from './gateway-steps.ts';
import { compacted, foldLog, type Protocol } from './protocol.ts';
import { type Bounds, initialState, type State } from './session-state.ts';

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
