import type { KafkaCluster, KafkaClusters, Region } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { type Facts, judgeSystem, summarize } from './summary.ts';

function region(name: string, facts: Partial<Region> = {}): Region {
  return {
    name,
    weight: 50,
    configuredWeight: 50,
    weightIsOverridden: false,
    shareRatio: null,
    priority: 0,
    isDrained: false,
    cluster: null,
    standsBy: false,
    isLocal: false,
    state: 'up',
    since: '2026-01-01T12:03:11.000Z',
    reason: 'why',
    inFlight: 0,
    consumerCount: 0,
    targets: [],
    dnsNames: [],
    rates: { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null },
    ...facts,
  };
}

function factsOf(facts: Partial<Facts> = {}): Facts {
  const [east, west] = [region('east'), region('west')];
  return {
    at: '2026-01-01T12:10:00.000Z',
    gateway: { name: 'tier1', region: null, startedAt: east.since },
    isPanic: false,
    clients: { connectionCount: 0, listeners: [], rates: east.rates },
    regions: [east, west],
    redirects: [],
    kafka: { state: 'up', since: null, reason: '' },
    clusters: null,
    consumers: { count: 0 },
    retryBudget: { remainingCount: 0, usedCount: 0 },
    config: { file: 'tier1.yaml', loadedAt: east.since, lastError: null },
    upstreamTls: null,
    admin: { name: 'admin', url: 'http://127.0.0.1:8081', protocols: ['http/1.1'], connectionCount: 0, tls: null },
    adminAccess: { canChange: true, reason: '' },
    ...facts,
  };
}

const DOWN = { state: 'down', reason: 'probe timed out after 500 ms, 2 in a row' } as const;

function clusters(facts: Partial<KafkaClusters> = {}, west: Partial<KafkaCluster> = {}): KafkaClusters {
  const member = (name: string): KafkaCluster => ({
    name,
    regions: [name],
    isActive: name === 'east',
    canServe: true,
    mode: name === 'east' ? 'active' : 'standby',
    promoted: null,
    replication: null,
    report: null,
    reportedAt: null,
    problem: null,
  });
  return {
    active: 'east',
    promotion: 1,
    since: '2026-01-01T12:03:11.000Z',
    reason: 'the configuration says so',
    by: null,
    isReplicationEnded: true,
    promoteAfterMs: null,
    awaited: null,
    waitingCount: 0,
    members: [member('east'), { ...member('west'), ...west }],
    ...facts,
  };
}

const REPLICATION = { from: 'east', to: 'west', measuredAgoMs: null, records: 0, seconds: 0, topics: [] };

test.each<[string, Partial<Facts>, string, string]>([
  [
    'one of two Kafka clusters is active',
    { clusters: clusters() },
    'up',
    'Healthy: east and west up; Kafka cluster east is active; no consumers are known.',
  ],
  [
    'another one was promoted',
    { clusters: clusters({ active: 'west', promotion: 2, reason: 'operator ann asked for it', waitingCount: 3 }) },
    'up',
    'Healthy: east and west up; Kafka cluster west is active since 12:03:11 UTC (operator ann asked for it); 3 requests wait for a Kafka cluster; no consumers are known.',
  ],
  [
    'a cluster is fenced',
    { clusters: clusters({}, { mode: 'fenced' }) },
    'degraded',
    'Kafka cluster east is active; Kafka cluster west is fenced: it may have records that east lacks; no consumers are known.',
  ],
  [
    'a standby reports nothing',
    { clusters: clusters({}, { problem: 'no response in time' }) },
    'degraded',
    'Kafka cluster east is active; Kafka cluster west reports nothing: no response in time; no consumers are known.',
  ],
  [
    'what a loss would cost cannot be measured',
    { clusters: clusters({}, { replication: { ...REPLICATION, problem: 'no offset syncs' } }) },
    'degraded',
    'Kafka cluster east is active; it is unknown what Kafka cluster west lacks: no offset syncs; no consumers are known.',
  ],
  ['everything is healthy', {}, 'up', 'Healthy: east and west up; no consumers are known.'],
  [
    'a region is down',
    {
      regions: [region('east', DOWN), region('west', { consumerCount: 12 })],
      redirects: [{ from: 'east', to: 'west', requestsPerSecond: 5 }],
      consumers: { count: 12 },
    },
    'degraded',
    'East is down since 12:03:11 UTC (probe timed out after 500 ms, 2 in a row), its traffic goes to west; consumers: 12 on west.',
  ],
  [
    'a region is down, and so is a region that took its traffic',
    {
      regions: [region('east', DOWN), region('west', DOWN), region('north')],
      redirects: [
        { from: 'east', to: 'west', requestsPerSecond: 5 },
        { from: 'east', to: 'north', requestsPerSecond: 5 },
        { from: 'west', to: 'east', requestsPerSecond: 5 },
      ],
    },
    'degraded',
    `East is down since 12:03:11 UTC (${DOWN.reason}), its traffic goes to north; west is down since 12:03:11 UTC (${DOWN.reason}); no consumers are known.`,
  ],
  [
    'Kafka is down',
    { kafka: { state: 'down', since: '2026-01-01T12:00:00.000Z', reason: 'no broker answers' } },
    'degraded',
    'Kafka does not respond since 12:00:00 UTC: no broker answers; no consumers are known.',
  ],
  [
    'a change was refused',
    { config: { file: 'a.yaml', loadedAt: '', lastError: { at: '2026-01-01T12:00:00.000Z', reason: 'a.yaml:3: no' } } },
    'degraded',
    'A change of a.yaml was refused at 12:00:00 UTC: a.yaml:3: no; no consumers are known.',
  ],
  [
    'an operator drains a region, which is no fault',
    { regions: [region('east', { isDrained: true, weight: 0 }), region('west')] },
    'up',
    'Healthy: east and west up; east is drained by an operator; no consumers are known.',
  ],
])('when %s', (_, facts, state, sentence) => {
  const all = factsOf(facts);
  expect(judgeSystem(all, true)).toBe(state);
  expect(summarize(all, judgeSystem(all, true))).toBe(sentence);
});

test('the summary reports that no region has weight, beside everything else', () => {
  const regions = [region('east', { weight: 0 }), region('west', { weight: 0 })];
  const config = { file: 'a.yaml', loadedAt: '', lastError: { at: '2026-01-01T12:00:00.000Z', reason: 'no' } };
  expect(summarize(factsOf({ regions }), 'down')).toBe(
    'No region has weight: no request can be served; no consumers are known.',
  );
  expect(summarize(factsOf({ regions, config }), 'down')).toContain(
    '; no region has weight: no request can be served;',
  );
});

test('the summary reports that no region can serve', () => {
  const redirects = [
    { from: 'east', to: 'west', requestsPerSecond: 5 },
    { from: 'west', to: 'east', requestsPerSecond: 5 },
  ];
  const facts = factsOf({ regions: [region('east', DOWN), region('west', DOWN)], redirects });
  expect(judgeSystem(facts, false)).toBe('down');
  const why = `down since 12:03:11 UTC (${DOWN.reason}), and no other region can take its traffic`;
  expect(summarize(facts, 'down')).toBe(`East is ${why}; west is ${why}; no consumers are known.`);
});

test('a DNS name without addresses degrades the system, and is named once', () => {
  const since = '2026-01-01T12:04:00.000Z';
  const dnsNames = [{ name: 'bridge.test', addressCount: 3, problem: 'does not exist (NXDOMAIN)', since }];
  const facts = factsOf({ regions: [region('east', { dnsNames }), region('west', { dnsNames })] });
  expect(judgeSystem(facts, true)).toBe('degraded');
  expect(summarize(facts, 'degraded')).toBe(
    'The DNS name bridge.test does not exist (NXDOMAIN) since 12:04:00 UTC, 3 of its addresses in use; no consumers are known.',
  );
});
