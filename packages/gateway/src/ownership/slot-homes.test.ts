import { keyIdentity, SLOT_COUNT, slotOf } from '@causeway/protocol/idempotency.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import { type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { RegionSnapshot, Snapshot } from '../regions/snapshot.ts';
import { Target } from '../regions/target.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import type { Home } from './home.ts';
import { hashOfSlot, SlotHomes } from './slot-homes.ts';

const settings = testConfig({ regions: [{ name: 'any', targets: [{ url: 'http://127.0.0.1:1' }] }] });
const targets: Target[] = [];
afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => target.close()));
});

const SLOTS = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);

/** Of regions with weights and numbers of targets, all healthy. */
function snapshotOf(regions: Record<string, { weight?: number; targetCount?: number }>): Snapshot {
  const all = Object.entries(regions).map(([name, { weight = 100, targetCount = 1 }]): RegionSnapshot => {
    const own = Array.from({ length: targetCount }, (_, index) => {
      const target = new Target({
        region: name,
        url: `http://${name}-${index}:8080`,
        settings,
        createTransport: transportFactory({}),
        now: () => 0,
        onBreakerChange: () => {},
      });
      target.health = { status: 'healthy', contraryCount: 0, reason: '', publicReason: '', isSilent: false };
      return target;
    });
    targets.push(...own);
    return {
      name,
      weight,
      configuredWeight: weight,
      usableWeight: weight,
      standsBy: false,
      weightIsOverridden: false,
      priority: 0,
      isDrained: false,
      isLocal: false,
      targets: own,
    };
  });
  return { regions: all, isPanic: false, isWhole: true, clusters: undefined, settings };
}

function placesOf(snapshot: Snapshot): (string | undefined)[] {
  // Chance plays no part.
  const request = { home: undefined, localOnly: false, random: () => Number.NaN };
  return SLOTS.map((slot) => {
    const selection: SelectionRequest = { ...request, ownedHash: hashOfSlot(slot) };
    return selectTarget(snapshot, selection, [])?.url;
  });
}

describe('the place of each slot', () => {
  test('is the same in all gateways that know the same targets, in any order', () => {
    const spec = { east: { targetCount: 3 }, west: { weight: 50, targetCount: 2 }, north: {} };
    const places = placesOf(snapshotOf(spec));
    const reversed = snapshotOf(Object.fromEntries(Object.entries(spec).reverse()));
    for (const { targets: own } of reversed.regions) (own as Target[]).reverse();
    expect(placesOf(reversed)).toEqual(places);
    expect(new Set(places).size).toBeGreaterThan(1);
  });

  test('follows the weights, over systems of any names', () => {
    let eastCount = 0;
    let leastOfEast = SLOT_COUNT;
    const systemCount = 60;
    for (let system = 0; system < systemCount; system += 1) {
      const places = placesOf(snapshotOf({ [`east${system}`]: { weight: 75 }, [`west${system}`]: { weight: 25 } }));
      const count = places.filter((place) => place?.includes('east')).length;
      eastCount += count;
      leastOfEast = Math.min(leastOfEast, count);
    }
    const share = eastCount / (systemCount * SLOT_COUNT);
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.78);
    // Of 24, with a standard deviation of 2.4.
    expect(leastOfEast).toBeGreaterThan(24 - 4 * 2.45);
  });

  test('changes with a target that leaves only for the slots that it had', () => {
    const spec = { east: { targetCount: 2 }, west: { targetCount: 2 }, north: {} };
    const before = snapshotOf(spec);
    const places = placesOf(before);
    for (const region of before.regions) {
      for (const gone of region.targets) {
        const regions = before.regions
          .map((one) => ({ ...one, targets: one.targets.filter((target) => target !== gone) }))
          .filter((one) => one.targets.length > 0);
        const after = placesOf({ ...before, regions });
        const moved = SLOTS.filter((slot) => after[slot] !== places[slot]);
        expect(moved, gone.url).toEqual(SLOTS.filter((slot) => places[slot] === gone.url));
      }
    }
  });
});

test('keys of all principals are spread over all slots', () => {
  const counts = SLOTS.map(() => 0);
  for (let number = 0; number < 3_200; number += 1) {
    const slot = slotOf(keyIdentity(number % 2 === 0 ? undefined : `principal-${number % 7}`, `key-${number}`));
    counts[slot] = (counts[slot] as number) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(50);
  expect(Math.max(...counts)).toBeLessThan(160);
});

describe('the remembered homes', () => {
  const east: Home = { target: { region: 'east' } as Target, owner: 'east/bridge' };
  const west: Home = { target: { region: 'west' } as Target, owner: 'west/bridge' };

  test('are counted by region', () => {
    const homes = new SlotHomes(() => 0);
    homes.remember(3, east);
    homes.remember(31, west);
    expect(homes.homeOf(3)).toBe(east);
    expect(homes.homeOf(4)).toBeUndefined();
    expect([...homes.countByRegion()]).toEqual([
      ['east', 1],
      ['west', 1],
    ]);
  });

  test('a slot stays since its last change of owner, and of region', () => {
    let nowMs = 5;
    const homes = new SlotHomes(() => nowMs);
    expect(homes.stayMs(0, nowMs)).toBe(Number.POSITIVE_INFINITY);
    homes.remember(0, east);
    expect(homes.stayMs(0, nowMs)).toBe(Number.POSITIVE_INFINITY);
    nowMs = 10;
    homes.remember(0, west);
    nowMs = 15;
    // By another way to the same owner.
    homes.remember(0, { ...west, target: { region: 'west' } as Target });
    expect(homes.stayMs(0, nowMs)).toBe(5);
    homes.remember(0, { ...west, owner: 'west/other' });
    expect(homes.stayMs(0, nowMs)).toBe(0);
  });
});
