import type { Listener } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { fixtureState } from '../../../test/harness/admin-fixture.ts';
import { age } from './age.ts';
import { picture } from './picture.ts';

test.each([
  ['2026-01-01T00:00:00.000Z', '0 s'],
  ['2025-12-31T23:59:18.000Z', '42 s'],
  ['2025-12-31T23:56:55.000Z', '3 min 5 s'],
  ['2025-12-31T21:50:00.000Z', '2 h 10 min'],
  ['2025-12-26T21:00:00.000Z', '5 d 3 h'],
  // Clocks of two machines.
  ['2026-01-01T00:00:05.000Z', '0 s'],
])('since %s it is %s', (since, expected) => {
  expect(age(since, '2026-01-01T00:00:00.000Z')).toBe(expected);
});

test('bridges that a silent gateway reported before are shown with the age of the report', () => {
  const { system } = fixtureState(['east']);
  const [target] = system.regions[0]?.targets ?? [];
  const behindAt = new Date(Date.parse(system.at) - 42_000).toISOString();
  const lineOf = (change: object): string => {
    Object.assign(target ?? {}, change);
    const text = picture({ system, access: null, events: [] }, { url: 'http://x', paint: (_, plain) => plain });
    return text.split('\n').find((line) => line.startsWith('    └')) ?? '';
  };
  expect(lineOf({})).toMatch(/└ bridge east\/bridge \S+ {3}healthy/);
  const silent = '    └ targets behind it unknown: connection refused';
  expect(lineOf({ behindError: 'connection refused', behindAt })).toBe(`${silent}; 42 s ago: east/bridge`);
  expect(lineOf({ behind: null, behindAt: null })).toBe(silent);
});

test.each([
  ['open', 'healthy (answered 200) for 6 min 0 s, breaker open for 1 s'],
  ['halfOpen', 'healthy (answered 200) for 6 min 0 s, breaker half open for 1 s'],
  ['closed', 'healthy for 6 min 0 s'],
] as const)(
  'a target whose breaker is %s shows the time since the breaker changed, not since its health changed',
  (state, expected) => {
    const { system } = fixtureState(['east']);
    const [target] = system.regions[0]?.targets ?? [];
    const before = (seconds: number): string => new Date(Date.parse(system.at) - seconds * 1_000).toISOString();
    Object.assign(target ?? {}, {
      health: { ...target?.health, since: before(360) },
      breaker: { state, since: before(1) },
    });
    const lines = picture({ system, access: null, events: [] }, { url: 'http://x', paint: (_, plain) => plain }).split(
      '\n',
    );
    expect(lines.find((line) => line.startsWith('  └ gateway'))?.split('   ')[1]).toBe(expected);
  },
);

test('listeners are shown with protocols and certificates, and a certificate that needs an operator in red', () => {
  const { system } = fixtureState(['east']);
  const inMs = (ms: number): string => new Date(Date.parse(system.at) + ms).toISOString();
  const tls = { notAfter: inMs(86_400_000 * 60), expiresSoon: false, names: ['a.example'], problem: null };
  const listener = { name: 'public', url: 'https://a:1', connectionCount: 0 };
  const linesOf = (...all: NonNullable<Listener['tls']>[]): string[] => {
    system.clients.listeners = all.map((one) => ({ ...listener, protocols: ['h2', 'http/1.1'], tls: one }));
    const access = { name: 'alice', role: 'viewer' as const, canChange: false, reason: '' };
    const paint = (colour: string, text: string): string => (colour === 'red' ? `RED ${text}` : text);
    const text = picture({ system, access, events: [] }, { url: 'http://x', paint });
    return text.split('\n').filter((line) => /certificate|^listener|^you/.test(line));
  };
  const admin = 'listener    admin http://127.0.0.1:8081   http/1.1';
  const you = 'you         alice, viewer';
  expect(linesOf(tls)).toEqual([
    'listener    public https://a:1   h2, http/1.1   certificate valid for 60 d 0 h',
    admin,
    you,
  ]);
  const soon = { ...tls, notAfter: inMs(7_200_000), expiresSoon: true };
  expect(linesOf(soon)).toEqual([
    'listener    public https://a:1   h2, http/1.1   certificate valid for 2 h 0 min',
    `RED certificate of listener public expires soon, at ${soon.notAfter}`,
    admin,
    you,
  ]);
  const expired = {
    ...tls,
    notAfter: inMs(-3_000),
    expiresSoon: true,
    problem: 'the certificate of a.example expired',
  };
  system.upstreamTls = { notAfter: null, expiresSoon: false, problem: 'upstream.tls.caFile: there is no such file' };
  expect(linesOf(expired)).toEqual([
    'listener    public https://a:1   h2, http/1.1   certificate expired 3 s ago',
    'RED certificate of listener public: the certificate of a.example expired',
    admin,
    'RED certificate of upstream.tls: upstream.tls.caFile: there is no such file',
    you,
  ]);
});

test('targets by DNS are shown with their name, and a name without addresses since when', () => {
  const { system } = fixtureState(['east']);
  const [east] = system.regions;
  const [target] = east?.targets ?? [];
  if (east === undefined || target === undefined) throw new Error('no region');
  Object.assign(target, {
    url: 'http://10.1.2.3:8080',
    name: 'east/b0',
    kind: 'bridge',
    discoveredBy: 'bridge.test',
    behind: null,
  });
  const linesOf = (name: (typeof east.dnsNames)[number]): string[] => {
    east.dnsNames = [name];
    const paint = (colour: string, text: string): string => (colour === 'yellow' ? `YELLOW ${text}` : text);
    const text = picture({ system, access: null, events: [] }, { url: 'http://x', paint });
    return text.split('\n').filter((line) => /DNS/.test(line));
  };
  const bridge = expect.stringMatching(/^ {2}└ bridge east\/b0 http:\/\/10\.1\.2\.3:8080 \(DNS\) {3}healthy/);
  const good = { name: 'bridge.test', addressCount: 1, problem: null, since: null };
  expect(linesOf(good)).toEqual(['  DNS name bridge.test: 1 address', bridge]);
  const since = new Date(Date.parse(system.at) - 5_000).toISOString();
  expect(linesOf({ ...good, problem: 'does not exist (NXDOMAIN)', since })).toEqual([
    'YELLOW   DNS name bridge.test: 1 address in use; it does not exist (NXDOMAIN) for 5 s',
    bridge,
  ]);
});
