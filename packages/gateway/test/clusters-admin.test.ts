/** Kafka clusters in the admin API: what operators see, and how they promote one. */
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import {
  CLUSTERS_PATH,
  type ClusterStatus,
  PREPARE_PATH,
  PROMOTE_PATH,
  REJOIN_PATH,
  REPLICATION_ENDED_PATH,
} from '@causeway/protocol/clusters.ts';
import { expect, test } from 'vitest';
import { ask, systemOf } from '../../../test/harness/admin.ts';
import { regions } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { type ClusterBridge, clusterBridge, eastAndWest, twoClusters } from './clusters-fixture.ts';
import { gateway, upstream } from './fixture.ts';

const LOST = {
  promotion: { number: 2, cluster: 'west' },
  lost: 'east',
  at: '2026-01-01T12:00:00.000Z',
  endsAgeMs: 300,
  isFinal: false,
  ranges: [{ topic: 't', partition: 0, from: 5, to: 9, records: 4 }],
};

function statusOf(cluster: string, changes: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    cluster,
    mode: 'standby',
    promotion: null,
    promoted: null,
    isReplicationEnded: false,
    replication: null,
    reports: [],
    ...changes,
  };
}

/** A bridge that responds to questions about its cluster. */
function answering(
  bridge: ClusterBridge,
  answers: Record<string, { status: number; body: object }>,
  onRequest: (request: { body: string }) => void = () => {},
): void {
  const others = bridge.handle;
  bridge.handle = (request, response) => {
    const answer = answers[request.url];
    if (answer === undefined) others(request, response);
    else {
      onRequest(request);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    }
  };
}

test('operators see who is active since when and why, what replication lacks, and what was lost', async () => {
  const { east, west, gw } = await eastAndWest({ clusters: { promoteAfterMs: 60_000 } });
  const topics = Array.from({ length: 12 }, (_, index) => ({ topic: `t${index}`, records: 12 - index, seconds: 1.5 }));
  const replication = {
    from: 'east',
    to: 'west',
    problem: null,
    measuredAgoMs: 100,
    records: 78,
    seconds: 1.5,
    topics,
  };
  const promoted = {
    kind: 'initial',
    at: '2026-01-01T12:00:00.000Z',
    by: 'gateway edge',
    reason: 'the first one',
  } as const;
  answering(east, {
    [CLUSTERS_PATH]: {
      status: 200,
      body: {
        ...statusOf('east', { mode: 'active', promotion: { number: 1, cluster: 'east' }, promoted }),
        newer: 'version',
      },
    },
  });
  answering(west, { [CLUSTERS_PATH]: { status: 200, body: statusOf('west', { replication, reports: [LOST] }) } });
  const clusters = async (): Promise<KafkaClusters> => (await ask(`${gw.adminUrl}/api/clusters`)).body as KafkaClusters;
  await until('both have reported', async () => (await clusters()).members.every(({ problem }) => problem === null));
  expect(await clusters()).toEqual({
    active: 'east',
    isReplicationEnded: false,
    promotion: 1,
    since: promoted.at,
    reason: 'the first one',
    by: 'gateway edge',
    promoteAfterMs: 60_000,
    awaited: null,
    waitingCount: 0,
    members: [
      {
        name: 'east',
        regions: ['east'],
        isActive: true,
        canServe: true,
        mode: 'active',
        promoted,
        replication: null,
        report: null,
        reportedAt: expect.any(String),
        problem: null,
      },
      {
        name: 'west',
        regions: ['west'],
        isActive: false,
        canServe: true,
        mode: 'standby',
        promoted: null,
        replication: { ...replication, topics: topics.slice(0, 10) },
        report: LOST,
        reportedAt: expect.any(String),
        problem: null,
      },
    ],
  });
  const { text: metrics } = await ask(`${gw.adminUrl}/metrics`);
  expect(metrics.split('\n').filter((line) => /^causeway_(?:active_)?cluster.*[^0]$/.test(line))).toEqual([
    'causeway_active_cluster{cluster="east"} 1',
    'causeway_cluster_promotion 1',
    'causeway_cluster_mode{cluster="east",mode="active"} 1',
    'causeway_cluster_mode{cluster="west",mode="standby"} 1',
    'causeway_cluster_replication_measured{from="east",to="west"} 1',
    'causeway_cluster_replication_lag_records{from="east",to="west"} 78',
    'causeway_cluster_replication_lag_seconds{from="east",to="west"} 1.5',
    'causeway_cluster_lost_records{cluster="west"} 4',
  ]);
  const system = await systemOf(gw.adminUrl);
  expect(system.clusters).toEqual(await clusters());
  expect(system.regions).toMatchObject([
    { name: 'east', cluster: 'east', standsBy: false, weight: 100 },
    { name: 'west', cluster: 'west', standsBy: true, weight: 0, reason: 'its Kafka cluster stands by' },
  ]);
  expect([system.state, system.summary]).toEqual([
    'up',
    'Healthy: east and west up; Kafka cluster east is active; no consumers are known.',
  ]);
});

test('an operator promotes a cluster in order, and by force', async () => {
  const { west, gw } = await eastAndWest();
  const behind = { error_code: 409, message: 'replication did not catch up: 7 records are missing' };
  const obey = west.promote;
  west.promote = () => ({ status: 409, body: behind });
  const url = `${gw.adminUrl}/api/clusters/west/promote`;
  expect(await ask(url, { method: 'POST' })).toMatchObject({ status: 409, body: behind });
  west.promote = obey;
  const headers = { 'content-type': 'application/json' };
  const promoted = await ask(url, { method: 'POST', headers, body: '{"force":true}' });
  expect(promoted).toMatchObject({
    status: 200,
    body: {
      promotion: { number: 2, cluster: 'west' },
      kind: 'forced',
      report: null,
      clusters: { active: 'west', promotion: 2 },
    },
  });
  const after = { number: 1, cluster: 'east' };
  const asked = { after, by: 'operator operator', reason: 'operator operator asked for it' };
  expect(west.promotions).toEqual([
    { ...asked, mayLose: false, isForced: false },
    { ...asked, mayLose: true, isForced: true },
  ]);
  expect((await systemOf(gw.adminUrl)).summary).toMatch(
    /Kafka cluster west is active since \d\d:\d\d:\d\d UTC \(operator operator asked for it\)/,
  );
});

test('while the active cluster is down, what is lost is lost: the promotion needs no force', async () => {
  const { east, west, gw } = await eastAndWest();
  await east.kill();
  await until('east is down', async () => (await systemOf(gw.adminUrl)).state === 'down');
  expect((await systemOf(gw.adminUrl)).clusters?.members[0]).toMatchObject({ mode: 'unknown', canServe: false });
  await ask(`${gw.adminUrl}/api/clusters/west/promote`, { method: 'POST' });
  expect(west.promotions).toMatchObject([{ mayLose: true, isForced: false }]);
});

test('a fenced cluster rejoins, and its report is what it has alone', async () => {
  const { east, gw } = await eastAndWest();
  const url = `${gw.adminUrl}/api/clusters/east/rejoin`;
  const refusal = { error_code: 409, message: 'Kafka cluster east is not fenced (active), and has nothing to rejoin' };
  answering(east, { [REJOIN_PATH]: { status: 409, body: refusal } });
  expect(await ask(url, { method: 'POST' })).toMatchObject({ status: 409, body: refusal });
  answering(east, {
    [REJOIN_PATH]: { status: 200, body: { promotion: { number: 2, cluster: 'west' }, report: LOST } },
  });
  expect(await ask(url, { method: 'POST' })).toMatchObject({
    status: 200,
    body: { promotion: { number: 2, cluster: 'west' }, report: LOST },
  });
});

test('the replication to a cluster is prepared by a bridge of it', async () => {
  const { east, west, gw } = await eastAndWest();
  const promotion = { number: 1, cluster: 'east' };
  const prepared = {
    promotion,
    source: 'east',
    target: 'west',
    positions: [{ topic: 't', partition: 1, offset: 4 }],
  };
  const seen: string[] = [];
  answering(west, { [PREPARE_PATH]: { status: 200, body: prepared } }, (request) => seen.push(request.body));
  answering(east, {
    [PREPARE_PATH]: { status: 409, body: { error_code: 409, message: 'it does not stand by (active)' } },
  });
  const post = (cluster: string, body?: string) =>
    ask(`${gw.adminUrl}/api/clusters/${cluster}/prepare`, {
      method: 'POST',
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    });
  expect(await post('west')).toMatchObject({ status: 200, body: prepared });
  expect(await post('west', '{"dryRun":true}')).toMatchObject({ status: 200, body: prepared });
  expect(seen).toEqual(['{}', '{"dryRun":true}']);
  expect(await post('east')).toMatchObject({ status: 409, body: { message: 'it does not stand by (active)' } });
});

test('that MirrorMaker does not fill the active cluster any more is passed on to a bridge of it, with the promotion and who says it', async () => {
  const { east, gw } = await eastAndWest();
  const seen: unknown[] = [];
  answering(
    east,
    { [REPLICATION_ENDED_PATH]: { status: 200, body: { promotion: { number: 1, cluster: 'east' } } } },
    (request) => seen.push(JSON.parse(request.body)),
  );
  const post = (body?: string) =>
    ask(`${gw.adminUrl}/api/clusters/east/replication-ended`, {
      method: 'POST',
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    });
  expect(await post()).toMatchObject({ status: 200, body: { active: 'east' } });
  expect(await post('{"promotion":7}')).toMatchObject({ status: 200 });
  expect(await post('{"promotion":-1}')).toMatchObject({ status: 400 });
  const by = expect.stringMatching(/^operator ./);
  expect(seen).toEqual([1, 7].map((number) => ({ promotion: { number, cluster: 'east' }, by })));
});

test('errors say what is wrong', async () => {
  const { west, gw } = await eastAndWest();
  const post = (path: string) => ask(`${gw.adminUrl}${path}`, { method: 'POST' });
  const unknown = { status: 404, body: { message: 'There is no Kafka cluster north (known: east, west).' } };
  expect(await post('/api/clusters/north/promote')).toMatchObject(unknown);
  expect(await post('/api/clusters/north/rejoin')).toMatchObject(unknown);
  await west.kill();
  await until('west is down', async () => (await systemOf(gw.adminUrl)).regions[1]?.state === 'down');
  expect(await post('/api/clusters/west/promote')).toMatchObject({
    status: 409,
    body: { message: 'No region of cluster west has a target that could promote it.' },
  });
  const plain = await gateway({ regions: regions({ east: (await upstream()).url }) });
  expect(await ask(`${plain.adminUrl}/api/clusters`)).toMatchObject({
    status: 404,
    body: { message: 'This gateway has no section clusters: all regions speak to one Kafka.' },
  });
  expect((await systemOf(plain.adminUrl)).clusters).toBeNull();
});

test('a regional gateway passes questions on to bridges of its own region, whichever cluster is active', async () => {
  const east = await clusterBridge('east', 'active', '1;east');
  const west = await clusterBridge('west', 'standby', '1;east');
  const yaml = twoClusters({ east, west });
  const inner = await gateway({ ...yaml, gateway: { name: 'gateway', region: 'west' } });
  const outer = await gateway(twoClusters({ east, west: { ...west, url: inner.url } }));
  answering(west, { [CLUSTERS_PATH]: { status: 200, body: statusOf('west') } });
  await until('west has reported', async () => {
    const { members } = (await ask(`${outer.adminUrl}/api/clusters`)).body as KafkaClusters;
    return members[1]?.problem === null && members[1].mode === 'standby';
  });
  const promoted = await ask(`${outer.adminUrl}/api/clusters/west/promote`, { method: 'POST' });
  expect(promoted.status).toBe(200);
  expect(west.promotions).toHaveLength(1);
  expect(east.requests.filter(({ url }) => url === PROMOTE_PATH)).toEqual([]);
});

test('a change of the mode of a cluster is an event', async () => {
  const { east, gw } = await eastAndWest();
  const modes = () => gw.gateway.events.recent().filter(({ type }) => type === 'cluster');
  await until('the modes are known', async () => {
    const { members } = (await ask(`${gw.adminUrl}/api/clusters`)).body as KafkaClusters;
    return members.every(
      ({ mode, reportedAt, problem }) => mode !== 'unknown' && (reportedAt ?? problem) !== 'not asked yet',
    );
  });
  east.become('fenced', '1;east');
  await until('east is fenced', () => modes().length === 1);
  expect(modes()).toMatchObject([{ cluster: 'east', from: 'active', to: 'fenced' }]);
  expect((await systemOf(gw.adminUrl)).summary).toContain('Kafka cluster east is fenced');
});
