/** Gateways report to each other what their own bridges say about Kafka, so that no report outlives its origin. */

import type { System } from '@causeway/protocol/admin/model.ts';
import {
  GATEWAY_HEADER,
  KAFKA_ANSWERED_HEADER,
  KAFKA_CLUSTER_HEADER,
  KAFKA_HEADER,
} from '@causeway/protocol/routing.ts';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { TEST_TOKEN, testConfig } from '../../../../test/harness/gateway.ts';
import { PROOF } from '../../../../test/harness/trust.ts';
import { until } from '../../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../../test/harness/upstream.ts';
import { Gateway } from '../gateway.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function bridge(region: string): Promise<Upstream> {
  const upstream = await startUpstream();
  cleanups.push(() => upstream.kill());
  upstream.bridge = `${region}/bridge`;
  report(upstream, 'up');
  return upstream;
}

function report(upstream: Upstream, state: 'up' | 'down'): void {
  upstream.readyStatus = state === 'up' ? 200 : 503;
  upstream.kafkaHeaders = { [KAFKA_HEADER]: state, [KAFKA_CLUSTER_HEADER]: 'k', [KAFKA_ANSWERED_HEADER]: '40' };
}

interface Place {
  url: string;
  adminUrl: string;
  gateway: Gateway;
}

async function place(region: string | undefined, regions: unknown[]): Promise<Place> {
  const identity = region === undefined ? { name: 'tier1' } : { name: `${region}-gateway`, region };
  const gateway = new Gateway({ config: testConfig({ gateway: identity, regions }), configFile: 'test.yaml' });
  cleanups.push(() => gateway.close('the test is over'));
  return { ...(await gateway.start()), gateway };
}

async function kafkaAt({ adminUrl }: Place): Promise<System['kafka']> {
  const answer = await request(`${adminUrl}/api/topology`, { headers: { authorization: `Bearer ${TEST_TOKEN}` } });
  return ((await answer.body.json()) as System).kafka;
}

interface Mesh {
  bridges: Record<'east' | 'west', Upstream>;
  gateways: Record<'east' | 'west' | 'tier1', Place>;
}

/** Two regional gateways that are targets of each other, with admin addresses, below a tier-1 gateway. */
async function mesh(): Promise<Mesh> {
  const bridges = { east: await bridge('east'), west: await bridge('west') };
  const own = (name: 'east' | 'west') => ({ name, priority: 0, targets: [{ url: bridges[name].url }] });
  const other = (name: string, { url, adminUrl }: Place, priority = 1) => ({
    name,
    priority,
    targets: [{ url, adminUrl }],
  });
  const east = await place('east', [own('east')]);
  const west = await place('west', [own('west'), other('east', east)]);
  east.gateway.reload(
    testConfig({ gateway: { name: 'east-gateway', region: 'east' }, regions: [own('east'), other('west', west)] }),
  );
  const tier1 = await place(undefined, [other('east', east, 0), other('west', west, 0)]);
  return { bridges, gateways: { east, west, tier1 } };
}

test('a recovered Kafka is up at every gateway, also at gateways that are targets of each other', async () => {
  const { bridges, gateways } = await mesh();
  const all = Object.values(gateways);
  const untilAll = (state: string) =>
    until(`Kafka is ${state} everywhere`, async () => {
      const states = await Promise.all(all.map(kafkaAt));
      return states.every((kafka) => kafka.state === state);
    });
  await untilAll('up');
  for (const state of ['down', 'up', 'down', 'up'] as const) {
    for (const upstream of Object.values(bridges)) report(upstream, state);
    await untilAll(state);
  }
});

test('one region without Kafka is degraded at every gateway, and the report of a bridge ends with it', async () => {
  const { bridges, gateways } = await mesh();
  report(bridges.east, 'down');
  await until('it is degraded at every gateway', async () => {
    const states = await Promise.all(Object.values(gateways).map(kafkaAt));
    return states.every(({ state }) => state === 'degraded');
  });
  await bridges.east.kill();
  await until('the other gateways know a Kafka that responds', async () => {
    const states = await Promise.all(Object.values(gateways).map(kafkaAt));
    return states.every(({ state }) => state === 'up');
  });
});

test('a regional gateway reports its bridges’ view to gateways that probe it, and to no other client', async () => {
  const { bridges, gateways } = await mesh();
  const ready = async (headers: Record<string, string>) => {
    const answer = await request(`${gateways.east.url}/ready`, { headers });
    await answer.body.dump();
    return answer;
  };
  report(bridges.west, 'down');
  await until('east’s gateway knows', async () => (await kafkaAt(gateways.east)).state === 'degraded');
  const { statusCode, headers } = await ready({ [GATEWAY_HEADER]: 'tier1', ...PROOF });
  expect([statusCode, headers[KAFKA_HEADER], headers[KAFKA_CLUSTER_HEADER]]).toEqual([200, 'up', 'k']);
  // As old as the bridge reported, or older.
  expect(Number(headers[KAFKA_ANSWERED_HEADER])).toBeGreaterThanOrEqual(40);
  expect(Object.keys((await ready({})).headers).filter((name) => name.startsWith('causeway-'))).toEqual([]);
});
