import { expect, test } from 'vitest';
import { formatHop, parseHops } from './routing.ts';

test('hops are read back as they were written', () => {
  const hops = [
    { region: undefined, name: 'tier1' },
    { region: 'east', name: 'gw/1' },
  ];
  expect(parseHops(hops.map(formatHop).join(', '))).toEqual(hops);
  expect(parseHops(undefined)).toEqual([]);
  expect(parseHops(' , ')).toEqual([]);
});
