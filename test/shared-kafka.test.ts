/** Two regions over one real Kafka that freezes: a record that is sent once is stored once. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { TestBridge } from './harness/bridge.ts';
import { startGateway, type TestGateway } from './harness/gateway.ts';
import { KafkaView } from './harness/kafka-view.ts';
import { PATIENT_BROKER, startOwnKafka } from './harness/own-kafka.ts';
import { until } from './harness/until.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function keep<Value extends { close(): Promise<unknown> }>(value: Value): Value {
  cleanups.push(() => value.close());
  return value;
}

async function regionalGateway(region: string, bridge: TestBridge, others: unknown[]): Promise<TestGateway> {
  const own = { name: region, priority: 0, targets: [{ url: bridge.url }] };
  return keep(await startGateway({ gateway: { name: `${region}-gateway`, region }, regions: [own, ...others] }));
}

const RECORD_COUNT = 20;
/** Longer than all gateways need to find their regions down and to try others. */
const FROZEN_MS = 6_000;

test('records that are sent while Kafka is frozen are stored once, and no region is blamed', async () => {
  const kafka = keep(
    await startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2), properties: PATIENT_BROKER }),
  );
  const { bootstrap, brokers } = kafka.cluster;
  const view = keep(await KafkaView.connect(bootstrap));
  const bridgeOf = async (region: string): Promise<TestBridge> =>
    keep(await TestBridge.start(bootstrap, { bridge: { name: 'bridge', region } }));
  const [east, west] = [await bridgeOf('east'), await bridgeOf('west')];
  for (const bridge of [east, west]) {
    await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
  }
  const westGateway = await regionalGateway('west', west, []);
  const eastGateway = await regionalGateway('east', east, [
    { name: 'west', priority: 1, targets: [{ url: westGateway.url }] },
  ]);
  const tier1 = keep(
    await startGateway({
      breaker: { minRequests: 2, errorPercent: 1 },
      regions: [
        { name: 'east', targets: [{ url: eastGateway.url }] },
        { name: 'west', targets: [{ url: westGateway.url }] },
      ],
    }),
  );
  const gateways = [tier1, eastGateway, westGateway];
  const topic = await view.topic();
  const produce = async (value: string): Promise<[number, unknown]> => {
    const answer = await request(`${tier1.url}/topics/${topic}`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: JSON.stringify({ records: [{ value }] }),
    });
    return [answer.statusCode, await answer.body.json()];
  };
  // Both bridges learn the topic.
  await Promise.all([east, west].map((bridge) => bridge.produce(topic, { records: [{ value: 'first' }] })));

  const [broker] = brokers;
  broker?.process.signal('SIGSTOP');
  const startMs = performance.now();
  const pending = Array.from({ length: RECORD_COUNT }, (_, index) => produce(`record-${index}`));
  try {
    await until('every gateway knows that no region has Kafka', () =>
      gateways.every(({ gateway }) =>
        gateway.config.regions.every(({ name }) =>
          gateway.events
            .recent()
            .some((event) => event.type === 'health' && event.region === name && event.to === 'unhealthy'),
        ),
      ),
    );
    await until('they had time to try other regions', () => performance.now() - startMs > FROZEN_MS);
  } finally {
    broker?.process.signal('SIGCONT');
  }
  for (const [status, body] of await Promise.all(pending)) {
    expect([status, body]).toEqual([200, { offsets: [{ partition: 0, offset: expect.any(Number) }] }]);
  }
  expect(await produce('last')).toMatchObject([200, {}]);
  const [end] = await view.admin.fetchTopicOffsets(topic);
  expect(Number(end?.high)).toBe(2 + RECORD_COUNT + 1);
  const said = gateways.flatMap(({ gateway }) => gateway.events.recent());
  expect(said.filter(({ type }) => type === 'breaker' || type === 'failover')).toEqual([]);
});
