/** A move from bridges of the peer API, as docs/from-strimzi-bridge.md has it: two regions, and weights that move the work. */
import process from 'node:process';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { request } from 'undici';
import { expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, type UpstreamHandler } from '../../../test/harness/upstream.ts';
import { gateway, produce, upstream } from './fixture.ts';

const V2 = { 'content-type': 'application/vnd.kafka.v2+json' };

/** Consumers in memory, and no header of Causeway. */
function bridgeWithMemory(): UpstreamHandler {
  const consumers = new Set<string>();
  return (received, response) => {
    const [, instance] = /instances\/(\w+)/.exec(received.url) ?? [];
    if (instance !== undefined && !consumers.has(instance)) {
      response.statusCode = 404;
      response.end();
    } else if (received.url.startsWith('/consumers/') && instance === undefined) {
      const { name } = JSON.parse(received.body);
      consumers.add(name);
      answerJson({ instance_id: name, base_uri: 'x' })(received, response);
    } else {
      answerJson(instance === undefined ? { offsets: [{ partition: 0, offset: 1 }] } : [])(received, response);
    }
  };
}

test('weights move producers, consumers stay where they live, and the end of the region makes clients create them again', async () => {
  const name = `peer-${process.pid}-${Date.now()}`;
  const bootstrap = inject('kafkaBootstrap');
  await ensureTopics(bootstrap, [{ name, partitionCount: 1 }]);
  const peer = await upstream(bridgeWithMemory());
  const own = await TestBridge.start(bootstrap);
  onTestFinished(() => own.close());
  const withWeights = (strimzi: number, east: number): { regions: object[] } => ({
    regions: [
      { name: 'strimzi', weight: strimzi, targets: [{ url: peer.url }] },
      { name: 'east', weight: east, targets: [{ url: own.url }] },
    ],
  });
  const gw = await gateway(withWeights(100, 0));
  const status = async (path: string, init?: Parameters<typeof request>[1]): Promise<number> => {
    const { statusCode, body } = await request(`${gw.url}${path}`, init);
    await body.dump();
    return statusCode;
  };
  const send = (): Promise<number> => status(`/topics/${name}`, produce);
  const create = (consumer = 'c'): Promise<number> =>
    status(`/consumers/${name}`, { method: 'POST', headers: V2, body: JSON.stringify({ name: consumer }) });
  const subscribe = (consumer = 'c'): Promise<number> =>
    status(`/consumers/${name}/instances/${consumer}/subscription`, {
      method: 'POST',
      headers: V2,
      body: JSON.stringify({ topics: [name] }),
    });
  const poll = (consumer = 'c'): Promise<number> =>
    status(`/consumers/${name}/instances/${consumer}/records?timeout=10`);
  const stored = async (): Promise<number> => (await own.get(`/topics/${name}/partitions/0/offsets`)).body.end_offset;

  expect(await create()).toBe(200);
  for (let turn = 0; turn < 5; turn += 1) expect([await poll(), await send()]).toEqual([200, 200]);
  expect(await stored()).toBe(0);

  // Half of the new work: the consumer stays.
  gw.gateway.reload(testConfig(withWeights(50, 50)));
  await until('both get records', async () => {
    expect(await send()).toBe(200);
    return (await stored()) > 0;
  });
  for (let turn = 0; turn < 5; turn += 1) expect(await poll()).toBe(200);

  // No new work: such a bridge knows nothing of a release, and serves the consumer until the end.
  gw.gateway.reload(testConfig(withWeights(0, 100)));
  const before = await stored();
  for (let turn = 0; turn < 5; turn += 1) expect([await poll(), await send()]).toEqual([200, 200]);
  expect(await stored()).toBe(before + 5);

  // Back: a consumer of our own bridge moves, and is unknown there.
  expect([await create('d'), await subscribe('d'), await poll('d')]).toEqual([200, 204, 200]);
  gw.gateway.reload(testConfig(withWeights(100, 0)));
  expect(await poll('d')).toBe(404);
  expect([await create('d'), await poll('d'), await poll()]).toEqual([200, 200, 200]);

  gw.gateway.reload(testConfig({ regions: withWeights(0, 100).regions.slice(1) }));
  const requestsToPeer = peer.requests.length;
  expect(await poll()).toBe(404);
  expect(await create()).toBe(200);
  expect(await subscribe()).toBe(204);
  expect(await poll()).toBe(200);
  expect(peer.requests).toHaveLength(requestsToPeer);
});
