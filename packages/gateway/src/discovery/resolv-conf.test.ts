import { expect, test } from 'vitest';
import { candidatesOf, isServer, parseResolvConf } from './resolv-conf.ts';

const KUBERNETES = `# made by the kubelet
search kafka-bridge.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options edns0 ndots:5
`;

test.each([
  [
    'of a pod',
    KUBERNETES,
    {
      servers: ['10.96.0.10'],
      search: ['kafka-bridge.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      ndots: 5,
    },
  ],
  ['that is empty', '', { servers: ['127.0.0.1'], search: [], ndots: 1 }],
  [
    'with more servers than glibc asks',
    'nameserver 10.0.0.1\nnameserver fe80::1%eth0\n;nameserver 10.0.0.9\nnameserver x\nnameserver ::1\nnameserver 10.0.0.2',
    { servers: ['10.0.0.1', 'fe80::1%eth0', '::1'], search: [], ndots: 1 },
  ],
  [
    'with domain and search, of which the last one counts',
    'search a.test b.test\n  domain c.test\r\noptions ndots:99 timeout:1\noptions rotate',
    { servers: ['127.0.0.1'], search: ['c.test'], ndots: 15 },
  ],
])('a resolv.conf %s', (_, text, expected) => {
  expect(parseResolvConf(text)).toEqual(expected);
});

test.each([
  ['short', 'bridge', 5, ['bridge.ns.svc.local', 'bridge.svc.local', 'bridge']],
  [
    'with fewer dots than ndots',
    'bridge.ns.svc',
    5,
    ['bridge.ns.svc.ns.svc.local', 'bridge.ns.svc.svc.local', 'bridge.ns.svc'],
  ],
  ['with as many dots as ndots', 'a.b.c', 2, ['a.b.c', 'a.b.c.ns.svc.local', 'a.b.c.svc.local']],
  ['absolute', 'bridge.ns.svc.cluster.local.', 5, ['bridge.ns.svc.cluster.local']],
  ['too long with a domain', `${'a.'.repeat(122)}bbbb`, 5, [`${'a.'.repeat(122)}bbbb`]],
])('a name that is %s', (_, name, ndots, expected) => {
  expect(candidatesOf(name, { search: ['ns.svc.local', 'svc.local.'], ndots })).toEqual(expected);
});

test('a search domain that is the root adds nothing', () => {
  expect(candidatesOf('a', { search: ['.'], ndots: 1 })).toEqual(['a']);
});

test.each([
  ['10.0.0.10', true],
  ['10.0.0.10:5353', true],
  ['::1', true],
  ['[::1]:53', true],
  ['[::1]', true],
  ['10.0.0.10:0', false],
  ['10.0.0.10:65536', false],
  ['dns.example', false],
  ['dns.example:53', false],
  ['[10.0.0.1', false],
  ['', false],
])('whether %j is a server: %s', (text, expected) => {
  expect(isServer(text)).toBe(expected);
});
