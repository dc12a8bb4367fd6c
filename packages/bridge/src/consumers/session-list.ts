/** The list of consumers for operators: describes only the entries of the page. */
import {
  compareSessions,
  matchesFilter,
  type SessionPage,
  type SessionQuery,
  type SessionRow,
} from '@causeway/protocol/sessions.ts';
import type { Session } from './session.ts';

/** The parts of a held session that the list shows. */
export interface ListedSession {
  readonly session: Pick<Session, 'identity' | 'stateKind' | 'lastPollAtMs' | 'knownLagRecords'>;
  readonly claim: {
    readonly entry: { readonly value: { adoptionCount?: number | undefined; principal?: string | undefined } };
  };
  readonly heldSinceMs: number;
}

/** `home`: this bridge, as `region/bridge`. */
export function listSessions(
  held: Iterable<ListedSession>,
  home: string,
  { filter, limit }: SessionQuery,
): SessionPage {
  const wanted = filter.toLowerCase();
  const matching: { group: string; instance: string; held: ListedSession }[] = [];
  let total = 0;
  for (const one of held) {
    const { identity, stateKind: state } = one.session;
    const { group, name: instance } = identity;
    const principal = principalOf(one);
    total += 1;
    if (matchesFilter({ group, instance, principal, home, state }, wanted))
      matching.push({ group, instance, held: one });
  }
  matching.sort(compareSessions);
  const shown = matching.slice(0, limit);
  return { total, matching: matching.length, consumers: shown.map((one) => describe(one.held, home)) };
}

function principalOf({ claim }: ListedSession): string | null {
  return claim.entry.value.principal ?? null;
}

function describe(one: ListedSession, home: string): SessionRow {
  const { session, claim, heldSinceMs } = one;
  const { identity, stateKind, lastPollAtMs, knownLagRecords } = session;
  return {
    group: identity.group,
    instance: identity.name,
    principal: principalOf(one),
    home,
    state: stateKind,
    since: new Date(heldSinceMs).toISOString(),
    adoptions: claim.entry.value.adoptionCount ?? 0,
    lastPollAt: lastPollAtMs === undefined ? null : new Date(lastPollAtMs).toISOString(),
    lag: knownLagRecords ?? null,
  };
}
