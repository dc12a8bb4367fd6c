/** A bridge and several brokers: the bootstrap servers, and the nearest one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, PATIENT_BROKERS, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';

const BROKER_IDS = [1, 2, 3] as const;

let kafka: OwnKafka;
let view: KafkaView;

beforeAll(async () => {
  kafka = await startOwnKafka({
    brokerCount: 3,
    ports: await findFreePorts(6),
    properties: (id) => ({
      ...PATIENT_BROKERS,
      'broker.rack': `zone-${id}`,
      'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
    }),
  });
  view = await KafkaView.connect(kafka.cluster.bootstrap);
  // Brokers then tell every request that they have answered, until they are started again.
  for (const id of BROKER_IDS) {
    const logger = ['--entity-type', 'broker-loggers', '--entity-name', String(id)];
    await kafka.configure('--alter', '--add-config', 'kafka.request.logger=DEBUG', ...logger);
  }
}, 400_000);

afterAll(async () => {
  await view?.close();
  await kafka?.close();
});

async function bridgeOf(bootstrap: string, options: object = {}): Promise<TestBridge> {
  const bridge = await TestBridge.start(bootstrap, { kafka: { connectTimeoutMs: 1000, ...options } });
  onTestFinished(() => bridge.close());
  await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
  return bridge;
}

/** Brokers that have sent records to this client, as they tell it. */
function brokersThatServed(clientId: string): number[] {
  return BROKER_IDS.filter((id) =>
    readFileSync(join(kafka.directory, `kafka-${id}.log`), 'utf8')
      .split('\n')
      .some(
        (line) =>
          line.includes('"requestApiKeyName":"FETCH"') &&
          line.includes(`"clientId":"${clientId}"`) &&
          /"recordsSizeInBytes":[1-9]/.test(line),
      ),
  );
}

/** Asked again while some broker does not know the topic. */
async function leaderOf(topic: string): Promise<number> {
  let leader = -1;
  await until('brokers know the leader', async () => {
    const { topics } = await view.admin.fetchTopicMetadata({ topics: [topic] });
    leader = topics[0]?.partitions[0]?.leader ?? -1;
    return leader >= 0;
  });
  return leader;
}

test('without a rack everyone reads from leaders', async () => {
  const topic = await view.topic();
  const bridge = await bridgeOf(kafka.cluster.bootstrap);
  const name = unique('consumer');
  const consumer = await bridge.consumer(unique('group'), name, [topic]);
  await bridge.produce(topic, { records: [{ value: '1' }] });
  await consumer.take(1);
  await until('brokers have counted it', () => brokersThatServed(name).length > 0);
  expect(brokersThatServed(name)).toEqual([await leaderOf(topic)]);
});

test('consumers read from the replica in their rack, and from the leader when it dies', async () => {
  const topic = await view.topic();
  const leader = await leaderOf(topic);
  const nearest = BROKER_IDS.find((id) => id !== leader) ?? 0;
  const bridge = await bridgeOf(kafka.cluster.bootstrap, { clientRack: `zone-${nearest}` });
  const name = unique('consumer');
  const consumer = await bridge.consumer(unique('group'), name, [topic]);
  await bridge.produce(topic, { records: [{ value: '1' }, { value: '2' }] });
  expect((await consumer.take(2)).map(({ value }) => value)).toEqual(['1', '2']);
  await until('brokers have counted it', () => brokersThatServed(name).length > 0);
  expect(brokersThatServed(name)).toEqual([nearest]);

  await kafka.cluster.killBroker(nearest);
  onTestFinished(() => kafka.cluster.restartBroker(nearest));
  const produced = async (): Promise<boolean> =>
    'offset' in (await bridge.produce(topic, { records: [{ value: '3' }] })).body.offsets[0];
  await until('a record is stored without it', produced, { timeoutMs: 60_000 });
  expect((await consumer.take(1)).map(({ value }) => value)).toEqual(['3']);
  await until('the leader has counted it', () => brokersThatServed(name).includes(leader));
}, 400_000);

test('bootstrap servers may be dead, at the start and later', async () => {
  const [first = '', second = ''] = kafka.cluster.bootstrap.split(',');
  const [deadPort] = await findFreePorts(1);
  const bridge = await bridgeOf(`127.0.0.1:${deadPort},${first},${second}`);
  const topic = await view.topic();
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  await bridge.produce(topic, { records: [{ value: 'before' }] });
  expect(await consumer.take(1)).toMatchObject([{ value: 'before' }]);

  await kafka.cluster.killBroker(1);
  const stored = async (): Promise<boolean> =>
    'offset' in (await bridge.produce(topic, { records: [{ value: 'after' }] })).body.offsets[0];
  await until('a record is stored without it', stored, { timeoutMs: 60_000 });
  expect(await consumer.take(1)).toMatchObject([{ value: 'after' }]);
  // A new bridge finds two of its three bootstrap servers dead.
  const late = await bridgeOf(`127.0.0.1:${deadPort},${first},${second}`);
  expect((await late.get('/topics')).body).toContain(topic);
}, 400_000);
