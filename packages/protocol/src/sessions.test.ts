import { describe, expect, test } from 'vitest';
import { compareSessions, joinPages, matchesFilter, type SessionPage, type SessionRow } from './sessions.ts';

function row(group: string, instance: string): SessionRow {
  return {
    group,
    instance,
    principal: 'Team-A/worker',
    home: 'East/B-1',
    state: 'held',
    since: '2026-01-01T00:00:00.000Z',
    adoptions: 0,
    lastPollAt: null,
    lag: null,
  };
}

const names = ({ consumers }: SessionPage): string[] => consumers.map(({ group, instance }) => `${group}/${instance}`);

test('consumers are listed by group, and by instance within a group', () => {
  const rows = [row('b', '1'), row('a', '2'), row('a', '1'), row('a', '10'), row('B', '1')];
  expect(rows.sort(compareSessions).map(({ group, instance }) => group + instance)).toEqual([
    ...['B1', 'a1', 'a10', 'a2', 'b1'],
  ]);
  expect(compareSessions(row('a', '1'), row('a', '1'))).toBe(0);
  expect(compareSessions(row('a', '1'), row('a', '2'))).toBeLessThan(0);
  expect(compareSessions(row('b', '1'), row('a', '2'))).toBeGreaterThan(0);
});

describe('a filter', () => {
  test.each(['', 'my-g', 'group/in', 'stance', 'team-a/w', 'east', 'b-1', 'hel'])('%j matches', (filter) => {
    expect(matchesFilter(row('My-Group', 'Instance'), filter)).toBe(true);
  });

  test('matches a consumer without a principal by its other parts only', () => {
    const anonymous = row('group', 'instance');
    anonymous.principal = null;
    expect(matchesFilter(anonymous, 'null')).toBe(false);
    expect(matchesFilter(anonymous, 'stance')).toBe(true);
  });

  test.each(['group instance', 'west', 'fenced', 'group//', 'b-1/'])('%j does not match', (filter) => {
    expect(matchesFilter(row('My-Group', 'Instance'), filter)).toBe(false);
  });
});

describe('pages of several bridges', () => {
  const pages: SessionPage[] = [
    { total: 10, matching: 5, consumers: [row('a', '2'), row('c', '1')] },
    { total: 3, matching: 2, consumers: [row('a', '1'), row('b', '1')] },
  ];

  test('become one with the first of all', () => {
    expect(joinPages(pages, 3)).toMatchObject({ total: 13, matching: 7 });
    expect(names(joinPages(pages, 3))).toEqual(['a/1', 'a/2', 'b/1']);
    expect(names(joinPages(pages, 100))).toEqual(['a/1', 'a/2', 'b/1', 'c/1']);
    expect(names(joinPages(pages, 0))).toEqual([]);
  });

  test('are an empty one without any', () => {
    expect(joinPages([], 5)).toEqual({ total: 0, matching: 0, consumers: [] });
  });
});
