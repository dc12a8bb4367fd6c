/** Decides what an answer changes: which endpoints of a name are in use, and what operators should know of it. Pure. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { type Answer, type Endpoint, familyOf, keyOf } from './answer.ts';

export interface NameState {
  /** In a fixed order, whatever that of the answers. */
  readonly endpoints: readonly Endpoint[];
  /** Whether any answer had addresses. */
  readonly isKnown: boolean;
  readonly problem: NameProblem | undefined;
}

export interface NameProblem {
  /** `noAddresses`: the endpoints are those of the last good answer. `tooMany`: some of them are not used. */
  readonly kind: 'noAddresses' | 'tooMany';
  /** About the name: `does not exist (NXDOMAIN)`. */
  readonly reason: string;
}

export const NOT_ASKED: NameState = { endpoints: [], isKnown: false, problem: undefined };

/** For metrics. `partial`: one of IPv4 and IPv6 got no answer. */
export const LOOKUP_RESULTS = ['found', 'partial', 'empty', 'unknown', 'failed'] as const;
export type LookupResult = (typeof LOOKUP_RESULTS)[number];

export function resultOf(answer: Answer): LookupResult {
  return answer.kind === 'found' && answer.missing !== undefined ? 'partial' : answer.kind;
}

/**
 * Returns the state after one more answer. Only an answer with addresses takes addresses away: without one, DNS is as likely to be at
 * fault as the targets are to be gone, and probes find out about targets.
 */
export function afterAnswer(before: NameState, answer: Answer, maxTargets: number): NameState {
  switch (answer.kind) {
    case 'found':
      return withEndpoints(before, answer, maxTargets);
    case 'empty':
      return withoutAddresses(before, 'has no addresses');
    case 'unknown':
      return withoutAddresses(before, 'does not exist (NXDOMAIN)');
    case 'failed':
      return withoutAddresses(before, answer.reason);
    default:
      return assertNever(answer);
  }
}

function withoutAddresses({ endpoints, isKnown }: NameState, reason: string): NameState {
  return { endpoints, isKnown, problem: { kind: 'noAddresses', reason } };
}

function withEndpoints(
  before: NameState,
  { endpoints, missing }: Extract<Answer, { kind: 'found' }>,
  maxTargets: number,
): NameState {
  const kept = before.endpoints.filter((endpoint) => familyOf(endpoint) === missing);
  const all = [...new Map([...endpoints, ...kept].map((endpoint) => [keyOf(endpoint), endpoint])).entries()].sort(
    ([a], [b]) => (a < b ? -1 : 1),
  );
  if (all.length <= maxTargets) {
    return { endpoints: all.map(([, endpoint]) => endpoint), isKnown: true, problem: undefined };
  }
  // Those that are targets already stay.
  const used = new Set(before.endpoints.map(keyOf));
  const known = all.filter(([key]) => used.has(key));
  const others = all.filter(([key]) => !used.has(key));
  const chosen = [...known, ...others].slice(0, maxTargets);
  const reason = `has more than ${maxTargets} addresses (discovery.maxTargets): the others are not used`;
  return {
    endpoints: chosen.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint),
    isKnown: true,
    problem: { kind: 'tooMany', reason },
  };
}
