import { Socket } from 'node:net';
import { parseUrl } from '@causeway/protocol/paths.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { QuotasConfig } from '../config/quotas.ts';
import type { Principal } from '../exchange/admission.ts';
import type { Allowance } from '../exchange/gatekeeper.ts';
import { MAX_ACCOUNTS } from './accounts.ts';
import { type CountedRequest, Quotas } from './quotas.ts';

function from(clientAddress: string): CountedRequest {
  const message = { socket: new Socket() };
  return { clientAddress, isFromGateway: false, trust: 'client', url: parseUrl('GET', '/topics'), message };
}

const ADDRESS = from('192.0.2.1');

function principal(name: string, roles: string[] = []): Principal {
  return { name, roles, method: 'jwt' };
}

const ALICE = principal('alice');

function quotasOf(config: Partial<QuotasConfig>, clock = { nowMs: 0 }): Quotas {
  return new Quotas({ config: full(config), now: () => clock.nowMs });
}

function full({ default: defaults, principals = [], exempt = [] }: Partial<QuotasConfig>): QuotasConfig {
  const failedAuthentications = { perMinute: 10, burst: 30 };
  const config: QuotasConfig = { principals, exempt, failedAuthentications };
  if (defaults !== undefined) config.default = defaults;
  return config;
}

/** A request that is not beyond a limit. */
function allowed(quotas: Quotas, who: Principal | 'none' = ALICE, request = ADDRESS): Allowance {
  const admission = quotas.admit(who === 'none' ? undefined : who, request);
  if (admission?.kind !== 'allowed') throw new Error('nothing is counted, or the request is refused');
  return admission;
}

function isRefused(quotas: Quotas): boolean {
  return quotas.admit(ALICE, ADDRESS)?.kind === 'refused';
}

/** How many of ten requests, all in flight, are admitted. */
function admittedOf(quotas: Quotas, who: Principal | undefined, request = ADDRESS): number {
  const admissions = Array.from({ length: 10 }, () => quotas.admit(who, request));
  return admissions.filter((admission) => admission?.kind !== 'refused').length;
}

describe('who shares an account', () => {
  const quotas = () => quotasOf({ default: { requestsPerSecond: 1, requestBurst: 5 } });

  test('a principal has one, from every address and with every token', () => {
    const limited = quotas();
    expect(admittedOf(limited, principal('alice'), from('192.0.2.1'))).toBe(5);
    expect(admittedOf(limited, principal('alice'), from('192.0.2.2'))).toBe(0);
    expect(admittedOf(limited, principal('bob'), from('192.0.2.1'))).toBe(5);
  });

  test('a principal that is named as an address has none in common with it', () => {
    const limited = quotas();
    expect(admittedOf(limited, principal('192.0.2.1'))).toBe(5);
    expect(admittedOf(limited, undefined, from('192.0.2.1'))).toBe(5);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1', 0],
    ['192.0.2.1', '192.0.2.2', 5],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff::2', 0],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', 5],
  ])('of clients without a principal, %s has used up what %s has: %i are left', (one, other, left) => {
    const limited = quotas();
    expect(admittedOf(limited, undefined, from(one))).toBe(5);
    expect(admittedOf(limited, undefined, from(other))).toBe(left);
  });

  test('a request that a gateway sent for a client without a principal is not counted again', () => {
    expect(admittedOf(quotas(), undefined, { ...from('192.0.2.1'), isFromGateway: true })).toBe(10);
  });

  test('all who are anonymous have the accounts of their addresses', () => {
    const anonymous: Principal = { name: 'anonymous', roles: [], method: 'anonymous' };
    const limited = quotas();
    expect(admittedOf(limited, anonymous, from('192.0.2.1'))).toBe(5);
    expect(admittedOf(limited, anonymous, from('192.0.2.2'))).toBe(5);
    expect(admittedOf(limited, undefined, from('192.0.2.2'))).toBe(0);
  });
});

describe('which limits apply', () => {
  const config = full({
    default: { maxInFlight: 2 },
    principals: [
      { principals: ['alice'], roles: [], maxInFlight: 4 },
      { principals: [], roles: ['batch', 'night'], maxInFlight: 6 },
      { principals: ['erin'], roles: [], requestsPerSecond: 3 },
    ],
    exempt: ['mallory', '198.51.100.0/24', '2001:db8::/32'],
  });

  test.each([
    ['the default', principal('bob'), 2],
    ['an exception by name', ALICE, 4],
    ['the first exception of several', principal('alice', ['batch']), 4],
    ['an exception by role', principal('bob', ['x', 'night']), 6],
    ['an exception in place of all limits of the default', principal('erin'), 3],
    ['none for who is exempt', principal('mallory'), 10],
    ['a name is no address', principal('198.51.100.1'), 2],
  ])('%s', (_, who, expected) => {
    expect(admittedOf(quotasOf(config), who)).toBe(expected);
  });

  test.each([
    ['192.0.2.1', 2],
    ['198.51.100.7', 10],
    ['2001:db8::1', 10],
    ['unknown', 2],
  ])('the address %s has room for %i', (address, expected) => {
    expect(admittedOf(quotasOf(config), undefined, from(address))).toBe(expected);
  });

  test('nothing is counted without limits', () => {
    const unlimited = quotasOf({});
    expect(unlimited.admit(ALICE, ADDRESS)).toBeUndefined();
    expect(unlimited.accountCounts).toEqual({ principal: 0, address: 0 });
  });

  test('a reload changes limits, and forgets nothing that was used', () => {
    const limited = quotasOf({ default: { maxInFlight: 2 } });
    expect(admittedOf(limited, ALICE)).toBe(2);
    limited.configure(full({ default: { maxInFlight: 5 } }));
    expect(admittedOf(limited, ALICE)).toBe(3);
    limited.configure(full({}));
    expect(admittedOf(limited, ALICE)).toBe(10);
  });
});

test.each([
  ['POST', '/consumers/g', ALICE, ['causeway-max-consumers', '7']],
  ['POST', '/consumers/g', principal('mallory'), []],
  ['GET', '/consumers/g/instances/i/records', ALICE, []],
  ['POST', '/consumers/g', undefined, []],
])('to create a consumer, bridges learn how many its principal may have: %s %s', (method, path, who, expected) => {
  const limited = quotasOf({ default: { maxConsumers: 7 }, exempt: ['mallory'] });
  expect(limited.isLimiting).toBe(true);
  const admission = limited.admit(who, { ...ADDRESS, url: parseUrl(method, path) });
  expect(admission?.headers ?? []).toEqual(expected);
});

describe('a request in flight', () => {
  test('has its place until it ends', () => {
    const limited = quotasOf({ default: { maxInFlight: 1 } });
    const first = allowed(limited);
    expect(isRefused(limited)).toBe(true);
    first.usage?.end();
    expect(isRefused(limited)).toBe(false);
  });

  test('that is refused takes nothing', () => {
    const limited = quotasOf({ default: { requestsPerSecond: 10, requestBurst: 10, maxInFlight: 1 } });
    const first = allowed(limited);
    for (let count = 0; count < 100; count += 1) expect(isRefused(limited)).toBe(true);
    first.usage?.end();
    expect(allowed(limited).responseHeaders[3]).toContain('"requests";r=8;');
  });
});

test('bytes are paid for when they moved: the next request waits for the debt', () => {
  const clock = { nowMs: 0 };
  const limited = quotasOf({ default: { bytesPerSecond: 1_000, byteBurst: 2_000 } }, clock);
  const first = allowed(limited);
  // A response that is still on its way.
  first.usage?.moved(1_500);
  expect(isRefused(limited)).toBe(false);
  first.usage?.moved(5_500);
  expect(limited.admit(ALICE, ADDRESS)).toMatchObject({
    kind: 'refused',
    error: {
      status: 429,
      message: 'The quota bytesPerSecond (1000) is used up: retry after 6 s.',
      retryAfterSeconds: 6,
    },
    headers: [
      'ratelimit-policy',
      '"bytes";q=1000;qu="content-bytes";w=1;causeway-burst=2000',
      'ratelimit',
      '"bytes";r=0;t=6',
    ],
  });
  clock.nowMs = 5_000;
  expect(isRefused(limited)).toBe(true);
  clock.nowMs = 6_000;
  expect(isRefused(limited)).toBe(false);
});

test('each response says what is left', () => {
  const limited = quotasOf({ default: { requestsPerSecond: 2, requestBurst: 3, bytesPerSecond: 100, maxInFlight: 9 } });
  const rateLimits = Array.from({ length: 4 }, () => {
    const admission = limited.admit(ALICE, ADDRESS);
    const headers = (admission?.kind === 'allowed' ? admission.responseHeaders : admission?.headers) ?? [];
    expect(headers.slice(0, 3)).toEqual([
      'ratelimit-policy',
      '"requests";q=2;w=1;causeway-burst=3, "bytes";q=100;qu="content-bytes";w=1;causeway-burst=100, "inFlight";q=9;qu="concurrent-requests"',
      'ratelimit',
    ]);
    return headers[3];
  });
  expect(rateLimits).toEqual([
    '"requests";r=2;t=1, "bytes";r=100;t=1, "inFlight";r=8',
    '"requests";r=1;t=1, "bytes";r=100;t=1, "inFlight";r=7',
    '"requests";r=0;t=1, "bytes";r=100;t=1, "inFlight";r=6',
    '"requests";r=0;t=1, "bytes";r=100;t=1, "inFlight";r=6',
  ]);
});

test('a client that waits as long as Retry-After says is admitted, whatever happened before', () => {
  const limits = fc.record({
    requestsPerSecond: fc.integer({ min: 1, max: 20 }),
    requestBurst: fc.integer({ min: 1, max: 5 }),
    bytesPerSecond: fc.integer({ min: 1, max: 1_000_000 }),
    byteBurst: fc.integer({ min: 1, max: 1_000_000 }),
  });
  const steps = fc.array(
    fc.record({ pauseMs: fc.double({ min: 0, max: 50, noNaN: true }), bytes: fc.integer({ min: 0, max: 3_000_000 }) }),
    { minLength: 50, maxLength: 100 },
  );
  let refusedCount = 0;
  fc.assert(
    fc.property(limits, steps, (config, happened) => {
      const clock = { nowMs: 0 };
      const limited = quotasOf({ default: config }, clock);
      for (const { pauseMs, bytes } of happened) {
        clock.nowMs += pauseMs;
        const admission = limited.admit(ALICE, ADDRESS);
        if (admission?.kind === 'allowed') {
          admission.usage?.moved(bytes);
          admission.usage?.end();
          continue;
        }
        refusedCount += 1;
        clock.nowMs += (admission?.error.retryAfterSeconds ?? 0) * 1_000;
        allowed(limited).usage?.end();
      }
    }),
    { seed: 16 },
  );
  expect(refusedCount).toBeGreaterThan(1_000);
});

describe('memory', () => {
  const address = (index: number) => from(`10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`);

  test('of addresses that come once, only those are remembered that have not made up for it', () => {
    const clock = { nowMs: 0 };
    const limited = quotasOf({ default: { requestsPerSecond: 10 } }, clock);
    let mostCount = 0;
    for (let index = 0; index < 100_000; index += 1) {
      clock.nowMs += 0.1;
      allowed(limited, 'none', address(index)).usage?.end();
      mostCount = Math.max(mostCount, limited.accountCounts.address);
    }
    // Each is full again after 100 ms, in which a thousand come.
    expect(mostCount).toBeLessThan(2_000);
  });

  test('more addresses than that at the same moment take no more than the limit, and no principal is forgotten for them', () => {
    const limited = quotasOf({ default: { requestsPerSecond: 1, requestBurst: 5 } });
    expect(admittedOf(limited, ALICE)).toBe(5);
    for (let index = 0; index < MAX_ACCOUNTS + 50_000; index += 1) {
      allowed(limited, 'none', address(index)).usage?.end();
    }
    expect(limited.accountCounts).toEqual({ principal: 1, address: MAX_ACCOUNTS });
    expect(admittedOf(limited, ALICE)).toBe(0);
    // One that was not used lately begins with full quotas.
    expect(admittedOf(limited, undefined, address(MAX_ACCOUNTS + 49_999))).toBe(4);
    expect(admittedOf(limited, undefined, address(0))).toBe(5);
  });

  test('requests that never end do not keep the others from being forgotten', () => {
    const clock = { nowMs: 0 };
    const limited = quotasOf({ default: { requestsPerSecond: 1_000 } }, clock);
    for (let index = 0; index < 100; index += 1) limited.admit(undefined, address(index));
    for (let index = 1_000; index < 20_000; index += 1) {
      clock.nowMs += 10;
      allowed(limited, 'none', address(index)).usage?.end();
    }
    expect(limited.accountCounts.address).toBeLessThan(300);
  });
});

test('refusals are counted by limit, and by those principals alone that have series of their own', () => {
  const limited = quotasOf({
    default: { requestsPerSecond: 1 },
    principals: [{ principals: ['alice'], roles: [], maxInFlight: 8 }],
  });
  limited.namedPrincipals = new Set(['alice']);
  admittedOf(limited, ALICE);
  admittedOf(limited, principal('bob'));
  admittedOf(limited, principal('carol'));
  admittedOf(limited, undefined);
  expect(limited.counts.byPrincipal).toEqual(
    new Map([
      ['alice', new Map([['maxInFlight', 2]])],
      ['other', new Map([['requestsPerSecond', 18]])],
      ['none', new Map([['requestsPerSecond', 9]])],
    ]),
  );
});
