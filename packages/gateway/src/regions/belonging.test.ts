import { afterEach, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import { isWhole, redirectedFrom } from './belonging.ts';
import { selectTarget } from './select.ts';
import type { RegionSnapshot, Snapshot } from './snapshot.ts';
import { Target } from './target.ts';

const config = testConfig({ regions: [{ name: 'any', targets: [{ url: 'http://127.0.0.1:1' }] }] });
const targets: Target[] = [];
afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => target.close()));
});

type Spec = Record<string, { weight?: number; priority?: number; isHealthy?: boolean }>;

function snapshotOf(specs: Spec): Snapshot {
  const regions = Object.entries(specs).map(
    ([name, { weight = 100, priority = 0, isHealthy = true }]): RegionSnapshot => {
      const target = new Target({
        region: name,
        url: `http://${name}`,
        settings: config,
        createTransport: transportFactory({}),
        now: () => 0,
        onBreakerChange: () => {},
      });
      const status = isHealthy ? 'healthy' : 'unhealthy';
      target.health = { status, contraryCount: 0, reason: '', publicReason: '', isSilent: false };
      targets.push(target);
      return {
        name,
        weight,
        priority,
        configuredWeight: weight,
        usableWeight: weight,
        standsBy: false,
        weightIsOverridden: false,
        isDrained: false,
        isLocal: false,
        targets: [target],
      };
    },
  );
  return { regions, isPanic: false, isWhole: isWhole(regions), clusters: undefined, settings: config };
}

/** Returns the share of work of each pair of regions: where it belongs, and which region serves it. */
function redirects(snapshot: Snapshot, ownedHash: (index: number) => number | undefined, count = 20_000) {
  const pairs = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const hash = ownedHash(index);
    const request = { ownedHash: hash, home: undefined, localOnly: false, random: Math.random };
    const target = selectTarget(snapshot, request, []);
    if (target === undefined) throw new Error('no target');
    const from = redirectedFrom(snapshot, request, { tried: [target], servedBy: target.region });
    const pair = `${from ?? target.region} ${target.region}`;
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1 / count);
  }
  return pairs;
}

test.each<[string, Spec, boolean]>([
  ['all regions are healthy', { east: {}, west: {} }, true],
  ['one with weight is down', { east: { isHealthy: false }, west: {} }, false],
  ['one without weight is down', { east: { isHealthy: false, weight: 0 }, west: {} }, true],
  ['one of a higher priority is down', { east: {}, west: { isHealthy: false, priority: 1 } }, true],
  ['the region of the first priority is down', { east: { isHealthy: false }, west: { priority: 1 } }, false],
])('isWhole when %s', (_, spec, expected) => {
  expect(snapshotOf(spec).isWhole).toBe(expected);
});

test.each<[string, (index: number) => number | undefined]>([
  ['by chance', () => undefined],
  ['of consumers', (index) => Math.imul(index + 1, 2_654_435_761) >>> 0],
])('a region that is down has its share of the work redirected: work %s', (_, hash) => {
  const pairs = redirects(
    snapshotOf({ east: { weight: 60, isHealthy: false }, west: { weight: 30 }, north: { weight: 10 } }),
    hash,
  );
  expect(pairs.get('east west')).toBeCloseTo(0.6 * 0.75, 1);
  expect(pairs.get('east north')).toBeCloseTo(0.6 * 0.25, 1);
  expect(pairs.get('west west')).toBeCloseTo(0.3, 1);
  expect(pairs.get('north north')).toBeCloseTo(0.1, 1);
  expect([...pairs.keys()].every((pair) => !pair.endsWith(' east'))).toBe(true);
});

test('work of the first priority is redirected to the next one', () => {
  const pairs = redirects(snapshotOf({ east: { isHealthy: false }, west: { priority: 1 } }), () => undefined, 100);
  expect([...pairs.keys()]).toEqual(['east west']);
});

test('after a retry, work is redirected from the region of the first attempt; a region that serves has no redirects', () => {
  const snapshot = snapshotOf({ east: {}, west: {} });
  const [east, west] = snapshot.regions.map((region) => region.targets[0]) as [Target, Target];
  const request = { ownedHash: undefined, localOnly: false, random: Math.random };
  expect(redirectedFrom(snapshot, request, { tried: [east, west], servedBy: 'west' })).toBe('east');
  expect(redirectedFrom(snapshot, request, { tried: [west], servedBy: 'west' })).toBeUndefined();
  const crossed = { ...request, localOnly: true };
  expect(redirectedFrom(snapshot, crossed, { tried: [east, west], servedBy: 'west' })).toBeUndefined();
});
