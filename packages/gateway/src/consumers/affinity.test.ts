import { expect, test } from 'vitest';
import type { Home } from '../ownership/home.ts';
import type { Target } from '../regions/target.ts';
import { Affinity, consumerKey } from './affinity.ts';

// Affinity looks at nothing of a target but its identity and its region.
const east: Home = { target: { region: 'east' } as Target, owner: 'east/bridge' };
const west: Home = { target: { region: 'west' } as Target, owner: undefined };

test('names with slashes are distinguished', () => {
  expect(consumerKey('a/b', 'c')).not.toBe(consumerKey('a', 'b/c'));
});

test('the consumers that were silent longest are forgotten first', () => {
  const affinity = new Affinity(2);
  affinity.remember('a', east);
  affinity.remember('b', west);
  expect(affinity.homeOf('a')).toBe(east);
  affinity.remember('c', west);
  expect(affinity.homeOf('b')).toBeUndefined();
  expect(affinity.homeOf('a')).toBe(east);
  expect(affinity.size).toBe(2);
  affinity.maxConsumers = 1;
  expect([...affinity.countByRegion()]).toEqual([['east', 1]]);
});

test('a consumer that moved is counted where it is', () => {
  const affinity = new Affinity(10);
  affinity.remember('a', east);
  affinity.remember('a', west);
  expect([...affinity.countByRegion()]).toEqual([['west', 1]]);
  affinity.forget('a');
  expect(affinity.size).toBe(0);
});

test('a move from one owner to another is reported, and nothing else is', () => {
  const moves: string[][] = [];
  const affinity = new Affinity(10, (...move) => moves.push(move));
  const behindAnother: Home = { target: { region: 'west' } as Target, owner: 'west/bridge' };
  affinity.remember('a', east);
  affinity.remember('a', { target: west.target, owner: 'east/bridge' });
  affinity.remember('a', west);
  affinity.remember('a', behindAnother);
  expect(moves).toEqual([]);
  affinity.remember('a', east);
  expect(moves).toEqual([['a', 'west/bridge', 'east/bridge']]);
});
