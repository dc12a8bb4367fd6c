/** The consumers as text for a terminal. Pure. */
import type { ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { age } from './age.ts';
import type { Paint } from './paint.ts';
import { alignedRows } from './picture.ts';

const HEADINGS = ['GROUP', 'INSTANCE', 'PRINCIPAL', 'HOME', 'FOR', 'LAST POLL', 'LAG', 'MOVES', 'STATE'];

/** `at`: the time of the gateway. */
export function consumerList(
  { consumers, matching, total, incomplete }: ConsumerPage,
  { at, paint }: { at: string; paint: Paint },
): string {
  const rows = consumers.map(({ group, instance, principal, home, since, lastPollAt, lag, adoptions, state }) => [
    group,
    instance,
    principal ?? '–',
    home,
    age(since, at),
    lastPollAt === null ? '–' : `${age(lastPollAt, at)} ago`,
    lag === null ? '–' : `${lag}`,
    `${adoptions}`,
    state,
  ]);
  const [heading = '', ...lines] = alignedRows([HEADINGS, ...rows]);
  return [
    ...(rows.length === 0 ? [] : [paint('dim', heading), ...lines, '']),
    `${consumers.length} shown of ${matching} that match, of ${total} consumers`,
    ...incomplete.map(({ region, reason }) => paint('yellow', `consumers in ${region} may be missing: ${reason}`)),
  ].join('\n');
}
