/** What all steps of a bridge have in common: what it knows, what it answers, and how its state changes. */
import type { Claim } from '@causeway/bridge/idempotency/claims.ts';
import type { Step } from '../explorer.ts';
import { isStable, stableEnd } from './kafka.ts';
import type { KeyProtocol } from './key-protocol.ts';
import {
  type Answer,
  type Bounds,
  type BridgeNumber,
  type BridgeState,
  type Entry,
  freeGuard,
  letter,
  type Offsets,
  partitionOf,
  type State,
  withBridge,
} from './state.ts';

export interface Rules {
  protocol: KeyProtocol;
  bounds: Bounds;
  /** Passes the response to the request that waits. */
  responded: (state: State, bridge: BridgeNumber, response: Response) => State;
}

export type Response =
  | { kind: 'answer'; answer: Answer }
  | { kind: 'mismatch' }
  | { kind: 'misdirected'; owner: BridgeNumber | undefined };

/** A bridge, in a state, and the rules. */
export interface Place {
  state: State;
  number: BridgeNumber;
  rules: Rules;
}

export function bridgeOf({ state, number }: Place): BridgeState {
  const bridge = state.bridges[number];
  if (bridge === undefined) throw new TypeError('no such bridge');
  return bridge;
}

/** The claim of a slot, for a bridge that has read so many. */
export function claimAt({ claims }: State, slot: number, end: number): Claim {
  return claims[slot]?.[end - 1]?.claim ?? { owner: undefined, transactionalId: freeGuard(slot) };
}

/** The claim of a slot, as far as the bridge has read. */
export function knownClaim(state: State, number: BridgeNumber, slot: number): Claim {
  return claimAt(state, slot, state.bridges[number]?.claims[slot] ?? 0);
}

/** The ends of all partitions of answers, or of the one into which `guard` writes. */
export function answerEnds({ state, rules }: Place, guard: string): Offsets {
  const own = partitionOf(guard, rules.bounds);
  const { isReadingAllAnswers } = rules.protocol;
  return state.answers.map((log, partition) => (isReadingAllAnswers || partition === own ? log.length : 0));
}

/** Whether readers of committed records get as far as these ends. */
export function areStable(logs: readonly (readonly Entry[])[], ends: readonly number[]): boolean {
  return logs.every((log, place) => isStable(log, ends[place] ?? 0));
}

/** The state after the bridge has read answers up to these ends, and no further. */
export function withAnswersRead(place: Place, ends: Offsets): State {
  const { state, number } = place;
  const { read, index } = bridgeOf(place);
  const known = [...index];
  for (const [partition, end] of ends.entries()) {
    for (const { key, copy, fingerprint } of (state.answers[partition] ?? []).slice(read[partition], end)) {
      known[key] = { copy, fingerprint };
    }
  }
  const furthest = read.map((offset, partition) => Math.max(offset, ends[partition] ?? 0));
  return withBridge(state, number, { read: furthest, index: known });
}

/** The state after the bridge has read claims up to these ends. */
export function withClaimsRead(place: Place, ends: readonly number[]): State {
  const { claims } = bridgeOf(place);
  const furthest = claims.map((end, slot) => Math.max(end, ends[slot] ?? 0));
  return withBridge(place.state, place.number, { claims: furthest });
}

/** The ends of everything that is committed and visible. */
export function visibleEnds({ claims, answers }: State): { claims: number[]; answers: number[] } {
  return { claims: claims.map(stableEnd), answers: answers.map(stableEnd) };
}

/** The bridge answers, whether a client waits or not: it would have got the answer. */
export function respond(
  { number, rules }: Place,
  state: State,
  to: { key: number; fingerprint: string; isHeard: boolean },
  response: Response,
): { next: State; violation: string | undefined } {
  const { key, fingerprint, isHeard } = to;
  let next = state;
  let violation: string | undefined;
  if (response.kind === 'answer') {
    const before = state.given[key];
    const { answer } = response;
    if (answer.fingerprint !== fingerprint) violation = `key ${key} gets the answer to another request`;
    if (before !== undefined && before.copy !== answer.copy) violation = `key ${key} gets two answers`;
    next = { ...state, given: state.given.with(key, answer) };
  }
  return { next: isHeard ? rules.responded(next, number, response) : next, violation };
}

export function inside({ number }: Place, label: string, next: State, violation?: string): Step<State> {
  return { label: `${letter(number)} ${label}`, next, isOutside: false, violation };
}
