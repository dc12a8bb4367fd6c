import { expect, test } from 'vitest';
import { type Answer, joinFamilies, joinHosts, normalAddress, type Records } from './answer.ts';

const found = (...values: string[]): Records<string> => ({ kind: 'found', values });
const empty = { kind: 'empty' } as const;
const unknown = { kind: 'unknown' } as const;
const failed = { kind: 'failed', reason: 'SERVFAIL' } as const;

test.each<[string, Records<string>, Records<string>, unknown]>([
  ['both families count together', found('10.0.0.1'), found('fd00::1'), ['10.0.0.1', 'fd00::1']],
  ['one family is enough', found('10.0.0.1'), empty, ['10.0.0.1']],
  ['a mapped address is the IPv4 that it is', found('10.0.0.1'), found('::ffff:10.0.0.1'), ['10.0.0.1']],
  ['duplicates count once', found('10.0.0.1', '10.0.0.1'), found('FD00:0::1', 'fd00::1'), ['10.0.0.1', 'fd00::1']],
  ['no host has the address 0', found('0.0.0.0'), found('::', '::ffff:0.0.0.0'), 'empty'],
  ['a family without an answer is missing', failed, found('fd00::1'), ['fd00::1', 'IPv4']],
  ['and so is the other one', found('10.0.0.1'), failed, ['10.0.0.1', 'IPv6']],
  ['neither has addresses', empty, empty, 'empty'],
  ['NXDOMAIN is about both', empty, unknown, 'unknown'],
  ['NXDOMAIN is about a family that failed, too', failed, unknown, 'unknown'],
  ['no addresses of one family say nothing of the other', empty, failed, 'failed'],
])('%s', (_, v4, v6, expected) => {
  const answer = joinFamilies(v4, v6);
  const shown =
    answer.kind === 'found'
      ? [...answer.endpoints.map(({ address }) => address), ...(answer.missing === undefined ? [] : [answer.missing])]
      : answer.kind;
  expect(shown).toEqual(expected);
});

const host = (address: string, port: number, missing?: 'IPv4' | 'IPv6'): Answer => ({
  kind: 'found',
  endpoints: [{ address, port }],
  missing,
});

test.each<[string, Answer[], unknown]>([
  ['hosts count together', [host('10.0.0.1', 1), host('10.0.0.2', 1)], ['10.0.0.1:1', '10.0.0.2:1']],
  ['an address may have two ports', [host('10.0.0.1', 1), host('10.0.0.1', 2)], ['10.0.0.1:1', '10.0.0.1:2']],
  ['two names of one host count once', [host('10.0.0.1', 1), host('10.0.0.1', 1)], ['10.0.0.1:1']],
  ['a host that is gone is left out', [host('10.0.0.1', 1), unknown, empty], ['10.0.0.1:1']],
  ['without any host there are no addresses', [unknown, empty], 'empty'],
  [
    'a family that one host lacks is missing',
    [host('10.0.0.1', 1, 'IPv6'), host('10.0.0.2', 1)],
    ['10.0.0.1:1', '10.0.0.2:1'],
  ],
  ['with both families missing nothing is known', [host('10.0.0.1', 1, 'IPv6'), host('fd00::1', 1, 'IPv4')], 'failed'],
  ['a host that cannot be asked for fails all', [host('10.0.0.1', 1), failed], 'failed'],
])('of SRV records: %s', (_, answers, expected) => {
  const answer = joinHosts(answers);
  const shown =
    answer.kind === 'found' ? answer.endpoints.map(({ address, port }) => `${address}:${port}`) : answer.kind;
  expect(shown).toEqual(expected);
});

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['FE80:0:0::1', 'fe80::1'],
  ['::ffff:a01:203', '10.1.2.3'],
  ['::1', '::1'],
  ['0.0.0.0', undefined],
])('the one text of %s', (text, expected) => {
  expect(normalAddress(text)).toBe(expected);
});
