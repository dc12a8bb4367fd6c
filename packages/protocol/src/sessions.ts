/** The list of consumers that bridges give to gateways, page by page, and how pages of several become one. Pure. */

/** One consumer, where it lives. */
export interface SessionRow {
  group: string;
  instance: string;
  /** The bridge that holds it, as `region/bridge`. */
  home: string;
  state: string;
  /** Since when that bridge holds it; ISO 8601, as the next. */
  since: string;
  /** How often another bridge took it over. */
  adoptions: number;
  lastPollAt: string | null;
  /** Records behind the ends of its partitions; `null` while they are not known. */
  lag: number | null;
}

export interface SessionQuery {
  /** A part of group, instance, home or state, in any case; empty: all. */
  filter: string;
  limit: number;
}

export interface SessionPage {
  total: number;
  matching: number;
  /** The first of them that match, by group and instance. */
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

/** Whether a consumer is one of those that `filter`, in lower case, asks for. */
export function matchesFilter(
  { group, instance, home, state }: Pick<SessionRow, 'group' | 'instance' | 'home' | 'state'>,
  filter: string,
): boolean {
  return (
    filter === '' ||
    `${group}/${instance}`.toLowerCase().includes(filter) ||
    home.toLowerCase().includes(filter) ||
    state.includes(filter)
  );
}

/** One page of several: each has its first ones, so the first of all are among them. */
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
