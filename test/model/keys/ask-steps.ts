/** What a bridge does with a request for a key, and what it reads when nothing makes it read. */
import type { Step } from '../explorer.ts';
import {
  bridgeOf,
  inside,
  knownClaim,
  type Place,
  respond,
  visibleEnds,
  withAnswersRead,
  withClaimsRead,
} from './bridge-part.ts';
import { regain, withLane } from './recovery-steps.ts';
import { type Ask, type BridgeNumber, letter, numberOf, type State, slotOfKey, withBridge } from './state.ts';
import { begin } from './take-steps.ts';

export function askSteps(place: Place): Step<State>[] {
  return [...bridgeOf(place).asks.flatMap((ask, at) => decides(place, ask, at)), ...follows(place)];
}

function decides(place: Place, ask: Ask, at: number): Step<State>[] {
  const { state, number, rules } = place;
  const { index, lane, asks } = bridgeOf(place);
  const { key, fingerprint, isHeard } = ask;
  const known = index[key];
  const items = [...lane.group, ...lane.queue];
  const open = items.find((item) => item.key === key);
  const decision = rules.protocol.decideKey({
    loggedFingerprint: known?.fingerprint,
    openFingerprint: open?.fingerprint,
    fingerprint,
  });
  const gone = withBridge(state, number, { asks: asks.toSpliced(at, 1) });
  switch (decision) {
    case 'replay': {
      const answer = known ?? { copy: open?.copy ?? 0, fingerprint: open?.fingerprint ?? '' };
      const { next, violation } = respond(place, gone, ask, { kind: 'answer', answer });
      return [inside(place, `replays the answer to key ${key}`, next, violation)];
    }
    case 'mismatch': {
      const { next, violation } = respond(place, gone, ask, { kind: 'mismatch' });
      return [inside(place, `refuses another request with key ${key}`, next, violation)];
    }
    case 'wait': {
      const hears = (item: typeof open & object) =>
        item.key === key ? { ...item, isHeard: item.isHeard || isHeard } : item;
      const waiting = { ...lane, group: lane.group.map(hears), queue: lane.queue.map(hears) };
      return [inside(place, `lets the request wait for key ${key}`, withLane(gone, place, waiting))];
    }
    default:
      return alivenesses(place, ask).flatMap(({ isOwnerAlive, cost }) =>
        executes(place, ask, { at, gone, isOwnerAlive }).map((step) =>
          cost === 0
            ? step
            : { ...step, isOutside: true, next: { ...step.next, faultsLeft: step.next.faultsLeft - cost } },
        ),
      );
  }
}

/** A sign of life may come late, and an owner that no longer lives may have given one. */
function alivenesses(place: Place, { key }: Ask): { isOwnerAlive: boolean; cost: number }[] {
  const { state, rules } = place;
  if (rules.bounds.gatewayCount > 0) return [{ isOwnerAlive: false, cost: 0 }];
  const slot = slotOfKey(state, key);
  const { owner } = knownClaim(state, place.number, slot);
  const isUp = owner !== undefined && state.bridges[numberOf(owner)]?.status === 'up';
  const mayBeLate = isUp && state.faultsLeft > 0 && rules.bounds.faults.includes('giveUp');
  return [
    { isOwnerAlive: true, cost: 0 },
    ...(isUp && !mayBeLate ? [] : [{ isOwnerAlive: false, cost: isUp ? 1 : 0 }]),
  ];
}

function executes(
  place: Place,
  ask: Ask,
  { at, gone, isOwnerAlive }: { at: number; gone: State; isOwnerAlive: boolean },
): Step<State>[] {
  const { state, number, rules } = place;
  const { held, lane, takes } = bridgeOf(place);
  const { key, before, failed } = ask;
  const slot = slotOfKey(state, key);
  const claim = knownClaim(state, number, slot);
  const known = bridgeOf(place).claims[slot] ?? 0;
  const isNew = before !== undefined && known > before;
  const hasLost = ask.hasLost || rules.protocol.hasLostSlot(claim, { self: letter(number), isNew });
  const decision = rules.protocol.decideKeyed({
    claim,
    self: letter(number),
    isHeld: held[slot] === true,
    sender: rules.bounds.gatewayCount > 0 ? { via: 'gateway', failedOwners: failed.map(letter) } : { via: 'client' },
    isOwnerAlive,
    hasLost,
  });
  switch (decision.kind) {
    case 'execute': {
      const queue = [...lane.queue, { ...ask, before: undefined, copy: 0 }];
      return [inside(place, `is to execute key ${key}`, withLane(gone, place, { ...lane, queue }))];
    }
    case 'misdirected': {
      const owner = decision.owner === undefined ? undefined : numberOf(decision.owner);
      const { next, violation } = respond(place, gone, ask, { kind: 'misdirected', owner });
      return [inside(place, `responds 421 with ${decision.owner ?? 'no owner'}`, next, violation)];
    }
    default: {
      const { guard } = decision;
      const isOwn = guard === lane.id;
      const isBusy = isOwn ? lane.step !== 'idle' && lane.step !== 'off' : takes[slot] !== undefined;
      const begun = isBusy ? undefined : isOwn ? regain(place, lane) : begin(place, slot, guard);
      if (begun === undefined) return [];
      const label = isOwn ? 'finds out what its lane holds' : `takes slot ${slot} over from ${guard}`;
      const asks = bridgeOf({ ...place, state: begun }).asks.with(at, { ...ask, before: known });
      return [inside(place, label, withBridge(begun, number, { asks }))];
    }
  }
}

/** A bridge follows the logs, at its own pace, and holds no slot that has another claim. */
function follows(place: Place): Step<State>[] {
  const { state, number, rules } = place;
  const bridge = bridgeOf(place);
  const ends = visibleEnds(state);
  const isNew = (reads: readonly number[], visible: readonly number[]): boolean =>
    visible.some((end, log) => end > (reads[log] ?? 0));
  if (!isNew(bridge.claims, ends.claims) && !isNew(bridge.read, ends.answers)) return [];
  const seen = withAnswersRead({ ...place, state: withClaimsRead(place, ends.claims) }, ends.answers);
  const known = { self: letter(number), laneId: bridge.lane.id };
  const held = bridge.held.map((isHeld, slot) => isHeld && rules.protocol.holds(knownClaim(seen, number, slot), known));
  return [inside(place, 'reads the logs', withBridge(seen, number, { held }))];
}

/** A request arrives. In the socket of a frozen bridge, it stands for those before it that were the same. */
export function received(state: State, number: BridgeNumber, ask: Ask): State {
  const bridge = state.bridges[number];
  const text = JSON.stringify({ ...ask, isHeard: false });
  const isOther = (one: Ask): boolean => bridge?.status !== 'frozen' || JSON.stringify(one) !== text;
  return withBridge(state, number, { asks: [...(bridge?.asks ?? []).filter(isOther), ask] });
}

/** The client, or its gateway, no longer waits for the bridge. */
export function abandoned(state: State, number: BridgeNumber): State {
  const bridge = state.bridges[number];
  if (bridge === undefined) return state;
  const unheard = <T extends { isHeard: boolean }>(one: T): T => (one.isHeard ? { ...one, isHeard: false } : one);
  const { asks, lane } = bridge;
  return withBridge(state, number, {
    asks: asks.map(unheard),
    lane: { ...lane, group: lane.group.map(unheard), queue: lane.queue.map(unheard) },
  });
}
