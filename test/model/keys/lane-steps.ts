/** How a bridge's lane stores records and answers, and gives slots up. */
import type { Step } from '../explorer.ts';
import { bridgeOf, inside, type Place, respond } from './bridge-part.ts';
import { askToCommit, isEnding } from './kafka.ts';
import { decidesAgain, isFenced, loses, recoverySteps, unanswered, withLane } from './recovery-steps.ts';
import {
  freeGuard,
  type Item,
  type Lane,
  type LoggedClaim,
  partitionOf,
  type State,
  slotOfKey,
  withBridge,
} from './state.ts';

export function laneSteps(place: Place): Step<State>[] {
  const { lane } = bridgeOf(place);
  switch (lane.step) {
    case 'idle':
      return [...sends(place, lane), ...frees(place, lane)];
    case 'records':
      return writesAnswers(place, lane);
    case 'ending':
      return isFenced(place, lane) ? loses(place, lane) : unanswered(place, lane);
    case 'committed':
      return [committed(place, lane), ...unanswered(place, lane)];
    default:
      return recoverySteps(place, lane);
  }
}

/** The requests whose slots it holds become the next transaction. */
function sends(place: Place, lane: Lane): Step<State>[] {
  const { state, rules } = place;
  if (lane.queue.length === 0 || isEnding(state, lane.id)) return [];
  const { held } = bridgeOf(place);
  const isOwn = ({ key }: Item): boolean => held[slotOfKey(state, key)] === true || !rules.protocol.isQueueChecked;
  const lost = lane.queue.filter((item) => !isOwn(item));
  if (lost.length > 0) {
    const kept = withLane(state, place, { ...lane, queue: lane.queue.filter(isOwn) });
    return [inside(place, 'no longer holds the slot of a request', decidesAgain(place, kept, lost))];
  }
  if (isFenced(place, lane)) return loses(place, lane);
  let { data } = state;
  const group = lane.queue.map((item) => {
    const copy = data.filter(({ key }) => key === item.key).length;
    data = [...data, { by: lane.id, status: 'open', key: item.key, copy }];
    return { ...item, copy };
  });
  const next = withLane({ ...state, data }, place, { ...lane, step: 'records', group, queue: [] });
  return [inside(place, `sends records of ${group.map(({ key }) => `key ${key}`).join(' and ')}`, next)];
}

/** The answers, and `EndTxn`, which may take its time. */
function writesAnswers(place: Place, lane: Lane): Step<State>[] {
  const { state, rules } = place;
  const { isOneTransaction, isAnsweredAfterCommit } = rules.protocol;
  if (isFenced(place, lane)) return loses(place, lane);
  const partition = partitionOf(lane.id, rules.bounds);
  const entries = lane.group.map(({ key, copy, fingerprint }) => ({
    by: isOneTransaction ? lane.id : '',
    status: isOneTransaction ? ('open' as const) : ('stored' as const),
    key,
    copy,
    fingerprint,
  }));
  const answers = state.answers.with(partition, [...(state.answers[partition] ?? []), ...entries]);
  const next = withLane(askToCommit({ ...state, answers }, lane.id), place, { ...lane, step: 'ending' });
  if (isAnsweredAfterCommit) return [inside(place, 'sends the answers, and asks to commit', next)];
  const answered = answersGroup(place, next, lane.group);
  return [inside(place, 'sends the answers, asks to commit, and answers', answered.next, answered.violation)];
}

function committed(place: Place, lane: Lane): Step<State> {
  const { state, number } = place;
  const { held, index, takes } = bridgeOf(place);
  if (lane.freeing !== undefined) {
    const slot = lane.freeing;
    const take = takes[slot];
    const change = { held: held.with(slot, false), takes: takes.with(slot, take && { ...take, isFreed: true }) };
    const idle: Lane = { ...lane, step: 'idle', freeing: undefined };
    return inside(place, `has freed slot ${slot}`, withLane(withBridge(state, number, change), place, idle));
  }
  const known = lane.group.reduce((all, { key, copy, fingerprint }) => all.with(key, { copy, fingerprint }), index);
  const idle = withLane(withBridge(state, number, { index: known }), place, { ...lane, step: 'idle', group: [] });
  const { next, violation } = answersGroup(place, idle, lane.group);
  return inside(place, 'answers', next, violation);
}

function answersGroup(
  place: Place,
  state: State,
  group: readonly Item[],
): { next: State; violation: string | undefined } {
  let next = state;
  let violation: string | undefined;
  for (const item of group) {
    const { copy, fingerprint } = item;
    const responded = respond(place, next, item, { kind: 'answer', answer: { copy, fingerprint } });
    next = responded.next;
    violation ??= responded.violation;
  }
  return { next, violation };
}

/** A gateway asks for it, or the bridge stops: once the lane has nothing to do, it writes a claim that frees the slot. */
function frees(place: Place, lane: Lane): Step<State>[] {
  const { state, rules } = place;
  if (state.faultsLeft === 0 || !rules.bounds.faults.includes('release')) return [];
  if (lane.queue.length > 0 || isFenced(place, lane) || isEnding(state, lane.id)) return [];
  return bridgeOf(place).held.flatMap((isHeld, slot) => {
    if (!isHeld) return [];
    const claim = { owner: undefined, transactionalId: freeGuard(slot) };
    const free: LoggedClaim = { by: lane.id, status: 'open', claim };
    const written = { ...state, claims: state.claims.with(slot, [...(state.claims[slot] ?? []), free]) };
    const next = withLane(askToCommit(written, lane.id), place, { ...lane, step: 'ending', freeing: slot });
    const label = `writes a claim that frees slot ${slot}, and asks to commit it`;
    return [{ ...inside(place, label, { ...next, faultsLeft: next.faultsLeft - 1 }), isOutside: true }];
  });
}
