import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { UNKNOWN_ADDRESS } from './networks.ts';
import { checkTrust, type Impostor, type Trust, TrustPolicy, type TrustPolicyOptions } from './trust.ts';

const SECRET = 'a-secret-of-the-system-0123456789';
const OTHER = `${SECRET.slice(0, -1)}x`;

function policy(options: Partial<TrustPolicyOptions> = {}): TrustPolicy {
  return new TrustPolicy({ proxies: ['10.1.0.0/16'], peers: ['10.2.0.0/16', '::1'], secret: SECRET, ...options });
}

const from = (address: string) => ({ address });

describe('who is trusted', () => {
  test.each<[address: string, secret: string | undefined, expected: Trust]>([
    ['10.1.0.1', undefined, 'proxy'],
    ['10.1.0.1', SECRET, 'proxy'],
    ['10.2.0.1', SECRET, 'gateway'],
    ['::1', SECRET, 'gateway'],
    ['10.2.0.1', undefined, 'client'],
    ['10.2.0.1', OTHER, 'client'],
    ['10.2.0.1', '', 'client'],
    ['10.2.0.1', `${SECRET}x`, 'client'],
    ['10.2.0.1', SECRET.slice(1), 'client'],
    ['10.2.0.1', `${SECRET}, ${SECRET}`, 'client'],
    // As Node returns bytes beyond ASCII.
    ['10.2.0.1', `${SECRET.slice(0, -1)}ÿ`, 'client'],
    ['10.3.0.1', SECRET, 'client'],
    ['127.0.0.1', SECRET, 'client'],
    [UNKNOWN_ADDRESS, SECRET, 'client'],
  ])('%s with %j is a %s', (address, secret, expected) => {
    expect(policy().of(from(address), secret, true)).toBe(expected);
  });

  test('no sender, by default, and no peer without a configured secret', () => {
    for (const secret of [undefined, '', SECRET]) {
      expect(policy({ proxies: [], peers: [], secret }).of(from('127.0.0.1'), SECRET, true)).toBe('client');
    }
    for (const secret of [undefined, '']) {
      for (const shown of [undefined, '', SECRET]) {
        expect(policy({ secret }).of(from('10.2.0.1'), shown, true)).toBe('client');
      }
    }
  });

  test('an address in both lists that does not show the secret is a proxy', () => {
    const both = policy({ proxies: ['127.0.0.1'], peers: ['127.0.0.1'] });
    expect([undefined, OTHER, SECRET].map((secret) => both.of(from('127.0.0.1'), secret, false))).toEqual([
      'proxy',
      'proxy',
      'gateway',
    ]);
  });

  test('each request of a connection by itself, because proxies share connections', () => {
    const shared = from('10.2.0.1');
    const one = policy();
    const shown = [SECRET, undefined, OTHER, SECRET];
    expect(shown.map((secret) => one.of(shared, secret, true))).toEqual(['gateway', 'client', 'client', 'gateway']);
  });
});

describe('a peer by certificate', () => {
  const GATEWAY = { dnsNames: ['tier1.example'], uris: ['spiffe://example/gateway'] };
  const STRANGER = { dnsNames: ['client.example'], uris: [] };
  const certified = (options: Partial<TrustPolicyOptions> = {}): TrustPolicy =>
    policy({ proxies: [], peers: ['tier1.example'], secret: undefined, ...options });

  test('is a gateway from any address, and needs no secret', () => {
    for (const secret of [undefined, '', OTHER]) {
      expect(certified().of({ address: '198.51.100.7', identity: GATEWAY }, secret, true)).toBe('gateway');
    }
    const byUri = certified({ peers: ['spiffe://example/gateway'] });
    expect(byUri.of({ address: '198.51.100.7', identity: GATEWAY }, undefined, false)).toBe('gateway');
  });

  test('is no other sender, whatever it shows', () => {
    for (const identity of [undefined, STRANGER]) {
      for (const shown of [undefined, '', SECRET]) {
        expect(certified({ secret: SECRET }).of({ address: '198.51.100.7', identity }, shown, true)).toBe('client');
      }
    }
  });

  test('does not spare an address its secret', () => {
    const both = certified({ peers: ['tier1.example', '10.2.0.1'], secret: SECRET });
    expect(both.of({ address: '10.2.0.1', identity: STRANGER }, undefined, true)).toBe('client');
    expect(both.of({ address: '10.2.0.1', identity: STRANGER }, SECRET, true)).toBe('gateway');
    expect(both.of({ address: '10.2.0.1', identity: GATEWAY }, undefined, true)).toBe('gateway');
  });

  test.each([
    [STRANGER, /client\.example/],
    [undefined, /no verified client certificate/],
  ])('is reported as an impostor when the certificate is %j', (identity, reason) => {
    const reported: Impostor[] = [];
    const watching = certified({ onImpostor: (impostor) => reported.push(impostor) });
    watching.of({ address: '198.51.100.7', identity }, undefined, false);
    expect(reported).toEqual([]);
    watching.of({ address: '198.51.100.7', identity }, undefined, true);
    expect(reported).toEqual([
      { address: '198.51.100.7', requestCount: 1, reason: expect.stringMatching(reason) as unknown as string },
    ]);
  });
});

describe('the check of the section', () => {
  const section = (peers: string[], secret?: string) => ({
    proxies: [],
    peers,
    ...(secret === undefined ? {} : { secret }),
  });

  test('requires the secret for addresses, and not for certificates', () => {
    expect(checkTrust(section(['tier1.example']), { verifiesClients: true })).toEqual([]);
    const [found] = checkTrust(section(['tier1.example', '10.2.0.1']), { verifiesClients: true });
    expect(found).toMatchObject({ path: ['trust', 'peers'], reason: expect.stringContaining('trust.secret') });
  });

  test('rejects a certificate where no listener verifies any', () => {
    expect(checkTrust(section(['10.2.0.1', 'tier1.example'], SECRET), { verifiesClients: false })).toEqual([
      { path: ['trust', 'peers', 1], reason: expect.stringContaining('clientCaFile') },
    ]);
  });

  test('rejects an entry that is neither', () => {
    expect(checkTrust(section(['tier1.example', '10.2.0.300'], SECRET), { verifiesClients: true })).toEqual([
      { path: ['trust', 'peers', 1], reason: expect.stringContaining('10.2.0.300') },
    ]);
  });
});

test('impostors are reported once a minute, with their number and without the secret that they showed', () => {
  const reported: Impostor[] = [];
  let nowMs = 0;
  const watching = policy({ onImpostor: (impostor) => reported.push(impostor), now: () => nowMs });
  const wrong = randomBytes(24).toString('hex');
  // A client, and a gateway.
  watching.of(from('10.2.0.1'), undefined, false);
  watching.of(from('10.2.0.1'), SECRET, true);
  // A secret from an unlisted address is not reported.
  watching.of(from('10.9.0.1'), wrong, true);
  expect(reported).toEqual([]);
  for (let index = 0; index < 5; index += 1) watching.of(from('10.2.0.1'), wrong, true);
  expect(reported).toHaveLength(1);
  nowMs = 60_000;
  watching.of(from('10.2.0.2'), undefined, true);
  expect(reported.map(({ address, requestCount }) => [address, requestCount])).toEqual([
    ['10.2.0.1', 1],
    ['10.2.0.2', 5],
  ]);
  expect(reported.map(({ reason }) => /shows (\w+)/.exec(reason)?.[1])).toEqual(['another', 'no']);
  expect(JSON.stringify(reported)).not.toContain(wrong);
});
