import type { BehindTarget, KafkaCluster, Listener, Region, System, Target } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { type Box, strokeWidthOf } from './graph-edges.ts';
import { labelBox, layoutGraph } from './graph-layout.ts';
import { graphOf } from './graph-model.ts';

const since = '2026-11-21T12:00:00.000Z';
const rates = { requestsPerSecond: 40, errorsPerSecond: 0, p50Ms: 5, p99Ms: 25 };
const shared = {
  isAvailable: true,
  inFlight: 0,
  rates,
  health: { status: 'healthy' as const, since, reason: 'answered 200' },
  breaker: { state: 'closed' as const, since },
  discoveredBy: null,
  kafkaRates: null,
  behindError: null,
  behindAt: null,
};

const kafkaRates = { requestsPerSecond: 310, errorsPerSecond: 0, p50Ms: 2.5, p99Ms: 10 };

function bridgeOf(region: string): BehindTarget {
  const name = `${region}/bridge`;
  return { ...shared, url: `http://${region}-bridge`, name, kind: 'bridge', kafkaRates, behind: null };
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
    cluster: null,
    standsBy: false,
    isLocal: false,
    state: 'up',
    since,
    reason: '',
    inFlight: 0,
    consumerCount: 3,
    rates,
    targets: [{ ...shared, url: `http://${name}`, name: null, kind: 'gateway', behind: [bridgeOf(name)], ...target }],
    dnsNames: [],
  };
}

function systemOf(regions: Region[], redirects: System['redirects'] = []): System {
  return {
    at: since,
    gateway: { name: 'tier1', region: null, startedAt: since },
    state: 'up',
    summary: '',
    isPanic: false,
    clients: { connectionCount: 1, listeners: [], rates },
    regions,
    redirects,
    kafka: { state: 'up', since, reason: '' },
    clusters: null,
    consumers: { count: 6 },
    retryBudget: { remainingCount: 500, usedCount: 0 },
    config: { file: 'tier1.yaml', loadedAt: since, lastError: null },
    upstreamTls: null,
    admin: { name: 'admin', url: 'http://127.0.0.1:8081', protocols: ['http/1.1'], connectionCount: 0, tls: null },
    adminAccess: { canChange: true, reason: '' },
  };
}

test('requests go from clients over tier-1, gateway and bridge to Kafka, and each edge shows its traffic', () => {
  const { links } = graphOf(systemOf([regionOf('east')]));
  expect(links.map(({ id, label }) => [id, label[0]])).toEqual([
    ['clients → tier1', '40 req/s'],
    ['tier1 → east http://east', '40 req/s'],
    ['east http://east → east http://east http://east-bridge', '40 req/s'],
    ['east http://east http://east-bridge → kafka', '310 req/s'],
  ]);
});

test('the edge to Kafka shows what the bridge measures, and nothing before a bridge has reported', () => {
  const kafkaEdge = (bridge: Partial<BehindTarget>) =>
    graphOf(systemOf([regionOf('east', { behind: [{ ...bridgeOf('east'), ...bridge }] })])).links.find(
      ({ to }) => to === 'kafka',
    );
  expect(kafkaEdge({})).toMatchObject({
    label: ['310 req/s', '0 err/s', 'p99 ≤ 10 ms'],
    mark: 'up',
    requestsPerSecond: 310,
    note: expect.stringContaining('p99 of produce requests alone'),
  });
  expect(kafkaEdge({ kafkaRates: { ...kafkaRates, errorsPerSecond: 2 } })).toMatchObject({ mark: 'degraded' });
  expect(kafkaEdge({ kafkaRates: null })).toMatchObject({ label: [], mark: 'up', requestsPerSecond: 0 });
});

const tls = { notAfter: since, expiresSoon: false, names: [], problem: null };
const listener = (protocols: Listener['protocols'], state: Listener['tls']): Listener => ({
  name: 'l',
  url: 'x',
  protocols,
  connectionCount: 0,
  tls: state,
});

test.each<[string, Listener[]]>([
  ['plain HTTP', []],
  ['plain HTTP', [listener(['http/1.1'], null)]],
  ['plain HTTP, h2', [listener(['h2c', 'http/1.1'], null)]],
  ['HTTPS, h2', [listener(['h2', 'http/1.1'], tls)]],
  ['HTTP(S), h2', [listener(['http/1.1'], null), listener(['h2', 'http/1.1'], tls)]],
])('clients speak %s', (words, listeners) => {
  const system = systemOf([regionOf('east')]);
  system.clients.listeners = listeners;
  expect(graphOf(system).clients.subtitle).toBe(words);
});

test('bridges straight behind tier-1 have no gateway before them', () => {
  const [lane] = graphOf(systemOf([regionOf('east', { kind: 'bridge', behind: null })])).lanes;
  expect(lane?.gateways).toEqual([]);
  expect(lane?.bridges.map(({ title }) => title)).toEqual(['Bridge']);
});

test('bridges that a dead gateway reported before keep their place, with an unknown state', () => {
  const dead = regionOf('east', { behindError: 'connection refused', behindAt: since });
  const { lanes, links } = graphOf(systemOf([dead]));
  expect(lanes[0]?.bridges).toHaveLength(1);
  expect(lanes[0]?.bridges[0]).toMatchObject({
    subtitle: 'east-bridge',
    condition: { mark: 'unknown', since, reason: 'its gateway does not respond: connection refused' },
  });
  // Traffic reported then is not current.
  expect(links.slice(-2).map(({ label, requestsPerSecond }) => [label, requestsPerSecond])).toEqual([
    [['no traffic'], 0],
    [[], 0],
  ]);
});

test('one card represents the bridges of a gateway that never reported them', () => {
  const [lane] = graphOf(systemOf([regionOf('east', { behind: null, behindError: 'not asked yet' })])).lanes;
  expect(lane?.bridges.map(({ title }) => title)).toEqual(['Bridges']);
});

const clusterOf = (name: string, change: Partial<KafkaCluster> = {}): KafkaCluster => ({
  name,
  regions: [name],
  isActive: name === 'east',
  canServe: true,
  mode: name === 'east' ? 'active' : 'standby',
  promoted: null,
  replication: { from: 'east', to: 'west', problem: null, measuredAgoMs: 1, records: 12, seconds: 0.44, topics: [] },
  report: null,
  reportedAt: since,
  problem: null,
  ...change,
});

/** Each region over a Kafka of its own. */
function withClusters(system: System, west: Partial<KafkaCluster> = {}): System {
  for (const region of system.regions)
    Object.assign(region, { cluster: region.name, standsBy: region.name !== 'east' });
  const members = system.regions.map(({ name }) => clusterOf(name, name === 'west' ? west : {}));
  const common = {
    promotion: 1,
    since,
    reason: '',
    by: null,
    isReplicationEnded: true,
    promoteAfterMs: null,
    awaited: null,
    waitingCount: 0,
  };
  return { ...system, clusters: { active: 'east', ...common, members } };
}

test.each<[Partial<KafkaCluster>, object]>([
  [{}, { mark: 'up', label: ['12 records', '0.4 s behind'] }],
  [{ mode: 'fenced' }, { mark: 'unknown', label: ['none'] }],
])('bridges lead to the Kafka of their region, and replication from the active one to the other: %o', (west, edge) => {
  const { links, kafkas, lanes } = graphOf(withClusters(systemOf([regionOf('east'), regionOf('west')]), west));
  expect(
    links.filter(({ to }) => to.startsWith('kafka')).map(({ from, to }) => `${from.split(' ')[0]} to ${to}`),
  ).toEqual(['east to kafka east', 'west to kafka west', 'kafka to kafka west']);
  expect(links.at(-1)).toMatchObject({ kind: 'replication', from: 'kafka east', ...edge });
  expect(kafkas.map(({ title }) => title)).toEqual(['Kafka east', 'Kafka west']);
  expect(lanes.map(({ condition }) => condition.words)).toEqual(['up', 'stands by']);
});

test('work of a lost region has its own edge, to the region that serves it', () => {
  const system = systemOf([regionOf('east'), regionOf('west')], [{ from: 'east', to: 'west', requestsPerSecond: 21 }]);
  expect(graphOf(system).links.find(({ kind }) => kind === 'redirect')).toMatchObject({
    from: 'tier1',
    to: 'west http://west',
    label: ['east’s work, in west', '21 req/s'],
  });
});

function isApart(a: Box, b: Box): boolean {
  return a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
}

test.each([1280, 390])('in a page %i pixels wide no card overlaps another or leaves the page', (width) => {
  const system = systemOf(['east', 'west', 'north'].map((name) => regionOf(name)));
  const layout = layoutGraph(graphOf(system), width);
  const boxes = layout.cards.map(({ box }) => box);
  expect(boxes).toHaveLength(9);
  for (const [index, a] of boxes.entries()) {
    expect(a.x).toBeGreaterThanOrEqual(0);
    expect(a.x + a.width).toBeLessThanOrEqual(layout.width + 0.01);
    expect(a.y + a.height).toBeLessThanOrEqual(layout.height);
    for (const b of boxes.slice(index + 1)) expect([a, b, isApart(a, b)]).toEqual([a, b, true]);
  }
  expect(layout.edges.every(({ path }) => !path.includes('NaN'))).toBe(true);
});

/** The longest figures that occur. */
const busy = { requestsPerSecond: 12_345, errorsPerSecond: 1_234, p50Ms: 100, p99Ms: 2_500 };

/** A region with a gateway before the bridges, or with bridges straight behind tier-1. */
function busyRegion(name: string, { bridgeCount, isDirect }: { bridgeCount: number; isDirect: boolean }): Region {
  const bridges = Array.from({ length: bridgeCount }, (_, index) => ({
    ...bridgeOf(name),
    url: `http://${name}-bridge-${index}`,
    rates: busy,
    kafkaRates: busy,
  }));
  return isDirect ? { ...regionOf(name), targets: bridges } : regionOf(name, { rates: busy, behind: bridges });
}

test.each(
  [1280, 1180, 900, 390].flatMap((width) =>
    [1, 2, 3].flatMap((bridgeCount) =>
      [false, true].flatMap((isDirect) =>
        [2, 3].flatMap((regionCount) =>
          [false, true].map((hasClusters) => [width, regionCount, bridgeCount, isDirect, hasClusters] as const),
        ),
      ),
    ),
  ),
)(
  'in a page %i pixels wide, with %i regions of %i bridges (straight behind tier-1: %s; a Kafka each: %s), no label lies on a card or on another label',
  (width, regionCount, bridgeCount, isDirect, hasClusters) => {
    const names = ['east', 'west', 'north'].slice(0, regionCount);
    const regions = names.map((name) => busyRegion(name, { bridgeCount, isDirect }));
    const oneKafka = systemOf(regions, [{ from: 'east', to: 'west', requestsPerSecond: 1_234 }]);
    const system = hasClusters ? withClusters(oneKafka) : oneKafka;
    const { edges, cards } = layoutGraph(
      graphOf({ ...system, clients: { connectionCount: 1, listeners: [], rates: busy } }),
      width,
    );
    const labels = edges
      .filter(({ link }) => link.label.length > 0)
      .map((edge) => ({ id: edge.link.id, box: labelBox(edge) }));
    const all = [...labels, ...cards.map(({ card, box }) => ({ id: card.id, box }))];
    const covered = labels.flatMap((a, index) =>
      all.slice(index + 1).flatMap((b) => (isApart(a.box, b.box) ? [] : [`${a.id} and ${b.id}`])),
    );
    expect(covered).toEqual([]);
  },
);

test.each([1280, 390])(
  'in a page %i pixels wide, the idle edge that redirected work left has no label in its way',
  (width) => {
    const dead = regionOf('east', { rates: { ...rates, requestsPerSecond: 0 } });
    const system = systemOf([dead, regionOf('west')], [{ from: 'east', to: 'west', requestsPerSecond: 21 }]);
    const labels = new Map(layoutGraph(graphOf(system), width).edges.map(({ link }) => [link.id, link.label.length]));
    expect(labels.get('tier1 → east http://east')).toBe(0);
    expect(labels.get('tier1 → west http://west')).toBe(3);
  },
);

test('an edge is wider for more traffic, within bounds', () => {
  const widths = [0, 10, 100, 1_000, 50_000].map((requestsPerSecond) => strokeWidthOf({ requestsPerSecond }));
  expect(widths).toEqual([...widths].sort((a, b) => a - b));
  expect(widths[0]).toBe(2);
  expect(widths.at(-1)).toBe(14);
});
