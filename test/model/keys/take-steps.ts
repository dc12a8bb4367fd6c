/** How a bridge takes a slot over. */
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
import { askToCommit, holderOf, initProducer, isEnding, laneProducer, takeProducer } from './kafka.ts';
import { type LoggedClaim, letter, type State, type Take, withBridge } from './state.ts';

export function takeSteps(place: Place): Step<State>[] {
  return bridgeOf(place).takes.flatMap((take, slot) => (take === undefined ? [] : stepsOf(place, slot, take)));
}

function stepsOf(place: Place, slot: number, take: Take): Step<State>[] {
  const { state } = place;
  switch (take.step) {
    case 'asked': {
      const next = inited(place, slot, take.guard);
      if (next === undefined) return [];
      const kept = next.bridges[place.number]?.takes[slot] ?? take;
      return [
        inside(place, `takes ${take.guard} over`, withTake(next, place, slot, { ...kept, step: 'readingClaims' })),
      ];
    }
    case 'readingClaims':
      return readsClaims(place, slot, take);
    case 'readingAnswers':
      return readsAnswers(place, slot, take);
    case 'read':
      return claims(place, slot, take);
    case 'ending': {
      const { id, producer } = writerOf(place, take, slot);
      return holderOf(state, id) === producer ? hearsNothing(place, slot) : [fenced(place, slot)];
    }
    default:
      return [inside(place, `holds slot ${slot}`, owned(place, slot, take)), ...hearsNothing(place, slot)];
  }
}

/** The transactional id by which the claim is written, and its producer. */
function writerOf(place: Place, { guard }: Take, slot: number): { id: string; producer: string } {
  if (place.rules.protocol.isClaimGuarded) return { id: guard, producer: takeProducer(place.number, slot) };
  return { id: bridgeOf(place).lane.id, producer: laneProducer(place.number) };
}

/**
 * Takes the guard over, and asks for the end of the slot: later, it could only be further. `undefined`: Kafka lets no bridge take the guard over
 * now.
 */
export function begin(place: Place, slot: number, guard: string): State | undefined {
  const { state, rules } = place;
  const { isReadAfterInit } = rules.protocol;
  const next = isReadAfterInit ? inited(place, slot, guard) : state;
  if (next === undefined) return undefined;
  const claims = next.claims.map((log, other) => (other === slot ? log.length : 0));
  const answers = isReadAfterInit ? [] : answerEnds(place, guard);
  const step = isReadAfterInit ? 'readingClaims' : 'asked';
  return withTake(next, place, slot, { guard, isFreed: false, step, ends: { claims, answers } });
}

function inited(place: Place, slot: number, guard: string): State | undefined {
  const { state, number, rules } = place;
  const { isFencing, isClaimGuarded } = rules.protocol;
  const fencing = isFencing ? initProducer(state, guard, takeProducer(number, slot)) : state;
  // A claim under the bridge's own id needs that.
  const { id } = bridgeOf(place).lane;
  return isClaimGuarded ? fencing : fencing && initProducer(fencing, id, laneProducer(number));
}

function readsClaims(place: Place, slot: number, take: Take): Step<State>[] {
  const { state, number, rules } = place;
  const { mayClaim, isReadToEnd, isReadAfterInit } = rules.protocol;
  const ends = take.ends?.claims ?? [];
  if (isReadToEnd && !areStable(state.claims, ends)) return [];
  const seen = isReadToEnd ? withClaimsRead(place, ends) : state;
  if (!mayClaim(knownClaim(seen, number, slot), take.guard)) {
    return [inside(place, `reads that slot ${slot} has another guard`, withTake(seen, place, slot, undefined))];
  }
  // Only now: the answers of all owners until now lie before these ends.
  const answers = isReadAfterInit ? answerEnds(place, take.guard) : (take.ends?.answers ?? []);
  const next = withTake(seen, place, slot, { ...take, step: 'readingAnswers', ends: { claims: [], answers } });
  return [inside(place, `has read slot ${slot}, and asks for the ends of the answers`, next)];
}

function readsAnswers(place: Place, slot: number, take: Take): Step<State>[] {
  const { state, rules } = place;
  const { isReadToEnd } = rules.protocol;
  const ends = take.ends?.answers ?? [];
  if (isReadToEnd && !areStable(state.answers, ends)) return [];
  const seen = isReadToEnd ? withAnswersRead(place, ends) : state;
  const next = withTake(seen, place, slot, { ...take, step: 'read', ends: undefined });
  return [inside(place, 'has read the answers', next)];
}

function claims(place: Place, slot: number, take: Take): Step<State>[] {
  const { state, number } = place;
  const { id, producer } = writerOf(place, take, slot);
  if (holderOf(state, id) !== producer) return [fenced(place, slot)];
  if (isEnding(state, id)) return [];
  const { lane } = bridgeOf(place);
  const claim = { owner: letter(number), transactionalId: lane.id };
  const logged: LoggedClaim = { by: id, status: 'open', claim };
  const written = { ...state, claims: state.claims.with(slot, [...(state.claims[slot] ?? []), logged]) };
  const claimed = withTake(askToCommit(written, id), place, slot, { ...take, step: 'ending' });
  const label = `writes its claim of slot ${slot}, and asks to commit it`;
  return [inside(place, label, claimed)];
}

/** The bridge owns the slot, as far as it knows: it may have slept since its claim was committed. */
function owned(place: Place, slot: number, { isFreed }: Take): State {
  const { state, number, rules } = place;
  const { held, lane } = bridgeOf(place);
  const own = (state.claims[slot] ?? []).findLastIndex(({ claim }) => claim.owner === letter(number));
  const known = withClaimsRead(
    place,
    state.claims.map((_, other) => (other === slot ? own + 1 : 0)),
  );
  const claim = knownClaim(known, number, slot);
  const { holds, isFreedNoticed } = rules.protocol;
  const isHeld = holds(claim, { self: letter(number), laneId: lane.id }) && !(isFreed && isFreedNoticed);
  return withTake(withBridge(known, number, { held: held.with(slot, isHeld) }), place, slot, undefined);
}

function fenced(place: Place, slot: number): Step<State> {
  const next = withTake(place.state, place, slot, undefined);
  return inside(place, `learns that it is fenced, and has not got slot ${slot}`, next);
}

/** The response to `EndTxn` does not arrive: the bridge begins again. */
function hearsNothing(place: Place, slot: number): Step<State>[] {
  const { state, rules } = place;
  if (state.faultsLeft === 0 || !rules.bounds.faults.includes('lose')) return [];
  const next = { ...withTake(state, place, slot, undefined), faultsLeft: state.faultsLeft - 1 };
  return [{ ...inside(place, `gets no response about its claim of slot ${slot}`, next), isOutside: true }];
}

export function withTake(state: State, { number }: Place, slot: number, take: Take | undefined): State {
  const takes = state.bridges[number]?.takes ?? [];
  return withBridge(state, number, { takes: takes.with(slot, take) });
}
