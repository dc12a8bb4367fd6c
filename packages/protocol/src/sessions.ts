/** The list of consumers that bridges send to gateways in pages, and how the pages of several bridges are merged. Pure. */

/** One consumer, as its owner lists it. */
export interface SessionRow {
  group: string;
  instance: string;
  /** Who created it; `null`: no one whom a gateway authenticated. */
  principal: string | null;
  /** The bridge that owns it, as `region/bridge`. */
  home: string;
  state: string;
  /** When that bridge became its owner; ISO 8601, like `lastPollAt`. */
  since: string;
  /** How many times another bridge adopted it. */
  adoptions: number;
  lastPollAt: string | null;
  /** Records behind the ends of its partitions; `null` while unknown. */
  lag: number | null;
}

export interface SessionQuery {
  /** Part of the group, instance, principal, home or state, case-insensitive; empty: all consumers. */
  filter: string;
  limit: number;
}

export interface SessionPage {
  total: number;
  matching: number;
  /** The first ones that match, ordered by group and instance. */
  consumers: SessionRow[];
}

type Identified = Pick<SessionRow, 'group' | 'instance'>;

/** The order in which consumers are listed. */
export function compareSessions(a: Identified, b: Identified): number {
  return compare(a.group, b.group) || compare(a.instance, b.instance);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a consumer matches `filter`, which is in lower case. */
export function matchesFilter(
  { group, instance, principal, home, state }: Pick<SessionRow, 'group' | 'instance' | 'principal' | 'home' | 'state'>,
  filter: string,
): boolean {
  return (
    filter === '' ||
    `${group}/${instance}`.toLowerCase().includes(filter) ||
    principal?.toLowerCase().includes(filter) === true ||
    home.toLowerCase().includes(filter) ||
    state.includes(filter)
  );
}

/** Merges pages. Each holds the first consumers of its bridge, so the first of all bridges are among them. */
export function joinPages(pages: readonly SessionPage[], limit: number): SessionPage {
  return {
    total: pages.reduce((sum, { total }) => sum + total, 0),
    matching: pages.reduce((sum, { matching }) => sum + matching, 0),
    consumers: pages
      .flatMap(({ consumers }) => consumers)
      .sort(compareSessions)
      .slice(0, limit),
  };
}
