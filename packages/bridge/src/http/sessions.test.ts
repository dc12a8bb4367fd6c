import { OPERATOR_HEADER } from '@causeway/protocol/routing.ts';
import type { SessionPage } from '@causeway/protocol/sessions.ts';
import { expect, inject, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { PROOF, TEST_TRUST } from '../../../../test/harness/trust.ts';
import { until } from '../../../../test/harness/until.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

async function list(from: TestBridge, query: string): Promise<SessionPage> {
  const answer = await from.get(`/causeway-sessions?${query}`, { [OPERATOR_HEADER]: 'gateway', ...PROOF });
  expect(answer.status).toBe(200);
  return answer.body;
}

test('gateways see consumers with their state, last poll and lag, also of a client that stopped polling', async () => {
  const topic = await kafka.topic();
  const before = Date.now();
  const consumer = await bridge.consumer('sessions-lag', 'one', [topic]);
  expect((await list(bridge, 'filter=sessions-lag')).consumers).toEqual([
    {
      group: 'sessions-lag',
      instance: 'one',
      home: 'east/test-bridge',
      state: 'subscribed',
      adoptions: 0,
      since: expect.any(String),
      principal: null,
      lastPollAt: null,
      lag: null,
    },
  ]);
  await bridge.produce(topic, { records: [{ value: '1' }, { value: '2' }] });
  await consumer.take(2);
  const [polled] = (await list(bridge, 'filter=SESSIONS-LAG/on')).consumers;
  expect(polled?.lag).toBe(0);
  expect(Date.parse(polled?.lastPollAt ?? '')).toBeGreaterThanOrEqual(before);
  await bridge.produce(topic, { records: [{ value: '3' }, { value: '4' }, { value: '5' }] });
  await until('the lag grows', async () => (await list(bridge, 'filter=sessions-lag')).consumers[0]?.lag === 3);
  await consumer.delete();
});

test('of many consumers the list has the first that match, in order, and their number', async () => {
  for (const name of ['c', 'a', 'b']) await bridge.consumer('sessions-many', name, []);
  const page = await list(bridge, 'filter=sessions-many&limit=2');
  expect(page).toMatchObject({ matching: 3, consumers: [{ instance: 'a', state: 'idle' }, { instance: 'b' }] });
  expect(page.total).toBeGreaterThanOrEqual(3);
  expect((await list(bridge, 'filter=sessions-many&limit=0')).consumers).toEqual([]);
});

test('a consumer that was adopted shows how often', async () => {
  const topic = await kafka.topic();
  const other = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name: 'other', region: 'west' } });
  try {
    await until('the other one is ready', async () => (await other.get('/ready')).status === 200);
    const { path } = await bridge.consumer('sessions-moved', 'one', [topic]);
    for (const [target, count] of [
      [other, 1],
      [bridge, 2],
    ] as const) {
      expect((await target.get(`${path}/records?timeout=100`)).status).toBe(200);
      const [moved] = (await list(target, 'filter=sessions-moved')).consumers;
      expect(moved?.adoptions).toBe(count);
      await until('the previous owner has released it', async () => {
        return (await list(target === bridge ? other : bridge, 'filter=sessions-moved')).matching === 0;
      });
    }
    const { body } = await bridge.request('DELETE', path);
    expect(body).toBeUndefined();
    await bridge.consumer('sessions-moved', 'one', [topic]);
    expect((await list(bridge, 'filter=sessions-moved')).consumers[0]?.adoptions).toBe(0);
  } finally {
    await other.close();
  }
});

test('for clients the list does not exist, and the probes of gateways get the state of Kafka', async () => {
  expect((await bridge.get('/causeway-sessions')).status).toBe(404);
  expect((await bridge.get('/causeway-sessions', { 'causeway-gateway': 'tier1', ...PROOF })).status).toBe(404);
  const stranger = await TestBridge.start(inject('kafkaBootstrap'), {
    trust: { ...TEST_TRUST, peers: [] },
    bridge: { name: 'strict' },
  });
  try {
    expect((await stranger.get('/causeway-sessions', { [OPERATOR_HEADER]: 'gateway', ...PROOF })).status).toBe(404);
  } finally {
    await stranger.close();
  }
  await until('Kafka has responded', async () => (await bridge.get('/ready')).status === 200);
  expect((await bridge.get('/ready', { 'causeway-gateway': 'tier1', ...PROOF })).headers.get('causeway-kafka')).toBe(
    'up',
  );
  expect((await bridge.get('/ready')).headers.get('causeway-kafka')).toBeNull();
});
