import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientAddress, clientNetwork } from './client-address.ts';
import { TrustPolicy } from './trust.ts';

const policy = new TrustPolicy({ proxies: ['10.0.0.1', '2001:db8:1::/64'], peers: ['10.1.0.0/24'], secret: undefined });
const PROXY = { peerAddress: '10.0.0.1', trust: 'proxy' } as const;
const read = (headers: Record<string, string | string[]>): string => clientAddress(policy, { ...PROXY, headers });

describe('the client is the right-most address that is not a trusted proxy or peer', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['6.6.6.6, 198.51.100.7', '198.51.100.7'],
    ['6.6.6.6,198.51.100.7 , 10.1.0.9,10.0.0.1', '198.51.100.7'],
    ['10.1.0.9, 10.0.0.1', '10.1.0.9'],
    ['198.51.100.7:4711', '198.51.100.7'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:DB8::1, 2001:db8:1::5', '2001:db8::1'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['::ffff:c633:6407', '198.51.100.7'],
    ['6.6.6.6, unknown', '10.0.0.1'],
    ['6.6.6.6, x, 10.1.0.9', '10.1.0.9'],
    ['', '10.0.0.1'],
    [',', '10.0.0.1'],
  ])('X-Forwarded-For: %s', (header, address) => {
    expect(read({ 'x-forwarded-for': header })).toBe(address);
  });

  test.each([
    ['for=198.51.100.7', '198.51.100.7'],
    ['for=6.6.6.6, For="198.51.100.7:80";proto=http', '198.51.100.7'],
    ['for=6.6.6.6, host="a,b";for="[2001:db8::1]:4711", for=10.1.0.9', '2001:db8::1'],
    ['for="6.6.6.6, for=198.51.100.7', '198.51.100.7'],
    ['host="a;for=6.6.6.6;b";for=198.51.100.7', '198.51.100.7'],
    ['for=6.6.6.6, for=_hidden', '10.0.0.1'],
    ['for=6.6.6.6, proto=https', '10.0.0.1'],
  ])('Forwarded: %s', (header, address) => {
    expect(read({ forwarded: header })).toBe(address);
  });

  test('an untrusted client has the address of its connection', () => {
    const request = { peerAddress: '6.6.6.6', trust: 'client', headers: { 'x-forwarded-for': '1.2.3.4' } } as const;
    expect(clientAddress(policy, request)).toBe('6.6.6.6');
  });

  test('earlier elements, written by the client, do not count', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }),
        fc.constantFrom('198.51.100.7', '10.1.0.9, 10.1.0.8'),
        (own, proxies) => {
          const expected = proxies.startsWith('198') ? proxies : undefined;
          const found = read({ 'x-forwarded-for': `${own}, ${proxies}` });
          if (expected !== undefined) expect(found).toBe(expected);
          const forwarded = proxies.split(', ').map((address) => `for=${address};proto=http`);
          if (expected !== undefined) expect(read({ forwarded: [own, ...forwarded].join(', ') })).toBe(expected);
        },
      ),
    );
  });
});

test.each([
  ['198.51.100.7', '198.51.100.7'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:ffff::', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s counts as %s', (address, network) => {
  expect(clientNetwork(address)).toBe(network);
});
