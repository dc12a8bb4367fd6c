import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { UNKNOWN_ADDRESS } from './networks.ts';
import { type Impostor, type Trust, TrustPolicy, type TrustPolicyOptions } from './trust.ts';

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
