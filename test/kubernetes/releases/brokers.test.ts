/** The brokers of deploy/demo/overlays/kafka-plain, started here: three processes with the properties of the YAML. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bridge } from '@causeway/bridge/app.ts';
import { BridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { Credentials } from '@causeway/lab/secure/credentials.ts';
import { type KafkaCluster, startKafka } from '@causeway/lab/stack/kafka.ts';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../harness/until.ts';
import { BROKER_PROPERTIES, BROKERS } from '../demo-kafka.ts';

/** What depends on the place where a broker runs: here it is loopback, and files of the test. */
const OF_THE_PLACE = [
  'node.id',
  'controller.quorum.voters',
  'listeners',
  'advertised.listeners',
  'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config',
  'ssl.keystore.location',
  'ssl.truststore.location',
  'log.dirs',
];

let directory: string;
let credentials: Credentials;
let cluster: KafkaCluster;
let reaper: Reaper;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-demo-kafka-'));
  reaper = new Reaper();
  credentials = await Credentials.create({ directory, addresses: [], brokerCount: BROKERS });
  cluster = await startKafka({
    brokerCount: BROKERS,
    ports: await findFreePorts(2 * BROKERS),
    directory,
    reaper,
    credentials,
    onProgress: () => {},
    properties: Object.fromEntries(Object.entries(BROKER_PROPERTIES).filter(([key]) => !OF_THE_PLACE.includes(key))),
  });
});
afterAll(async () => {
  await cluster?.kill();
  await reaper?.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the properties that the test replaces are those of the place, and the lab adds times alone', () => {
  expect(OF_THE_PLACE.filter((key) => BROKER_PROPERTIES[key] === undefined)).toEqual([]);
  const written = readFileSync(join(directory, 'broker-1.properties'), 'utf8').split('\n');
  const added = written
    .map((line) => line.slice(0, line.indexOf('=')))
    .filter((key) => key !== '' && !(key in BROKER_PROPERTIES));
  const isHarmless = /(?:\.ms|\.topic\.num\.partitions|state\.log\.num\.partitions)$/;
  expect(added.filter((key) => !isHarmless.test(key))).toEqual([]);
});

test('a bridge with the user of its region stores records on two of three brokers, also when one is dead', async () => {
  const config = {
    bridge: { name: 'bridge', region: 'east' },
    listen: { port: 0 },
    kafka: {
      bootstrapServers: cluster.bootstrap.split(','),
      tls: { isEnabled: true, caFile: credentials.caFile },
      sasl: {
        mechanism: 'SCRAM-SHA-512',
        username: 'east-bridge',
        password: credentials.kafkaPasswords['east-bridge'],
      },
    },
  };
  const parsed = parseConfig('test', JSON.stringify(config), { schema: BridgeConfig, env: {} });
  const bridge = await Bridge.start(parsed, pino({ level: 'silent' }));
  try {
    const post = (path: string, body: object): Promise<Response> =>
      fetch(`${bridge.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await post('/admin/topics', { topic_name: 'orders' })).status).toBe(201);
    const produce = async (): Promise<unknown> =>
      ((await (await post('/topics/orders', { records: [{ value: 'paid' }] })).json()) as { offsets?: unknown })
        .offsets;
    await until('a record is stored', async () => JSON.stringify(await produce()).includes('"offset":'));

    const admin = independentClient(cluster.access).admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: ['orders', '__causeway_sessions'] });
      for (const { partitions } of topics) {
        for (const { replicas } of partitions) expect(replicas).toHaveLength(3);
      }
      expect(topics.find(({ name }) => name === 'orders')?.partitions).toHaveLength(6);
    } finally {
      await admin.disconnect();
    }

    await cluster.killBroker(1);
    // Six records in turn reach every partition, also those that the dead broker led.
    for (let record = 1; record <= 6; record += 1) {
      await until('a record is stored', async () => JSON.stringify(await produce()).includes('"offset":'));
    }
  } finally {
    await bridge.close();
  }
});
