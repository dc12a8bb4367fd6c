import { expect, test } from 'vitest';
import type { BehindTarget, Region, System, Target } from '../model.ts';
import { strokeWidthOf } from './graph-edges.ts';
import { layoutGraph } from './graph-layout.ts';
import { graphOf } from './graph-model.ts';

const since = '2026-11-21T12:00:00.000Z';
const rates = { requestsPerSecond: 40, errorsPerSecond: 0, p50Ms: 5, p99Ms: 25 };
const shared = {
  isAvailable: true,
  inFlight: 0,
  rates,
  health: { status: 'healthy' as const, since, reason: 'answered 200' },
  breaker: { state: 'closed' as const, since },
  behindError: null,
};

function bridgeOf(region: string): BehindTarget {
  return { ...shared, url: `http://${region}-bridge`, name: `${region}/bridge`, kind: 'bridge', behind: null };
}

function regionOf(name: string, target: Partial<Target> = {}): Region {
  return {
    name,
    weight: 50,
    configuredWeight: 50,
    weightIsOverridden: false,
    shareRatio: 0.5,
    priority: 0,
    isDrained: false,
    isLocal: false,
    state: 'up',
    since,
    reason: '',
    inFlight: 0,
    consumerCount: 3,
    rates,
    targets: [{ ...shared, url: `http://${name}`, name: null, kind: 'gateway', behind: [bridgeOf(name)], ...target }],
  };
}

function systemOf(regions: Region[], redirects: System['redirects'] = []): System {
  return {
    at: since,
    gateway: { name: 'tier1', region: null, startedAt: since },
    state: 'up',
    summary: '',
    isPanic: false,
    clients: { connectionCount: 1, rates },
    regions,
    redirects,
    kafka: { state: 'up', since, reason: '' },
    consumers: { count: 6 },
    retryBudget: { remainingCount: 500, usedCount: 0 },
    config: { file: 'tier1.yaml', loadedAt: since, lastError: null },
    adminAccess: { canChange: true, reason: '' },
  };
}

test('requests go from clients over tier-1, gateway and bridge to Kafka, and each edge tells its traffic', () => {
  const { links } = graphOf(systemOf([regionOf('east')]));
  expect(links.map(({ id, label }) => [id, label[0]])).toEqual([
    ['clients → tier1', '40 req/s'],
    ['tier1 → east http://east', '40 req/s'],
    ['east http://east → east http://east http://east-bridge', '40 req/s'],
    ['east http://east http://east-bridge → kafka', undefined],
  ]);
});

test('bridges straight behind tier-1 have no gateway before them', () => {
  const [lane] = graphOf(systemOf([regionOf('east', { kind: 'bridge', behind: null })])).lanes;
  expect(lane?.gateways).toEqual([]);
  expect(lane?.bridges.map(({ title }) => title)).toEqual(['Bridge']);
});

test('bridges that a dead gateway told of before stay where they were, and their state is not known', () => {
  const dead = regionOf('east', { behind: null, behindError: 'connection refused' });
  const [lane] = graphOf(systemOf([dead]), new Map([['http://east', [bridgeOf('east')]]])).lanes;
  expect(lane?.bridges).toHaveLength(1);
  expect(lane?.bridges[0]).toMatchObject({
    subtitle: 'east-bridge',
    condition: { mark: 'unknown', reason: 'its gateway does not tell: connection refused' },
  });
});

test('work of a lost region is an edge of its own, into the region that does it', () => {
  const system = systemOf([regionOf('east'), regionOf('west')], [{ from: 'east', to: 'west', requestsPerSecond: 21 }]);
  expect(graphOf(system).links.find(({ kind }) => kind === 'redirect')).toMatchObject({
    from: 'tier1',
    to: 'west http://west',
    label: ['east’s work, in west', '21 req/s'],
  });
});

test.each([1280, 390])('in a page %i pixels wide no card lies on another, and none sticks out', (width) => {
  const system = systemOf(['east', 'west', 'north'].map((name) => regionOf(name)));
  const layout = layoutGraph(graphOf(system), width);
  const boxes = layout.cards.map(({ box }) => box);
  expect(boxes).toHaveLength(9);
  for (const [index, a] of boxes.entries()) {
    expect(a.x).toBeGreaterThanOrEqual(0);
    expect(a.x + a.width).toBeLessThanOrEqual(layout.width + 0.01);
    expect(a.y + a.height).toBeLessThanOrEqual(layout.height);
    for (const b of boxes.slice(index + 1)) {
      const isApart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      expect([a, b, isApart]).toEqual([a, b, true]);
    }
  }
  expect(layout.edges.every(({ path }) => !path.includes('NaN'))).toBe(true);
});

test('an edge is wider for more traffic, within bounds', () => {
  const widths = [0, 10, 100, 1_000, 50_000].map((requestsPerSecond) => strokeWidthOf({ requestsPerSecond }));
  expect(widths).toEqual([...widths].sort((a, b) => a - b));
  expect(widths[0]).toBe(2);
  expect(widths.at(-1)).toBe(14);
});
