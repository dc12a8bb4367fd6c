import { hashText } from '@causeway/protocol/hash-text.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import { isWhole } from './belonging.ts';
import { canServe, isHeldUpByLimit, type SelectionRequest, selectTarget } from './select.ts';
import { isPanic, type RegionSnapshot, type Snapshot } from './snapshot.ts';
import { Target } from './target.ts';

const config = testConfig({ regions: [{ name: 'any', targets: [{ url: 'http://127.0.0.1:1' }] }] });
const targets: Target[] = [];
afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => target.close()));
});

interface RegionSpec {
  weight?: number;
  priority?: number;
  isLocal?: boolean;
  /** One letter for each target: `h`ealthy or `u`nhealthy. */
  health?: string;
}

function snapshotOf(specs: Record<string, RegionSpec>, panicPercent = 0): Snapshot {
  const regions = Object.entries(specs).map(
    ([name, { weight = 100, priority = 0, isLocal = false, health = 'h' }]): RegionSnapshot => ({
      name,
      weight,
      configuredWeight: weight,
      usableWeight: weight,
      standsBy: false,
      weightIsOverridden: false,
      priority,
      isDrained: false,
      isLocal,
      targets: [...health].map((letter, index) => {
        const target = new Target({
          region: name,
          url: `http://${name}-${index}`,
          settings: config,
          createTransport: transportFactory({}),
          now: () => 0,
          onBreakerChange: () => {},
        });
        target.health = {
          status: letter === 'h' ? 'healthy' : 'unhealthy',
          contraryCount: 0,
          reason: '',
          publicReason: '',
          isSilent: false,
        };
        targets.push(target);
        return target;
      }),
    }),
  );
  return {
    regions,
    isPanic: isPanic(regions, panicPercent),
    isWhole: isWhole(regions),
    clusters: undefined,
    settings: config,
  };
}

/** Returns all targets in the order of attempts. */
function order(snapshot: Snapshot, request: Partial<SelectionRequest> = {}): string[] {
  const full: SelectionRequest = {
    ownedHash: undefined,
    home: undefined,
    localOnly: false,
    random: () => 0.5,
    ...request,
  };
  const tried: Target[] = [];
  for (
    let target = selectTarget(snapshot, full, tried);
    target !== undefined;
    target = selectTarget(snapshot, full, tried)
  ) {
    tried.push(target);
  }
  return tried.map((target) => target.url.slice('http://'.length));
}

function firstChoices(snapshot: Snapshot, consumerCount: number): Map<number, string> {
  const choices = new Map<number, string>();
  for (let consumer = 0; consumer < consumerCount; consumer += 1) {
    choices.set(consumer, order(snapshot, { ownedHash: hashText(`group\u0000consumer-${consumer}`) })[0] ?? '');
  }
  return choices;
}

function share(choices: Map<number, string>, name: string): number {
  return [...choices.values()].filter((choice) => choice.startsWith(name)).length / choices.size;
}

describe('the order', () => {
  test.each<[string, Record<string, RegionSpec>, Partial<SelectionRequest>, string[]]>([
    ['the lowest priority first', { east: { priority: 1 }, west: { priority: 0 } }, {}, ['west-0', 'east-0']],
    [
      'what is down comes last, whatever its priority',
      { east: { health: 'u' }, west: { priority: 5 } },
      {},
      ['west-0', 'east-0'],
    ],
    [
      'the rest of the region before the next one',
      { east: { health: 'hu' }, west: { priority: 1 } },
      {},
      ['east-0', 'west-0', 'east-1'],
    ],
    ['no work for weight 0', { east: { weight: 0 }, west: {} }, {}, ['west-0']],
    [
      'only the own region after a crossing',
      { east: { isLocal: true, priority: 1 }, west: {} },
      { localOnly: true },
      ['east-0'],
    ],
    ['nothing without weight', { east: { weight: 0 } }, {}, []],
  ])('%s', (_, specs, request, expected) => {
    expect(order(snapshotOf(specs), request)).toEqual(expected);
  });

  test('panic ignores health', () => {
    const specs = { east: { health: 'u' }, west: { health: 'u', priority: 1 } };
    expect(order(snapshotOf(specs, 30))).toEqual(['east-0', 'west-0']);
    expect(snapshotOf(specs, 30).isPanic).toBe(true);
    expect(snapshotOf(specs, 0).isPanic).toBe(false);
    expect(snapshotOf({ east: { health: 'hu' } }, 50).isPanic).toBe(false);
    expect(snapshotOf({ east: { health: 'hu' } }, 51).isPanic).toBe(true);
  });
});

test('one healthy priority prevents panic, whatever the others are', () => {
  const specs = { east: { health: 'uuu' }, west: { health: 'h', priority: 1 } };
  expect(snapshotOf(specs, 30).isPanic).toBe(false);
  expect(order(snapshotOf(specs, 30))[0]).toBe('west-0');
});

test('without any weight there is no panic and no traffic', () => {
  const specs = { east: { weight: 0 }, west: { weight: 0, health: 'u' } };
  expect(snapshotOf(specs, 30).isPanic).toBe(false);
  expect(order(snapshotOf(specs, 30))).toEqual([]);
});

test('a silent target is tried first or never', () => {
  const snapshot = snapshotOf({ east: { health: 'u' }, west: {} });
  const east = snapshot.regions[0]?.targets[0];
  if (east !== undefined) east.health = { ...east.health, isSilent: true };
  expect(order(snapshot)).toEqual(['west-0']);
  expect(order({ ...snapshot, regions: snapshot.regions.slice(0, 1) })).toEqual(['east-0']);
});

test('a target that cannot help is not selected, neither as home nor otherwise', () => {
  const snapshot = snapshotOf({ east: {}, west: { priority: 1 } });
  const [east, west] = snapshot.regions.map(({ targets: [target] }) => target as Target) as [Target, Target];
  const request: SelectionRequest = { ownedHash: 1, home: east, localOnly: false, random: () => 0.5 };
  expect(selectTarget(snapshot, { ...request, helps: (target) => target !== east }, [])).toBe(west);
  expect(selectTarget(snapshot, { ...request, helps: (target) => target !== west }, [])).toBe(east);
  expect(selectTarget(snapshot, { ...request, helps: () => false }, [])).toBeUndefined();
});

test('among targets that are down, the lower priority comes first', () => {
  const specs = { east: { health: 'u', priority: 2 }, west: { health: 'u', priority: 1 }, north: { priority: 3 } };
  expect(order(snapshotOf(specs, 0))).toEqual(['north-0', 'west-0', 'east-0']);
});

describe('a consumer', () => {
  test('goes home first, also when its region gets no new work, but not when its home is unhealthy', () => {
    const snapshot = snapshotOf({ east: { weight: 0 }, west: {} });
    const home = snapshot.regions[0]?.targets[0];
    expect(order(snapshot, { home })).toEqual(['east-0', 'west-0']);
    if (home !== undefined)
      home.health = { status: 'unhealthy', contraryCount: 0, reason: '', publicReason: '', isSilent: false };
    expect(order(snapshot, { home })).toEqual(['west-0']);
  });

  test('is placed again when its home left the configuration', () => {
    const gone = snapshotOf({ north: {} }).regions[0]?.targets[0];
    expect(order(snapshotOf({ east: {} }), { home: gone })).toEqual(['east-0']);
  });

  test('is placed by weight', () => {
    const choices = firstChoices(snapshotOf({ east: { weight: 80 }, west: { weight: 20 } }), 2_000);
    expect(share(choices, 'east')).toBeGreaterThan(0.77);
    expect(share(choices, 'east')).toBeLessThan(0.83);
  });

  test('moves only when it must: a lost region moves its own consumers, a weight moves its share', () => {
    const before = firstChoices(snapshotOf({ east: {}, west: {}, north: {} }), 1_000);
    const lost = firstChoices(snapshotOf({ east: {}, west: { health: 'u' }, north: {} }), 1_000);
    const changed = firstChoices(snapshotOf({ east: {}, west: { weight: 50 }, north: {} }), 1_000);
    for (const [consumer, choice] of before) {
      if (choice !== 'west-0') {
        expect(lost.get(consumer)).toBe(choice);
        expect(changed.get(consumer)).toBe(choice);
      }
    }
    expect(share(lost, 'west')).toBe(0);
    expect(share(changed, 'west')).toBeLessThan(share(before, 'west'));
  });

  test('is spread over the targets of its region', () => {
    const choices = firstChoices(snapshotOf({ east: { health: 'hhhh' } }), 2_000);
    for (const target of ['east-0', 'east-1', 'east-2', 'east-3']) {
      expect(share(choices, target)).toBeGreaterThan(0.2);
      expect(share(choices, target)).toBeLessThan(0.3);
    }
  });
});

test('other work is spread by weight at random', () => {
  const snapshot = snapshotOf({ east: { weight: 90 }, west: { weight: 10, health: 'hh' } });
  let seed = 7;
  // Park and Miller's minimal standard generator: the same numbers in each run.
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const counts = new Map<string, number>();
  for (let index = 0; index < 5_000; index += 1) {
    const first = order(snapshot, { random })[0] ?? '';
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  expect(counts.get('east-0')).toBeGreaterThan(4_350);
  expect(counts.get('east-0')).toBeLessThan(4_650);
  expect(counts.get('west-0')).toBeGreaterThan(190);
  expect(counts.get('west-1')).toBeGreaterThan(190);
});

/** Fills a target up to its limit. */
function fill(target: Target): void {
  for (let count = 0; count < config.upstream.maxInFlight; count += 1) {
    target.inFlight.add({ listIndex: -1, deadlineMs: 0, onDeadline: () => {}, targetDeclaredDown: () => false });
  }
}

describe('a request that no target can take is held up by a limit', () => {
  const request: SelectionRequest = { ownedHash: undefined, home: undefined, localOnly: false, random: () => 0.5 };
  const targetOf = (snapshot: Snapshot): Target => snapshot.regions[0]?.targets[0] as Target;

  test.each<[string, Parameters<typeof snapshotOf>[0], Partial<SelectionRequest>, boolean]>([
    ['a full target is healthy', { east: {} }, {}, true],
    ['one of two targets is full', { east: { health: 'hh' } }, {}, true],
    ['one of two regions is full', { east: {}, west: { weight: 0 } }, {}, true],
    ['the full target is local', { east: { isLocal: true } }, { localOnly: true }, true],
    ['the full target may help', { east: {} }, { helps: () => true }, true],
    ['the full target is unhealthy', { east: { health: 'u' } }, {}, false],
    ['the full target gets no work', { east: { weight: 0 } }, {}, false],
    ['the full target is in another region', { east: {} }, { localOnly: true }, false],
    ['the full target cannot help', { east: {} }, { helps: () => false }, false],
  ])('when %s', (_, specs, overrides, expected) => {
    const snapshot = snapshotOf(specs);
    expect(isHeldUpByLimit(snapshot, { ...request, ...overrides }, [])).toBe(false);
    fill(targetOf(snapshot));
    expect(isHeldUpByLimit(snapshot, { ...request, ...overrides }, [])).toBe(expected);
    expect(isHeldUpByLimit(snapshot, { ...request, ...overrides }, [targetOf(snapshot)])).toBe(false);
  });
});

test.each<[string, Parameters<typeof snapshotOf>[0], boolean, boolean]>([
  ['one of two targets is healthy', { east: { health: 'uh' } }, false, true],
  ['one of two regions is healthy', { east: { health: 'u' }, west: { weight: 1 } }, false, true],
  ['no target is healthy', { east: { health: 'u' } }, false, false],
  ['the healthy region gets no work', { east: { health: 'u' }, west: { weight: 0 } }, false, false],
  ['the local region is healthy', { east: { isLocal: true } }, true, true],
  ['only another region is healthy', { east: {}, west: { isLocal: true, health: 'u' } }, true, false],
])('canServe when %s', (_, specs, localOnly, expected) => {
  expect(canServe(snapshotOf(specs), localOnly)).toBe(expected);
});
