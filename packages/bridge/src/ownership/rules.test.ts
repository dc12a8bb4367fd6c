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
/** Written while the other Kafka cluster was active. */
const FOREIGN: CurrentClaim = { ...OWNED, promotion: { number: 1, cluster: 'east' } };
const HERE = { number: 2, cluster: 'west' };
/** Of a bridge of this cluster. */
const OF_HERE: CurrentClaim = { ...OWNED, promotion: HERE };
const NO_OWNER_FAILED = { via: 'gateway', failedOwners: [] } as const;
const OWNER_FAILED = { via: 'gateway', failedOwners: ['east/b1'] } as const;

/** Asked by a gateway at a bridge that does not hold the session. */
function situation(change: Partial<Situation>): Situation {
  return {
    self: 'west/b1',
    entry: OWNED,
    holding: undefined,
    origin: NO_OWNER_FAILED,
    isOwnerGone: false,
    hasLost: false,
    ...change,
  };
}

describe('a request for a session', () => {
  const own = { self: 'east/b1', holding: { epoch: 3, id: 'x' } };
  test.each<[what: string, change: Partial<Situation>, decision: object]>([
    ['that no client created is not found', { entry: undefined }, { kind: 'notFound' }],
    [
      'that is deleted is not found, even if its owner failed',
      { entry: DELETED, origin: OWNER_FAILED },
      { kind: 'notFound' },
    ],
    ['that is deleted is not found where it was held', { ...own, entry: DELETED }, { kind: 'notFound' }],
    ['that is held here is served', own, { kind: 'serve' }],
    ['of another owner is misdirected to that owner', {}, { kind: 'misdirected', owner: 'east/b1' }],
    ['whose owner failed is adopted', { origin: OWNER_FAILED }, { kind: 'adopt', epoch: 4 }],
    [
      'is misdirected to its owner when only another bridge failed',
      { origin: { via: 'gateway', failedOwners: ['west/b2'] } },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    ['of a client without a gateway is adopted', { origin: { via: 'client' } }, { kind: 'adopt', epoch: 4 }],
    ['that was released is adopted', { entry: RELEASED }, { kind: 'adopt', epoch: 4 }],
    ['whose owner is gone is adopted', { isOwnerGone: true }, { kind: 'adopt', epoch: 4 }],
    ['that this bridge owned before its restart is adopted', { self: 'east/b1' }, { kind: 'adopt', epoch: 4 }],
    [
      'that was held here under an older claim is misdirected to the new owner',
      { holding: { epoch: 2, id: 'w' } },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that another bridge claimed meanwhile is misdirected to it, also for a client without a gateway',
      { origin: { via: 'client' }, hasLost: true },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that another bridge claimed meanwhile is not taken back, even if the old owner failed before',
      { origin: OWNER_FAILED, hasLost: true },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that another bridge claimed and released is adopted',
      { entry: RELEASED, hasLost: true },
      { kind: 'adopt', epoch: 4 },
    ],
    [
      'whose owner is of another Kafka cluster is adopted',
      { entry: FOREIGN, promotion: HERE },
      { kind: 'adopt', epoch: 4 },
    ],
    [
      'whose owner is of another Kafka cluster is adopted, also after another claim won',
      { entry: FOREIGN, promotion: HERE, hasLost: true },
      { kind: 'adopt', epoch: 4 },
    ],
    [
      'that was claimed when this Kafka cluster was active before is adopted',
      { entry: FOREIGN, promotion: { number: 3, cluster: 'east' } },
      { kind: 'adopt', epoch: 4 },
    ],
    [
      'whose owner is of this Kafka cluster is misdirected to that owner',
      { entry: OF_HERE, promotion: HERE },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'of a time before there were two Kafka clusters is misdirected to its owner',
      { entry: OWNED, promotion: HERE },
      { kind: 'misdirected', owner: 'east/b1' },
    ],
    [
      'that is deleted is not found, whichever Kafka cluster its owner was of',
      { entry: { ...FOREIGN, state: 'deleted' }, promotion: HERE },
      { kind: 'notFound' },
    ],
  ])('%s', (_what, change, decision) => {
    expect(decideRequest(situation(change))).toEqual(decision);
  });
});

describe('a create with the name of a session', () => {
  const own = { self: 'east/b1', holding: { epoch: 3, id: 'x' } };
  test.each<[what: string, change: Partial<Situation>, decision: object]>([
    ['that does not exist creates it', { entry: undefined }, { kind: 'create', epoch: 1 }],
    ['that is deleted creates it, under the next epoch', { entry: DELETED }, { kind: 'create', epoch: 4 }],
    ['that is held here conflicts', own, { kind: 'alreadyExists' }],
    ['of another owner is misdirected to that owner', {}, { kind: 'misdirected', owner: 'east/b1' }],
    ['of another owner conflicts without a gateway', { origin: { via: 'client' } }, { kind: 'alreadyExists' }],
    ['whose owner failed succeeds', { origin: OWNER_FAILED }, { kind: 'replace', epoch: 4 }],
    ['whose owner is gone succeeds', { origin: { via: 'client' }, isOwnerGone: true }, { kind: 'replace', epoch: 4 }],
    ['that was released succeeds', { entry: RELEASED }, { kind: 'replace', epoch: 4 }],
    ['that this bridge owned before its restart succeeds', { self: 'east/b1' }, { kind: 'replace', epoch: 4 }],
  ])('%s', (_what, change, decision) => {
    expect(decideCreate(situation(change))).toEqual(decision);
  });
});

describe('a session that is held', () => {
  const holding = { epoch: 3, id: 'x' };
  test.each<[what: string, entry: CurrentClaim | undefined, decision: object]>([
    ['is kept while its claim is current', OWNED, { kind: 'keep' }],
    ['is dropped for a newer epoch', { ...OWNED, epoch: 4, owner: 'west/b1' }, { kind: 'fenced', owner: 'west/b1' }],
    ['is dropped for another claim of the same epoch', { ...OWNED, id: 'y' }, { kind: 'fenced', owner: 'east/b1' }],
    ['is dropped when the log was recreated', { ...OWNED, epoch: 1, id: 'y' }, { kind: 'fenced', owner: 'east/b1' }],
    ['is dropped once released', RELEASED, { kind: 'fenced', owner: 'east/b1' }],
    ['is dropped when it is deleted', { ...DELETED, epoch: 4 }, { kind: 'ended' }],
    ['is dropped when the log has nothing of it', undefined, { kind: 'ended' }],
  ])('%s', (_what, entry, decision) => {
    expect(decideHolding(entry, holding)).toEqual(decision);
  });
});

test('a claim has won when it is current, whichever of its attempts arrived', () => {
  expect(hasWon(OWNED, new Set(['w', 'x']))).toBe(true);
  expect(hasWon(OWNED, new Set(['w']))).toBe(false);
  expect(hasWon(undefined, new Set(['x']))).toBe(false);
});

test('an adopter waits longer than the lease of the old owner, and does not wait without one', () => {
  expect(adoptionWaitMs(OWNED)).toBeGreaterThan(OWNED.leaseMs);
  for (const free of [undefined, RELEASED, DELETED]) expect(adoptionWaitMs(free)).toBe(0);
  expect(adoptionWaitMs(OF_HERE, HERE)).toBe(adoptionWaitMs(OWNED));
  expect(adoptionWaitMs(FOREIGN, HERE)).toBe(0);
});

test('a confirmation is too old when it is by either clock', () => {
  const leaseMs = 50;
  const at = { monotonicMs: 1000, wallMs: 5000 };
  expect(isConfirmed(at, { monotonicMs: 1000 + leaseMs, wallMs: 5000 + leaseMs }, leaseMs)).toBe(true);
  expect(isConfirmed(at, { monotonicMs: 1001 + leaseMs, wallMs: 5000 }, leaseMs)).toBe(false);
  // The machine was suspended, and its monotonic clock with it.
  expect(isConfirmed(at, { monotonicMs: 1001, wallMs: 5001 + leaseMs }, leaseMs)).toBe(false);
  // The clock was set back.
  expect(isConfirmed(at, { monotonicMs: 1001 + leaseMs, wallMs: 1000 }, leaseMs)).toBe(false);
});

test('a lease is as long as several answers of Kafka, within bounds', () => {
  expect(leaseMsFor(0)).toBe(MIN_LEASE_MS);
  expect(leaseMsFor(100)).toBeGreaterThan(200);
  expect(leaseMsFor(60_000)).toBe(MAX_LEASE_MS);
});
