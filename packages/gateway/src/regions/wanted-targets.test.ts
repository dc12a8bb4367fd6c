import { expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import type { Endpoint } from '../discovery/answer.ts';
import { describeDiscoveries } from './discoveries.ts';
import { type WantedTarget, wantedTargets } from './wanted-targets.ts';

const at = (address: string, port?: number): Endpoint => ({ address, port });
const KNOWN: Record<string, Endpoint[]> = {
  'one.test': [at('10.0.0.1'), at('fd00::1')],
  'two.test': [at('10.0.0.1'), at('10.0.0.2')],
  '_http._tcp.srv.test.': [at('10.0.0.3', 8080), at('10.0.0.3', 8081)],
};

function wanted(regions: Record<string, object[]>, upstream: object = {}): WantedTarget[] {
  const list = Object.entries(regions).map(([name, targets]) => ({ name, targets }));
  return wantedTargets(testConfig({ regions: list, upstream }), ({ dns = '' }) => KNOWN[dns] ?? []);
}

const shown = (targets: readonly WantedTarget[]): string[] =>
  targets.map(({ region, url, discoveredBy = 'url' }) => `${region} ${url} ${discoveredBy}`);

const one = { dns: 'one.test', port: 80 };
const two = { dns: 'two.test', port: 80 };

test.each<[string, Record<string, object[]>, string[]]>([
  ['a URL', { east: [{ url: 'http://10.0.0.1:80/' }] }, ['east http://10.0.0.1 url']],
  ['each address of a name', { east: [one] }, ['east http://10.0.0.1 one.test', 'east http://[fd00::1] one.test']],
  [
    'ports of SRV records',
    { east: [{ dns: '_http._tcp.srv.test.' }] },
    ['east http://10.0.0.3:8080 _http._tcp.srv.test.', 'east http://10.0.0.3:8081 _http._tcp.srv.test.'],
  ],
  ['a name without addresses', { east: [{ dns: 'none.test', port: 80 }] }, []],
  [
    'two names with one address: the first',
    { east: [two, one] },
    ['east http://10.0.0.1 two.test', 'east http://10.0.0.2 two.test', 'east http://[fd00::1] one.test'],
  ],
  [
    'a name and a URL with one address: the URL',
    { east: [two, { url: 'http://10.0.0.1:80' }] },
    ['east http://10.0.0.1 url', 'east http://10.0.0.2 two.test'],
  ],
  [
    'a URL and a name: the URL',
    { east: [{ url: 'http://10.0.0.1:80' }, two] },
    ['east http://10.0.0.1 url', 'east http://10.0.0.2 two.test'],
  ],
  [
    'one address in two regions: both',
    { east: [one], west: [two] },
    [
      'east http://10.0.0.1 one.test',
      'east http://[fd00::1] one.test',
      'west http://10.0.0.1 two.test',
      'west http://10.0.0.2 two.test',
    ],
  ],
  [
    'one address by two schemes: both',
    { east: [two, { ...two, scheme: 'https', port: 443 }] },
    [
      'east http://10.0.0.1 two.test',
      'east http://10.0.0.2 two.test',
      'east https://10.0.0.1 two.test',
      'east https://10.0.0.2 two.test',
    ],
  ],
])('the targets of %s', (_, regions, expected) => {
  expect(shown(wanted(regions))).toEqual(expected);
});

test.each<[object, Partial<WantedTarget>]>([
  [{}, { healthUrl: 'http://10.0.0.1', adminUrl: undefined, serverName: 'two.test' }],
  [
    { healthPort: 81, adminPort: 82 },
    { healthUrl: 'http://10.0.0.1:81', adminUrl: 'http://10.0.0.1:82' },
  ],
  [
    { scheme: 'https', healthPort: 81, healthScheme: 'http', adminPort: 82 },
    { url: 'https://10.0.0.1:80', healthUrl: 'http://10.0.0.1:81', adminUrl: 'https://10.0.0.1:82' },
  ],
  [{ scheme: 'https', serverName: 'a.example' }, { serverName: 'a.example' }],
])('what a name with %j says of each address', (keys, expected) => {
  expect(wanted({ east: [{ ...two, ...keys }] })[0]).toMatchObject(expected);
});

test('the name in the certificate is that of the section before the name in DNS, without labels of services', () => {
  const srv = { east: [{ dns: '_http._tcp.srv.test.', scheme: 'https' }] };
  expect(wanted(srv)[0]?.serverName).toBe('srv.test');
  expect(wanted(srv, { tls: { serverName: 'all.example' } })[0]?.serverName).toBe('all.example');
});

test('one event for each region and name reports what came and went', () => {
  const before = wanted({ east: [one], west: [{ url: 'http://10.0.0.9' }] });
  const after = wanted({ east: [two], west: [one] });
  expect(describeDiscoveries(before, after)).toEqual([
    { type: 'discovery', region: 'east', name: 'two.test', added: ['http://10.0.0.2'], removed: [], targetCount: 2 },
    {
      type: 'discovery',
      region: 'west',
      name: 'one.test',
      added: ['http://10.0.0.1', 'http://[fd00::1]'],
      removed: [],
      targetCount: 2,
    },
    { type: 'discovery', region: 'east', name: 'one.test', added: [], removed: ['http://[fd00::1]'], targetCount: 0 },
  ]);
  expect(describeDiscoveries(after, after)).toEqual([]);
});

test('thousands of addresses are read a few times each', () => {
  let readCount = 0;
  const [target] = wanted({ east: [one] }) as [WantedTarget];
  const many = Array.from({ length: 1_000 }, (_, index) => ({
    ...target,
    url: `http://10.0.${index >> 8}.${index & 255}`,
    get region() {
      readCount += 1;
      return 'east';
    },
  }));
  expect(describeDiscoveries([], many)[0]?.added).toHaveLength(1_000);
  expect(readCount).toBeLessThan(10_000);
});
