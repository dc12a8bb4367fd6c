/** The cells of the matrix: each operation crossed with whose topics, groups and consumers its request names, and the one rule for its status. */
import { entryOf, type NamedOperation } from '@causeway/protocol/operations/table.ts';
import { OPERATION_NAMES, ROWS } from './operations.ts';

/**
 * - `own`: the rules permit it.
 * - `foreign`: it exists, and the rules permit it another tenant only.
 * - `unknown`: it does not exist, and no rule permits it.
 */
export type Kind = 'own' | 'foreign' | 'unknown';

/** A consumer of one's own, or of another tenant in a group that both may use. */
export type ConsumerKind = 'own' | 'strangers';

export interface Cell {
  operation: NamedOperation;
  topics: readonly Kind[];
  group: Kind | undefined;
  consumer: ConsumerKind | undefined;
  /** Of the response. */
  status: number;
}

const KINDS: readonly Kind[] = ['own', 'foreign', 'unknown'];

/** Every cell, those that are refused before those that have an effect. */
export function cells(): Cell[] {
  return OPERATION_NAMES.flatMap(cellsOf).toSorted((a, b) => Number(b.status === 403) - Number(a.status === 403));
}

function cellsOf(operation: NamedOperation): Cell[] {
  const { path } = entryOf(operation);
  const groups: readonly (Kind | undefined)[] = path.includes('{group}') ? KINDS : [undefined];
  return groups.flatMap((group) =>
    topicsOf(operation).flatMap((topics) =>
      consumersOf(operation, group).map((consumer) => {
        const given = { operation, topics, group, consumer };
        return { ...given, status: statusOf(given) };
      }),
    ),
  );
}

function topicsOf(operation: NamedOperation): readonly (readonly Kind[])[] {
  const { bodyTopics } = ROWS[operation];
  const one = KINDS.map((kind) => [kind]);
  if (bodyTopics === 'several') return [...one, ['own', 'foreign'], ['unknown', 'own']];
  return bodyTopics === 'one' || entryOf(operation).path.includes('{topic}') ? one : [[]];
}

function consumersOf(operation: NamedOperation, group: Kind | undefined): readonly (ConsumerKind | undefined)[] {
  if (!entryOf(operation).path.includes('{instance}')) return [undefined];
  return group === 'own' ? ['own', 'strangers'] : ['strangers'];
}

/** The one rule: a request succeeds if everything that it names is the tenant's own, and is forbidden otherwise. */
function statusOf({ operation, topics, group, consumer }: Omit<Cell, 'status'>): number {
  const names = [...topics, ...(group === undefined ? [] : [group])];
  const isOwn = names.every((kind) => kind === 'own') && consumer !== 'strangers';
  if (!isOwn) return 403;
  return ROWS[operation].status ?? entryOf(operation).status;
}
