/** The files of the brokers in deploy/demo/overlays/kafka-plain; releases/brokers.test.ts starts three from them. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { BRIDGE_RIGHTS } from '@causeway/lab/stack/kafka-rights.ts';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { DEMO } from './demo.ts';
import { BROKER_PROPERTIES, BROKERS, KAFKA_FILES } from './demo-kafka.ts';

test('the voters and the addresses are the pods of the StatefulSet', () => {
  const [statefulSet] = readFileSync(`${DEMO}/overlays/kafka-plain/brokers.yaml`, 'utf8').split('\n---\n');
  const { metadata, spec } = parse(statefulSet ?? '', { merge: true });
  expect(spec.replicas).toBe(BROKERS);
  const pods = Array.from({ length: BROKERS }, (_, index) => `${metadata.name}-${spec.ordinals.start + index}`);
  const hosts = pods.map((pod) => `${pod}.${spec.serviceName}.kafka.svc`);
  // prepare.sh makes the id of a broker from the ordinal of its pod.
  expect(BROKER_PROPERTIES['controller.quorum.voters']).toBe(
    hosts.map((host, index) => `${spec.ordinals.start + index}@${host}:9094`).join(','),
  );
  expect(BROKER_PROPERTIES['advertised.listeners']).toBe(`SASL_SSL://@POD_NAME@.${spec.serviceName}.kafka.svc:9093`);
  expect(BROKER_PROPERTIES['super.users']).toContain('User:CN=kafka');
  const certificate = parse(readFileSync(`${DEMO}/overlays/kafka-plain/certificate.yaml`, 'utf8'));
  expect(certificate.spec.commonName).toBe('kafka');
  expect(certificate.spec.dnsNames).toContain(`*.${spec.serviceName}.kafka.svc`);
});

test('prepare.sh writes the properties of its pod, and gives a volume its users', () => {
  const root = mkdtempSync(join(tmpdir(), 'causeway-demo-prepare-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const place of ['run/kafka', 'run/secrets/users', 'etc', 'opt/kafka/bin'])
    mkdirSync(join(root, place), { recursive: true });
  cpSync(KAFKA_FILES, join(root, 'etc/kafka-files'), { recursive: true });
  for (const user of ['admin', 'east-bridge', 'west-bridge'])
    writeFileSync(join(root, 'run/secrets/users', user), `secret-of-${user}`);
  const storage = join(root, 'opt/kafka/bin/kafka-storage.sh');
  writeFileSync(storage, `#!/bin/sh\necho "$@"\n`, { mode: 0o755 });
  const script = readFileSync(`${KAFKA_FILES}/prepare.sh`, 'utf8').replaceAll(
    /(?<=[" @])\/(?=run|etc|opt)/g,
    `${root}/`,
  );
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
  const script = readFileSync(`${KAFKA_FILES}/setup.sh`, 'utf8');
  expect(script).toContain('users="--allow-principal User:east-bridge --allow-principal User:west-bridge"');
  const command =
    /kafka-acls\.sh \$with --add \$users (.*) --(topic|group|transactional-id) '([^']*)'(?: --resource-pattern-type (\w+))?$/gm;
  const rights = [...script.matchAll(command)].map(([, operations = '', resource = '', name, pattern = 'literal']) => ({
    resource: resource.replace('-', '_').toUpperCase(),
    name,
    pattern: pattern.toUpperCase(),
    operations: operations
      .split('--operation ')
      .filter((operation) => operation !== '')
      .map((operation) =>
        operation
          .trim()
          .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
          .toUpperCase(),
      ),
  }));
  expect(rights).toEqual(BRIDGE_RIGHTS);
});
