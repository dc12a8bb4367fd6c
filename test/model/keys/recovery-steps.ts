/** How a lane takes its transactional id over, when it begins or has lost the id, and finds out what it holds. */
import type { Step } from '../explorer.ts';
import {
  answerEnds,
  areStable,
  bridgeOf,
  inside,
  knownClaim,
  type Place,
  withAnswersRead,
  withClaimsRead,
} from './bridge-part.ts';
import { holderOf, initProducer, laneProducer } from './kafka.ts';
import { type Ask, type Item, type Lane, letter, type State, slotOfKey, withBridge } from './state.ts';

export function recoverySteps(place: Place, lane: Lane): Step<State>[] {
  if (lane.step === 'readingClaims') return readsClaims(place, lane);
  if (lane.step === 'readingAnswers') return readsAnswers(place, lane);
  const isNeeded = lane.group.length > 0 || lane.queue.length > 0;
  const begun = isNeeded ? regain(place, lane) : undefined;
  return begun === undefined ? [] : [inside(place, `takes ${lane.id} over`, begun)];
}

/** Whether another producer has the lane's id. */
export function isFenced({ state, number }: Place, { id }: Lane): boolean {
  return holderOf(state, id) !== laneProducer(number);
}

export function loses(place: Place, lane: Lane): Step<State>[] {
  const begun = regain(place, lane);
  const label = `learns that its lane is fenced, and takes ${lane.id} over`;
  return begun === undefined ? [] : [inside(place, label, begun)];
}

/** The lane holds no slot, until it knows better. */
function suspended(place: Place, lane: Lane): State {
  const { state, number } = place;
  const held = bridgeOf(place).held.map(() => false);
  const off: Lane = { ...lane, step: 'off', ends: undefined, freeing: undefined };
  return withLane(withBridge(state, number, { held }), place, off);
}

/** The response to `EndTxn` does not arrive: the transaction may be committed. */
export function unanswered(place: Place, lane: Lane): Step<State>[] {
  const { state, rules } = place;
  if (state.faultsLeft === 0 || !rules.bounds.faults.includes('lose')) return [];
  const queue = [...lane.group, ...lane.queue];
  const again: Lane = { ...lane, step: 'idle', freeing: undefined, group: [], queue };
  const { isLostCommitUnclear } = rules.protocol;
  const next = isLostCommitUnclear ? suspended(place, lane) : withLane(state, place, again);
  const label = 'gets no response about its transaction';
  return [{ ...inside(place, label, { ...next, faultsLeft: next.faultsLeft - 1 }), isOutside: true }];
}

/**
 * Takes the lane's id over, and asks for the ends of the slots: later, they could only be further. `undefined`: Kafka lets no bridge take the
 * id over now.
 */
export function regain(place: Place, lane: Lane): State | undefined {
  const state = initProducer(suspended(place, lane), lane.id, laneProducer(place.number));
  if (state === undefined) return undefined;
  const ends = { claims: state.claims.map((log) => log.length), answers: [] };
  const { group, queue } = lane;
  return withLane(state, place, { ...lane, step: 'readingClaims', ends, group, queue, freeing: undefined });
}

function readsClaims(place: Place, lane: Lane): Step<State>[] {
  const { state, number, rules } = place;
  const { isReadAtRecovery, holds } = rules.protocol;
  const ends = lane.ends?.claims ?? [];
  if (isReadAtRecovery && !areStable(state.claims, ends)) return [];
  const seen = isReadAtRecovery ? withClaimsRead(place, ends) : state;
  const held = state.claims.map((_, slot) => {
    return holds(knownClaim(seen, number, slot), { self: letter(number), laneId: lane.id });
  });
  const next = withLane(seen, place, {
    ...lane,
    step: 'readingAnswers',
    ends: { claims: held.map(Number), answers: answerEnds(place, lane.id) },
  });
  return [inside(place, 'has read its slots, and asks for the ends of the answers', next)];
}

function readsAnswers(place: Place, lane: Lane): Step<State>[] {
  const { state, number, rules } = place;
  const ends = lane.ends?.answers ?? [];
  const { isReadAtRecovery, isQueueRecovered } = rules.protocol;
  if (isReadAtRecovery && !areStable(state.answers, ends)) return [];
  const seen = isReadAtRecovery ? withAnswersRead(place, ends) : state;
  const held = state.claims.map((_, slot) => lane.ends?.claims[slot] === 1);
  const idle: Lane = { ...lane, step: 'idle', ends: undefined, group: [], queue: isQueueRecovered ? [] : lane.queue };
  const ready = withLane(withBridge(seen, number, { held }), place, idle);
  const next = decidesAgain(place, ready, isQueueRecovered ? [...lane.group, ...lane.queue] : lane.group);
  return [inside(place, 'has read the answers', next)];
}

/** Decides again about requests in the lane: one whose slot is lost, or whose answer is in the log, leaves it. */
export function decidesAgain(place: Place, state: State, items: readonly Item[]): State {
  const { number, rules } = place;
  const bridge = state.bridges[number];
  if (bridge === undefined) return state;
  const again: Item[] = [];
  const lost: Ask[] = [];
  for (const { copy: _, ...ask } of items) {
    const isLogged = bridge.index[ask.key] !== undefined;
    const isHeld = bridge.held[slotOfKey(state, ask.key)] === true;
    const decision = rules.protocol.decideRecovered({ isLogged, isHeld });
    if (decision === 'again') again.push({ ...ask, copy: 0 });
    else lost.push({ ...ask, hasLost: true });
  }
  const { lane, asks } = bridge;
  return withBridge(state, number, {
    lane: { ...lane, queue: [...again, ...lane.queue] },
    asks: [...asks, ...lost],
  });
}

export function withLane(state: State, { number }: Place, lane: Lane): State {
  return withBridge(state, number, { lane });
}
