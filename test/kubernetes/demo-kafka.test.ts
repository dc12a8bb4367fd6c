/** The brokers of deploy/demo/overlays/kafka-plain, started here: three processes with the properties of the YAML. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Bridge } from '@causeway/bridge/app.ts';
import { BridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { Credentials } from '@causeway/lab/secure/credentials.ts';
import { type KafkaCluster, startKafka } from '@causeway/lab/stack/kafka.ts';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { BRIDGE_RIGHTS } from '@causeway/lab/stack/kafka-rights.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { until } from '../harness/until.ts';
import { DEMO } from './demo.ts';

const BROKERS = 3;
const FILES = `${DEMO}/overlays/kafka-plain/files`;

/** Lines of a file of Java properties, without comments. */
function propertiesOf(file: string): Record<string, string> {
  const lines = readFileSync(`${FILES}/${file}`, 'utf8').split('\n');
  return Object.fromEntries(
    lines
      .filter((line) => /^[^#]/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

const GIVEN = propertiesOf('broker.properties');

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
    properties: Object.fromEntries(Object.entries(GIVEN).filter(([key]) => !OF_THE_PLACE.includes(key))),
  });
});
afterAll(async () => {
  await cluster?.kill();
  await reaper?.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the properties that the test replaces are those of the place, and the lab adds times alone', () => {
  expect(OF_THE_PLACE.filter((key) => GIVEN[key] === undefined)).toEqual([]);
  const written = readFileSync(join(directory, 'broker-1.properties'), 'utf8').split('\n');
  const added = written.map((line) => line.slice(0, line.indexOf('='))).filter((key) => key !== '' && !(key in GIVEN));
  const isHarmless = /(?:\.ms|\.topic\.num\.partitions|state\.log\.num\.partitions)$/;
  expect(added.filter((key) => !isHarmless.test(key))).toEqual([]);
});

test('the voters and the addresses are the pods of the StatefulSet', () => {
  const [statefulSet] = readFileSync(`${DEMO}/overlays/kafka-plain/brokers.yaml`, 'utf8').split('\n---\n');
  const { metadata, spec } = parse(statefulSet ?? '', { merge: true });
  expect(spec.replicas).toBe(BROKERS);
  const pods = Array.from({ length: BROKERS }, (_, index) => `${metadata.name}-${spec.ordinals.start + index}`);
  const hosts = pods.map((pod) => `${pod}.${spec.serviceName}.kafka.svc`);
  // prepare.sh makes the id of a broker from the ordinal of its pod.
  expect(GIVEN['controller.quorum.voters']).toBe(
    hosts.map((host, index) => `${spec.ordinals.start + index}@${host}:9094`).join(','),
  );
  expect(GIVEN['advertised.listeners']).toBe(`SASL_SSL://@POD_NAME@.${spec.serviceName}.kafka.svc:9093`);
  expect(GIVEN['super.users']).toContain('User:CN=kafka');
  const certificate = parse(readFileSync(`${DEMO}/overlays/kafka-plain/certificate.yaml`, 'utf8'));
  expect(certificate.spec.commonName).toBe('kafka');
  expect(certificate.spec.dnsNames).toContain(`*.${spec.serviceName}.kafka.svc`);
});

test('prepare.sh writes the properties of its pod, and gives a volume its users', () => {
  const root = mkdtempSync(join(tmpdir(), 'causeway-demo-prepare-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const place of ['run/kafka', 'run/secrets/users', 'etc', 'opt/kafka/bin'])
    mkdirSync(join(root, place), { recursive: true });
  cpSync(FILES, join(root, 'etc/kafka-files'), { recursive: true });
  for (const user of ['admin', 'east-bridge', 'west-bridge'])
    writeFileSync(join(root, 'run/secrets/users', user), `secret-of-${user}`);
  const storage = join(root, 'opt/kafka/bin/kafka-storage.sh');
  writeFileSync(storage, `#!/bin/sh\necho "$@"\n`, { mode: 0o755 });
  const script = readFileSync(`${FILES}/prepare.sh`, 'utf8').replaceAll(/(?<=[" @])\/(?=run|etc|opt)/g, `${root}/`);
  const run = (...args: string[]): string => {
    const options = { encoding: 'utf8', env: { POD_NAME: 'demo-kafka-2', PATH: process.env['PATH'] } } as const;
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script, 'prepare.sh', ...args], options);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout;
  };
  // As the Job does, which has no volume.
  expect(run()).toBe('');
  const client = readFileSync(join(root, 'run/kafka/client.properties'), 'utf8');
  expect(client).toContain('username="admin" password="secret-of-admin";');
  expect(run('broker')).toMatch(
    /^format --cluster-id [\w-]{22} --config \S+broker\.properties --ignore-formatted @\S+users\.arguments\n$/,
  );
  const broker = readFileSync(join(root, 'run/kafka/broker.properties'), 'utf8');
  expect(broker).toMatch(/^node\.id=2$/m);
  expect(broker).toContain('SASL_SSL://demo-kafka-2.demo-kafka-brokers.kafka.svc:9093');
  expect(`${broker}${client}`).not.toMatch(/^[^#]*@[A-Z_]+@/m);
  expect(readFileSync(join(root, 'run/kafka/users.arguments'), 'utf8').split('\n').slice(0, 4)).toEqual([
    '--add-scram',
    'SCRAM-SHA-512=[name=admin,password=secret-of-admin]',
    '--add-scram',
    'SCRAM-SHA-512=[name=east-bridge,password=secret-of-east-bridge]',
  ]);
});

test('setup.sh gives the bridges the rights that they need, and no others', () => {
  const script = readFileSync(`${FILES}/setup.sh`, 'utf8');
  expect(script).toContain('users="--allow-principal User:east-bridge --allow-principal User:west-bridge"');
  const rights = [...script.matchAll(/kafka-acls\.sh \$with --add \$users (.*) --(topic|group) '([^']*)'/g)].map(
    ([, operations = '', resource = '', name]) => ({
      resource: resource.toUpperCase(),
      name,
      operations: operations
        .split('--operation ')
        .filter((operation) => operation !== '')
        .map((operation) =>
          operation
            .trim()
            .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
            .toUpperCase(),
        ),
    }),
  );
  expect(rights).toEqual(BRIDGE_RIGHTS);
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
