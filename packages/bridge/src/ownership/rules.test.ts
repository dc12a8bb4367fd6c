import { describe, expect, test } from 'vitest';
import {
  adoptionWaitMs,
  type CurrentClaim,
  decideCreate,
  decideHolding,
  decideRequest,
  hasWon,
  isConfirmed,
  leaseMsFor,
  MAX_LEASE_MS,
  MIN_LEASE_MS,
  type Situation,
} from './rules.ts';

const OWNED: CurrentClaim = { owner: 'east/b1', epoch: 3, id: 'x', state: 'held', leaseMs: 50 };
const RELEASED: CurrentClaim = { ...OWNED, state: 'released' };
const DELETED: CurrentClaim = { ...OWNED, state: 'deleted' };
const NOBODY_FAILED = { via: 'gateway', failedOwners: [] } as const;
const OWNER_FAILED = { via: 'gateway', failedOwners: ['east/b1'] } as const;

/** Asked by a gateway at a bridge that does not hold the session. */
function situation(change: Partial<Situation>): Situation {
  return {
    self: 'west/b1',
    entry: OWNED,
    holding: undefined,
    origin: NOBODY_FAILED,
    isOwnerGone: false,
    hasLost: false,
    ...change,
  };
}

describe('a request for a session', () => {
  const own = { self: 'east/b1', holding: { epoch: 3, id: 'x' } };
  test.each<[what: string, change: Partial<Situation>, decision: object]>([
    ['that nobody created is not found', { entry: undefined }, { kind: 'notFound' }],
    ['that is over is not found, whoever failed', { entry: DELETED, origin: OWNER_FAILED }, { kind: 'notFound' }],
    ['that is over is not found where it was held', { ...own, entry: DELETED }, { kind: 'notFound' }],
    ['that is held here is served', own, { kind: 'serve' }],
    ['of another owner goes there', {}, { kind: 'misdirected', owner: 'east/b1' }],
    ['whose owner failed is adopted', { origin: OWNER_FAILED }, { kind: 'adopt', epoch: 4 }],
    [
      'goes to its owner when only somebody else failed',
      { origin: { via: 'gateway', failedOwners: ['west/b2'] } },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    ['of a client without a gateway is adopted', { origin: { via: 'client' } }, { kind: 'adopt', epoch: 4 }],
    ['that was released is adopted', { entry: RELEASED }, { kind: 'adopt', epoch: 4 }],
    ['whose owner is known to be gone is adopted', { isOwnerGone: true }, { kind: 'adopt', epoch: 4 }],
    ['that this bridge owned before it was started anew is adopted', { self: 'east/b1' }, { kind: 'adopt', epoch: 4 }],
    [
      'that was held here under an older claim goes to the new owner',
      { holding: { epoch: 2, id: 'w' } },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that went to another one meanwhile goes there, also for a client without a gateway',
      { origin: { via: 'client' }, hasLost: true },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that went to another one meanwhile is not taken back, whoever failed before',
      { origin: OWNER_FAILED, hasLost: true },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that went to another one, which released it, is adopted',
      { entry: RELEASED, hasLost: true },
      { kind: 'adopt', epoch: 4 },
    ],
  ])('%s', (_what, change, decision) => {
    expect(decideRequest(situation(change))).toEqual(decision);
  });
});

describe('a create with the name of a session', () => {
  const own = { self: 'east/b1', holding: { epoch: 3, id: 'x' } };
  test.each<[what: string, change: Partial<Situation>, decision: object]>([
    ['that does not exist creates it', { entry: undefined }, { kind: 'create', epoch: 1 }],
    ['that is over creates it, after all that was written before', { entry: DELETED }, { kind: 'create', epoch: 4 }],
    ['that is held here conflicts', own, { kind: 'alreadyExists' }],
    ['of another owner is for that owner to answer', {}, { kind: 'misdirected', owner: 'east/b1' }],
    ['of another owner conflicts without a gateway', { origin: { via: 'client' } }, { kind: 'alreadyExists' }],
    ['whose owner failed succeeds', { origin: OWNER_FAILED }, { kind: 'takeOver', epoch: 4 }],
    ['whose owner is gone succeeds', { origin: { via: 'client' }, isOwnerGone: true }, { kind: 'takeOver', epoch: 4 }],
    ['that was released succeeds', { entry: RELEASED }, { kind: 'takeOver', epoch: 4 }],
    ['that this bridge owned before it was started anew succeeds', { self: 'east/b1' }, { kind: 'takeOver', epoch: 4 }],
  ])('%s', (_what, change, decision) => {
    expect(decideCreate(situation(change))).toEqual(decision);
  });
});

describe('a session that is held', () => {
  const holding = { epoch: 3, id: 'x' };
  test.each<[what: string, entry: CurrentClaim | undefined, decision: object]>([
    ['is kept while its claim counts', OWNED, { kind: 'keep' }],
    ['is dropped for a newer epoch', { ...OWNED, epoch: 4, owner: 'west/b1' }, { kind: 'fenced', owner: 'west/b1' }],
    ['is dropped for another claim of the same epoch', { ...OWNED, id: 'y' }, { kind: 'fenced', owner: 'east/b1' }],
    ['is dropped when the log has begun anew', { ...OWNED, epoch: 1, id: 'y' }, { kind: 'fenced', owner: 'east/b1' }],
    ['is dropped once released', RELEASED, { kind: 'fenced', owner: 'east/b1' }],
    ['is dropped when it is over', { ...DELETED, epoch: 4 }, { kind: 'ended' }],
    ['is dropped when the log has nothing of it', undefined, { kind: 'ended' }],
  ])('%s', (_what, entry, decision) => {
    expect(decideHolding(entry, holding)).toEqual(decision);
  });
});

test('a claim has won when it is the one that counts, whichever of its attempts arrived', () => {
  expect(hasWon(OWNED, new Set(['w', 'x']))).toBe(true);
  expect(hasWon(OWNED, new Set(['w']))).toBe(false);
  expect(hasWon(undefined, new Set(['x']))).toBe(false);
});

test('an adopter waits longer than the old owner may go on, and not at all where nobody may', () => {
  expect(adoptionWaitMs(OWNED)).toBeGreaterThan(OWNED.leaseMs);
  for (const free of [undefined, RELEASED, DELETED]) expect(adoptionWaitMs(free)).toBe(0);
});

test('a confirmation is too old when either clock says so', () => {
  const leaseMs = 50;
  const at = { monotonicMs: 1000, wallMs: 5000 };
  expect(isConfirmed(at, { monotonicMs: 1000 + leaseMs, wallMs: 5000 + leaseMs }, leaseMs)).toBe(true);
  expect(isConfirmed(at, { monotonicMs: 1001 + leaseMs, wallMs: 5000 }, leaseMs)).toBe(false);
  // The machine was suspended: its monotonic clock stood still.
  expect(isConfirmed(at, { monotonicMs: 1001, wallMs: 5001 + leaseMs }, leaseMs)).toBe(false);
  // The clock was set back.
  expect(isConfirmed(at, { monotonicMs: 1001 + leaseMs, wallMs: 1000 }, leaseMs)).toBe(false);
});

test('a lease is as long as some answers of Kafka, within bounds', () => {
  expect(leaseMsFor(0)).toBe(MIN_LEASE_MS);
  expect(leaseMsFor(100)).toBeGreaterThan(200);
  expect(leaseMsFor(60_000)).toBe(MAX_LEASE_MS);
});
