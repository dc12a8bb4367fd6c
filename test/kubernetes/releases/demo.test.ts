/** The demonstration of deploy/demo, installed and taken away by the commands of docs/kubernetes.md, over the plain Kafka. */
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../harness/until.ts';
import { isReady } from '../control-plane/api.ts';
import { connect } from './connect.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const guide = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8');
const cluster = await connect();

/** What needs containers, a chart of others, or the Strimzi operator. */
const NOT_HERE = [
  /^(?:kind|docker|curl|export) /,
  /^helm repo /,
  /^helm install (?:cert-manager|strimzi) /,
  /deploy\/demo\/overlays\/kafka$|^kubectl wait .* kafka(?:user)?\/|^kubectl delete kafkatopics /,
  /^kubectl (?:port-forward|logs) | --watch$/,
  // From Secrets of cert-manager and Strimzi: the test writes what they contain.
  /^kubectl get secret /,
];

/** The commands of a section, up to the next heading. */
function commandsOf(heading: string): string[] {
  const [, section] = guide.split(new RegExp(`^#+ ${heading}\n`, 'm'));
  if (section === undefined) throw new Error(`docs/kubernetes.md has no section "${heading}"`);
  const commands = [...(section.split(/^#+ /m)[0] ?? '').matchAll(/^\$ (.*)$/gm)].map(([, command = '']) => command);
  return commands.filter((command) => !NOT_HERE.some((pattern) => pattern.test(command)));
}

/** Runs a command in a directory that looks like the repository. */
let run: (command: string) => Promise<void>;
beforeAll(async () => {
  const directory = mkdtempSync(join(cluster.directory, 'demo-'));
  symlinkSync(join(ROOT, 'deploy'), join(directory, 'deploy'));
  writeFileSync(join(directory, 'kafka-ca.crt'), 'the authority of Kafka');
  const env = { ADMIN_TOKEN: 'of-operators', KUBE_EDITOR: "sed -i 's/weight: 50/weight: 40/'" };
  run = async (command) => void (await cluster.shell(command, { cwd: directory, env }));
  await cluster.api.create('/api/v1/namespaces', { metadata: { name: 'cert-manager' } });
  await provideVolumes(3);
});

/** Volumes of a default class, as a cluster's provisioner makes them. */
async function provideVolumes(count: number): Promise<void> {
  await cluster.api.create('/apis/storage.k8s.io/v1/storageclasses', {
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  for (let index = 1; index <= count; index += 1) {
    await cluster.api.create('/api/v1/persistentvolumes', {
      metadata: { name: `volume-${index}` },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '10Gi' },
        hostPath: { path: '/volume' },
        storageClassName: 'standard',
      },
    });
  }
}

const [authority = '', ...install] = commandsOf('Install');

describe('the demonstration is installed:', () => {
  test.each([authority, ...commandsOf('Without an operator for Kafka'), ...install])('%s', (command) => run(command));

  test.each([
    ['kafka', 3],
    ['central', 5],
    ['east', 4],
    ['west', 4],
  ])('all pods of %s are ready', async (namespace, fewest) => {
    const pods = async () => (await cluster.pods(namespace)).filter(({ status }) => status.phase !== 'Succeeded');
    await until('all are ready', async () => (await pods()).every(isReady));
    expect((await pods()).length).toBeGreaterThanOrEqual(fewest);
  });
});

describe('and used:', () => {
  test.each([...commandsOf("Take a region's bridges away"), ...commandsOf('Change a weight')])('%s', (command) =>
    run(command),
  );

  test('the weight that helm set is there, and the edited one is gone', async () => {
    const { data } = await cluster.api.get('/api/v1/namespaces/central/configmaps/causeway-tier1');
    expect(data['gateway.yaml']).toContain('weight: 0');
    expect(data['gateway.yaml']).not.toContain('weight: 40');
  });
});

describe('and taken away:', () => {
  const commands = commandsOf('Upgrade, roll back, uninstall');
  test.each([...commands, 'kubectl delete -k deploy/demo/overlays/kafka-plain'])('%s', (command) => run(command));

  test('nothing is left', async () => {
    const namespaces = (await cluster.api.list('/api/v1/namespaces')).map(({ metadata }) => metadata.name);
    expect(namespaces).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(?:kafka|central|east|west)$/)]));
  });
});
