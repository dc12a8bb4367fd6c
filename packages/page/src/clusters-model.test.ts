import type { System } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { fixtureState } from '../../../test/harness/admin-fixture.ts';
import { addClusters, loseEast, replicationOf } from '../../../test/harness/cluster-fixture.ts';
import { doneWithCluster, textOfClusterChange } from './cluster-change-text.ts';
import { certaintyOf, conditionOfCluster, flowTo, lossWords, reportsOf, waitingWords } from './clusters-model.ts';

function twoClusters(): { system: System; nowMs: number } & ReturnType<typeof addClusters> {
  const { system } = fixtureState(['east', 'west']);
  return { system, nowMs: Date.parse(system.at), ...addClusters(system) };
}

test.each<[object, object]>([
  [{}, { mark: 'drained', words: 'standby', reason: '' }],
  [{ mode: 'fenced' }, { mark: 'down', words: 'fenced', reason: 'It may have records that east lacks.' }],
  [
    { mode: 'unknown', problem: 'not asked yet' },
    { mark: 'unknown', words: 'unknown', reason: 'not asked yet' },
  ],
  // Its bridges do not know the last promotion yet: two clusters would take requests.
  [{ mode: 'active' }, { mark: 'degraded', words: 'active', reason: expect.stringContaining('promotion 1') }],
  [
    { canServe: false, problem: 'none of its targets is available' },
    { mark: 'down', words: 'cannot serve', reason: expect.stringMatching(/^None of .* last reported standby\.$/) },
  ],
  [
    { isActive: true, mode: 'active' },
    { mark: 'up', words: 'active', since: expect.any(String) },
  ],
  [
    { isActive: true, mode: 'pausing' },
    { mark: 'degraded', words: 'pausing' },
  ],
  [
    { isActive: true, mode: 'standby' },
    { mark: 'degraded', reason: expect.stringContaining('they report standby') },
  ],
  [
    { isActive: true, mode: 'active', canServe: false },
    { mark: 'down', words: 'active, cannot serve' },
  ],
])('a cluster that is %o is shown as %o', (change, expected) => {
  const { clusters, west } = twoClusters();
  expect(conditionOfCluster({ ...west, ...change }, clusters)).toMatchObject(expected);
});

test.each([
  [false, 40, 'MirrorMaker may still fill east, so nothing fills this one'],
  // Other programs than ours turn MirrorMaker and report nothing.
  [false, 2, undefined],
  [true, 40, undefined],
  [null, 40, undefined],
])(
  'with the end of the old direction reported: %s, and %i s behind, the standby says why: %s',
  (isReplicationEnded, seconds, why) => {
    const { clusters, west } = twoClusters();
    const late = { ...west, replication: replicationOf('east', 'west', { records: 5, seconds }) };
    const { reason } = conditionOfCluster(late, { ...clusters, isReplicationEnded });
    expect(reason).toEqual(why === undefined ? '' : expect.stringContaining(why));
  },
);

const LAG = { records: 12, seconds: 0.44 };
test.each<[string, { east?: object; west?: object }, object, string]>([
  ['measured by the standby', {}, { kind: 'measured', status: LAG }, '12 records, 0.4 s, as last measured'],
  [
    'measured by the active one, while no bridge of the standby responds',
    { west: { problem: 'connection refused', replication: null } },
    { kind: 'measured', status: LAG },
    '12 records, 0.4 s, as last measured',
  ],
  [
    'known as of the last measurement, once the active one is gone',
    {
      east: { problem: 'connection refused' },
      west: { replication: replicationOf('east', 'west', { ...LAG, problem: 'no answer', measuredAgoMs: 7_000 }) },
    },
    { kind: 'unmeasured', problem: 'connection refused', ageMs: 400, status: LAG },
    'an unknown number of records; 0 s ago it was 12 records, 0.4 s',
  ],
  [
    'unknown before the first measurement',
    {
      east: { replication: null },
      west: { replication: replicationOf('east', 'west', { problem: 'not measured yet', measuredAgoMs: null }) },
    },
    { kind: 'unmeasured', problem: 'not measured yet', status: null },
    'an unknown number of records',
  ],
  [
    'unknown, where the reports are of other directions',
    { east: { replication: replicationOf('west', 'east') }, west: { replication: replicationOf('north', 'west') } },
    { kind: 'unmeasured', problem: 'no bridge measures it', status: null },
    'an unknown number of records',
  ],
  ['none, into a fenced cluster', { west: { mode: 'fenced' } }, { kind: 'none' }, 'an unknown number of records'],
  [
    'complete',
    { west: { replication: replicationOf('east', 'west') } },
    { kind: 'measured', status: { records: 0 } },
    'nothing, as last measured',
  ],
])('what the standby lacks is %s', (_, change, expected, words) => {
  const { clusters, east, west, nowMs } = twoClusters();
  Object.assign(east, change.east);
  Object.assign(west, change.west);
  const flow = flowTo(west, clusters, nowMs);
  expect(flow).toMatchObject(expected);
  expect(lossWords(flow)).toBe(words);
});

test('a report of a loss says how sure it is, and the last loss comes first', () => {
  const all = twoClusters();
  const report = loseEast(all.system, all);
  expect(certaintyOf(report)).toBe(
    'Not final: as of 5.3 s before the promotion; east itself shows what else it acknowledged, once it is back.',
  );
  expect(certaintyOf({ ...report, endsAgeMs: null })).toContain('were never seen');
  expect(certaintyOf({ ...report, isFinal: true })).toMatch(/^Final/);
  all.east.report = { ...report, promotion: { number: 3, cluster: 'east' }, lost: 'west' };
  expect(reportsOf(all.clusters).map(({ lost }) => lost)).toEqual(['west', 'east']);
  // A cluster that is back knows the report of its own loss from the other one's log.
  all.east.report = { ...report, isFinal: true };
  expect(reportsOf(all.clusters)).toEqual([all.east.report]);
});

test('requests that wait are counted with the reason', () => {
  const { clusters } = twoClusters();
  expect(waitingWords(clusters)).toBe('');
  expect(waitingWords({ ...clusters, awaited: 'promotion', waitingCount: 1 })).toBe(
    '1 request waits: east is down, and another cluster may be promoted.',
  );
});

test('the dialog says what a promotion costs: nothing while both live, what is missing once the active one is gone', () => {
  const { system, east, west } = twoClusters();
  const textOf = () => textOfClusterChange({ kind: 'promote', cluster: 'west' }, system);
  expect(textOf()).toMatchObject({
    title: 'Promote west',
    effect: expect.stringMatching(/^A switch-over: .* Nothing is lost\./),
    warning: 'west lacks 12 records, 0.4 s now (RPO), and gets it first.',
  });
  Object.assign(east, { canServe: false });
  expect(textOf()).toMatchObject({
    effect: expect.stringMatching(/^No region of east can serve\. .* east is fenced when it returns/),
    warning: 'What west lacks is lost: 12 records, 0.4 s, as last measured.',
  });
  Object.assign(east, { replication: null });
  west.replication = null;
  expect(textOf().warning).toBe('What west lacks is lost: an unknown number of records.');
});

test('what was done is one sentence, with the loss', () => {
  const all = twoClusters();
  const report = loseEast(all.system, all);
  const { clusters } = all;
  const promote = { kind: 'promote', cluster: 'west', force: true } as const;
  const promotion = { number: 2, cluster: 'west' };
  const done = (answer: object) => doneWithCluster(promote, { promotion, clusters, ...answer } as never);
  expect(done({ kind: 'orderly', report: null })).toBe('west is active, by promotion 2. Nothing was lost.');
  expect(done({ kind: 'forced', report })).toBe(
    'west is active, by promotion 2. Lost with east: 12 records, as far as known.',
  );
  expect(done({ kind: 'forced', report: { ...report, endsAgeMs: null, ranges: [] } })).toBe(
    'west is active, by promotion 2. Lost with east: an unknown number of records.',
  );
  expect(done({ kind: 'forced', report: null })).toBe('west is active, by promotion 2. What was lost is unknown.');
  const rejoined = { promotion, report: { ...report, isFinal: true }, clusters };
  expect(doneWithCluster({ kind: 'rejoin', cluster: 'east', isPeerGone: false }, rejoined)).toBe(
    'east stands by. It has alone: 12 records.',
  );
});
