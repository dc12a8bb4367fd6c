import type { ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { consumerList } from './consumer-list.ts';

const AT = '2026-01-01T12:00:00.000Z';

test('consumers are shown with their principals and owners', () => {
  const one = {
    group: 'readers',
    instance: 'a',
    principal: 'team-a/worker',
    home: 'east/bridge',
    state: 'subscribed',
    since: '2026-01-01T11:00:00.000Z',
    adoptions: 1,
    lastPollAt: '2026-01-01T11:59:57.000Z',
    lag: 12,
  };
  const other = { ...one, group: 'g', principal: null, lastPollAt: null, lag: null };
  const page: ConsumerPage = {
    total: 9,
    matching: 3,
    consumers: [one, other],
    incomplete: [{ region: 'west', reason: 'no response in time' }],
  };
  expect(consumerList(page, { at: AT, paint: (_, text) => text }).split('\n')).toEqual([
    'GROUP    INSTANCE  PRINCIPAL      HOME         FOR        LAST POLL  LAG  MOVES  STATE',
    'readers  a         team-a/worker  east/bridge  1 h 0 min  3 s ago    12   1      subscribed',
    'g        a         –              east/bridge  1 h 0 min  –          –    1      subscribed',
    '',
    '2 shown of 3 that match, of 9 consumers',
    'consumers in west may be missing: no response in time',
  ]);
});

test('without consumers there is no table', () => {
  const page: ConsumerPage = { total: 9, matching: 0, consumers: [], incomplete: [] };
  expect(consumerList(page, { at: AT, paint: (_, text) => text })).toBe('0 shown of 0 that match, of 9 consumers');
});
