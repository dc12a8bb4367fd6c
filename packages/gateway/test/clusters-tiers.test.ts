/** Two Kafka clusters behind two tiers of gateways, and consumers that move from one cluster to the other and back. */
import { CLUSTER_HEADER, PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { BRIDGE_HEADER, FAILED_HEADER, RELEASE_HEADER } from '@causeway/protocol/routing.ts';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { ask, systemOf } from '../../../test/harness/admin.ts';
import type { TestGateway } from '../../../test/harness/gateway.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import type { UpstreamHandler } from '../../../test/harness/upstream.ts';
import { type ClusterBridge, clusterBridge, eastAndWest, twoClusters } from './clusters-fixture.ts';
import { gateway, produce } from './fixture.ts';

/** As a bridge that owns every consumer. */
function owning(name: string): UpstreamHandler {
  return (_, response) => {
    const body = JSON.stringify({ from: name });
    response.writeHead(200, { 'content-type': 'application/vnd.kafka.v2+json', [BRIDGE_HEADER]: `${name}/bridge` });
    response.end(body);
  };
}

interface Tiers {
  east: ClusterBridge;
  west: ClusterBridge;
  tier1: TestGateway;
  /** The gateways of the regions. */
  inner: { east: TestGateway; west: TestGateway };
}

async function tiers(clusters: Record<string, unknown> = {}): Promise<Tiers> {
  const east = await clusterBridge('east', 'active', '1;east', owning('east'));
  const west = await clusterBridge('west', 'standby', '1;east', owning('west'));
  const yaml = twoClusters({ east, west });
  const inner = {
    east: await gateway({ ...yaml, gateway: { name: 'gateway', region: 'east' } }),
    west: await gateway({ ...yaml, gateway: { name: 'gateway', region: 'west' } }),
  };
  const places = { east: { ...east, url: inner.east.url }, west: { ...west, url: inner.west.url } };
  const tier1 = await gateway({ ...twoClusters(places, clusters), gateway: { name: 'tier1' } });
  return { east, west, tier1, inner };
}

async function fetchFrom(url: string, options: Parameters<typeof request>[1]): Promise<[number, unknown]> {
  const { statusCode, body } = await request(url, options);
  return [statusCode, await body.json()];
}

const send = ({ url }: TestGateway) => fetchFrom(`${url}/topics/t`, produce);
const poll = ({ url }: TestGateway, instance = 'i') =>
  fetchFrom(`${url}/consumers/g/instances/${instance}/records?timeout=60000`, {});

test('both tiers send requests to the active cluster, and all consumers move with a promotion', async () => {
  const { east, west, tier1, inner } = await tiers();
  const consumers = ['a', 'b', 'c', 'd', 'e'];
  for (const consumer of consumers) expect(await poll(tier1, consumer)).toEqual([200, { from: 'east' }]);
  // Also from a client in the other region.
  expect(await send(inner.west)).toEqual([200, { from: 'east' }]);
  expect(west.served).toEqual([]);
  east.become('standby', '2;west');
  west.become('active', '2;west');
  const before = east.served.length;
  const answers = await Promise.all(consumers.map((consumer) => poll(tier1, consumer)));
  for (const answer of answers) expect(answer).toEqual([200, { from: 'west' }]);
  for (const { headers } of west.served) {
    expect(headers[PROMOTION_HEADER]).toBe('2;west');
    // No bridge was lost, and no owner is asked for a release.
    expect([headers[FAILED_HEADER], headers[RELEASE_HEADER]]).toEqual([undefined, undefined]);
  }
  for (const gw of [tier1, inner.east, inner.west]) {
    await until('each gateway follows', async () => (await systemOf(gw.adminUrl)).clusters?.active === 'west');
    expect(await send(gw)).toEqual([200, { from: 'west' }]);
  }
  // And back: the homes in west do not count any more.
  west.become('standby', '3;east');
  east.become('active', '3;east');
  for (const consumer of consumers) expect(await poll(tier1, consumer)).toEqual([200, { from: 'east' }]);
  const back = east.served.slice(before).filter(({ headers }) => headers[PROMOTION_HEADER] === '3;east');
  expect(back.length).toBeGreaterThanOrEqual(consumers.length);
  expect(back.flatMap(({ headers }) => headers[RELEASE_HEADER] ?? [])).toEqual([]);
});

test('a gateway of a region reports to those above it what its own bridges agree on, and is ready while their cluster stands by', async () => {
  const { inner } = await tiers();
  const asGateway = { headers: { 'causeway-gateway': 'tier1', ...PROOF } };
  const ready = async ({ url }: TestGateway) => {
    const { statusCode, headers } = await request(`${url}/ready`, asGateway);
    return [statusCode, headers[CLUSTER_HEADER], headers[PROMOTION_HEADER]];
  };
  expect(await ready(inner.east)).toEqual([200, 'east;active', '1;east']);
  expect(await ready(inner.west)).toEqual([200, 'west;standby', '1;east']);
});

test('the death of all bridges of a cluster, whose gateways live, costs no client an error', async () => {
  const { east, west, tier1 } = await tiers({ promoteAfterMs: 300 });
  expect(await poll(tier1)).toEqual([200, { from: 'east' }]);
  east.serve = () => {};
  const inFlight = [send(tier1), poll(tier1)];
  await until('two are in flight', () => east.served.length === 1 + inFlight.length);
  await east.kill();
  const later = [send(tier1), poll(tier1, 'other')];
  for (const answer of await Promise.all([...inFlight, ...later])) expect(answer).toEqual([200, { from: 'west' }]);
  expect(west.promotions).toMatchObject([
    { after: { number: 1, cluster: 'east' }, by: 'gateway tier1', mayLose: true },
  ]);
  const breakers = tier1.gateway.events.recent().filter(({ type }) => type === 'breaker');
  expect(breakers).toEqual([]);
});

test('a gateway of a region that knows more than the one before it passes the request on', async () => {
  const { east, west, inner } = await tiers();
  west.become('active', '2;west');
  east.become('fenced', '2;west');
  await until('east’s gateway follows', async () => (await systemOf(inner.east.adminUrl)).clusters?.active === 'west');
  const headers = { ...produce.headers, 'causeway-gateway': 'tier1', [PROMOTION_HEADER]: '1;east', ...PROOF };
  expect(await fetchFrom(`${inner.east.url}/topics/t`, { ...produce, headers })).toEqual([200, { from: 'west' }]);
  expect(west.served.at(-1)?.headers[PROMOTION_HEADER]).toBe('2;west');
});

test('a gateway of a region that reaches no region of the active cluster says so to the one before it', async () => {
  const { west, inner } = await tiers();
  await west.kill();
  const headers = { ...produce.headers, 'causeway-gateway': 'tier1', [PROMOTION_HEADER]: '2;west', ...PROOF };
  const response = await request(`${inner.east.url}/topics/t`, { ...produce, headers });
  const answer = [response.statusCode, response.headers['causeway-fault'], response.headers[PROMOTION_HEADER]];
  // West is not known to be down yet, or it is.
  expect([
    [502, undefined, undefined],
    [503, 'cluster', '2;west'],
  ]).toContainEqual(answer);
  await until('west is down', async () => (await systemOf(inner.east.adminUrl)).regions[1]?.state === 'down');
  const again = await request(`${inner.east.url}/topics/t`, { ...produce, headers });
  expect(again.statusCode).toBeGreaterThanOrEqual(502);
});

test('a region whose cluster stands by can be drained, and the last one of the active cluster cannot', async () => {
  const { gw } = await eastAndWest();
  const drain = (region: string) => ask(`${gw.adminUrl}/api/regions/${region}/drain`, { method: 'POST' });
  expect(await drain('west')).toMatchObject({ status: 200, body: { isDrained: true } });
  expect((await drain('east')).status).toBe(409);
  // A drained region is no place to promote.
  expect(await ask(`${gw.adminUrl}/api/clusters`)).toMatchObject({
    body: { members: [{ canServe: true }, { canServe: false }] },
  });
});
