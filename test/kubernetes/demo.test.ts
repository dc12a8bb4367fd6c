/** The demonstration of deploy/demo: overlays and releases render, their parts fit together, and Causeway's programs accept its YAML. */
import { readFileSync } from 'node:fs';
import { BridgeConfig, checkBridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { findConfigProblems } from '@causeway/gateway/config/load.ts';
import { BRIDGE_RIGHTS } from '@causeway/lab/stack/kafka-rights.ts';
import { parseTrafficArguments } from '@causeway/lab/traffic/arguments.ts';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { type KubernetesObject, objectsOf } from './chart.ts';
import { DEMO, find, kustomize, OVERLAYS, RELEASES, release } from './demo.ts';

const tools = await findKubernetesTools();
/** Each program is run once, and only with the tests that need it. */
const rendered = new Map<string, Promise<KubernetesObject[]>>();

function overlay(name: string): Promise<KubernetesObject[]> {
  const objects = rendered.get(name) ?? kustomize(tools?.kubectl ?? '', name);
  rendered.set(name, objects);
  return objects;
}

function releaseOf(index: number): Promise<KubernetesObject[]> {
  const [key, form] = [`release ${index}`, RELEASES[index]];
  if (form === undefined) throw new Error(`there is no release ${index}`);
  const objects = rendered.get(key) ?? release(tools?.helm ?? '', form);
  rendered.set(key, objects);
  return objects;
}

const inOneCluster = [0, 1, 2];
const everyRelease = RELEASES.map(({ namespace, files }, index) => ({ index, namespace, files }));
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

describe.skipIf(tools === undefined)('overlays', () => {
  test.each(OVERLAYS)('%s renders objects with a place', async (name) => {
    const objects = await overlay(name);
    expect(objects.length).toBeGreaterThan(1);
    const isOfCluster = /^(?:Namespace|ClusterIssuer)$/;
    const homeless = objects.filter(
      ({ kind, metadata }) => !isOfCluster.test(kind) && metadata.namespace === undefined,
    );
    expect(homeless.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
    // What the overlays of regions replace.
    expect(JSON.stringify(objects)).not.toMatch(/REGION/);
  });

  test('pods are restricted, have their resources, and no token of the Kubernetes API', async () => {
    const objects = [...(await overlay('overlays/central')), ...(await overlay('overlays/kafka-plain'))];
    const pods = objects.flatMap(({ spec }) => (spec?.template?.spec === undefined ? [] : [spec.template.spec]));
    expect(pods).toHaveLength(5);
    for (const pod of pods) {
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(container).toMatchObject({
          resources: { requests: { cpu: expect.any(String), memory: expect.any(String) } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        });
      }
    }
  });

  test('the clients have arguments that the traffic command accepts, and the image of this version', async () => {
    const deployments = (await overlay('overlays/central')).filter(({ kind }) => kind === 'Deployment');
    const commands = deployments.map(({ spec }) => {
      const [{ image, args }] = spec.template.spec.containers;
      expect(image).toBe(`causeway:${version}`);
      expect(args[0]).toBe('traffic');
      return parseTrafficArguments(args.slice(1));
    });
    expect(commands).toMatchObject([
      { kind: 'consume', topic: 'orders', group: 'billing', consumerCount: 2 },
      { kind: 'produce', topic: 'orders', recordsPerSecond: 20 },
      { kind: 'consume', topic: 'orders', group: 'shipping', consumerCount: 1 },
    ]);
    const tier1 = find(await releaseOf(0), 'Service', 'causeway-tier1');
    expect(tier1['spec'].ports[0]).toMatchObject({ name: 'https', port: 443 });
    for (const command of commands) expect(command).toMatchObject({ url: 'https://causeway-tier1.central.svc' });
  });
});

describe.skipIf(tools === undefined)('Kafka', () => {
  test('the users of Strimzi have the rights that bridges need, and no others', async () => {
    const users = (await overlay('overlays/kafka')).filter(({ kind }) => kind === 'KafkaUser');
    expect(users.map(({ metadata }) => metadata.name)).toEqual(['east-bridge', 'west-bridge']);
    const words = (operation: string): string => operation.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
    for (const { spec } of users) {
      expect(spec.authentication).toEqual({ type: 'scram-sha-512' });
      const acls = spec.authorization.acls as { resource: Record<string, string>; operations: string[] }[];
      expect(acls.map(({ resource, operations }) => ({ ...resource, operations: operations.map(words) }))).toEqual(
        BRIDGE_RIGHTS.map(({ resource, name, pattern, operations }) => ({
          type: resource.toLowerCase().replace('_id', 'Id'),
          name,
          patternType: pattern === 'PREFIXED' ? 'prefix' : 'literal',
          operations,
        })),
      );
    }
  });

  test('both forms replicate alike, and have the same topics', async () => {
    const strimzi = await overlay('overlays/kafka');
    const config = find(strimzi, 'Kafka', 'demo')['spec'].kafka.config as Record<string, unknown>;
    const plain = readFileSync(`${DEMO}/overlays/kafka-plain/files/broker.properties`, 'utf8').split('\n');
    for (const [key, value] of Object.entries(config)) expect(plain).toContain(`${key}=${value}`);
    expect(config).toMatchObject({ 'default.replication.factor': 3, 'min.insync.replicas': 2 });
    const topics = strimzi.filter(({ kind }) => kind === 'KafkaTopic');
    const setup = readFileSync(`${DEMO}/overlays/kafka-plain/files/setup.sh`, 'utf8');
    expect(topics.map(({ metadata }) => metadata.name)).toEqual(['greetings', 'orders']);
    for (const { metadata, spec } of topics) {
      expect(setup).toContain(`--topic ${metadata.name} --partitions ${spec.partitions}\n`);
      expect(spec.replicas).toBe(3);
    }
  });

  test('both forms are at the address that the bridges have', async () => {
    const bridge = await bridgeConfig(1);
    expect(bridge.kafka.bootstrapServers).toEqual(['demo-kafka-bootstrap.kafka.svc:9093']);
    const service = find(await overlay('overlays/kafka-plain'), 'Service', 'demo-kafka-bootstrap');
    expect([service.metadata.namespace, service['spec'].ports[0].port]).toEqual(['kafka', 9093]);
    // Strimzi names the Service after the cluster.
    const { metadata, spec } = find(await overlay('overlays/kafka'), 'Kafka', 'demo');
    expect([metadata.namespace, spec.kafka.listeners[0].port]).toEqual(['kafka', 9093]);
    expect(spec.kafka.listeners[0]).toMatchObject({ tls: true, authentication: { type: 'scram-sha-512' } });
  });
});

/** The configuration of a part of a release, with its environment. */
async function configText(index: number, program: string, part: string): Promise<{ text: string; env: Environment }> {
  const objects = await releaseOf(index);
  const workload = objects.find(({ kind, metadata }) => /Set$|^Deployment$/.test(kind) && metadata.name.endsWith(part));
  const [container] = workload?.['spec'].template.spec.containers ?? [];
  const env = Object.fromEntries(
    container.env.map(({ name, value }: { name: string; value?: string }) => [
      name,
      value ?? `${name}-from-kubernetes`,
    ]),
  );
  const text = find(objects, 'ConfigMap', workload?.metadata.name ?? '')['data'][`${program}.yaml`] as string;
  return { text, env };
}

type Environment = Record<string, string>;

async function bridgeConfig(index: number): Promise<BridgeConfig> {
  const { text, env } = await configText(index, 'bridge', 'bridge');
  return parseConfig('bridge', text, { schema: BridgeConfig, env, check: checkBridgeConfig });
}

/** The gateway in a release. */
function partOf(index: number): string {
  return RELEASES[index]?.namespace === 'central' ? 'tier1' : 'gateway';
}

/** A gateway's YAML with its environment, before its program reads it. */
async function gatewayYaml(index: number): Promise<GatewayYaml> {
  const { text, env } = await configText(index, 'gateway', partOf(index));
  return parse(text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => env[name] ?? '')) as GatewayYaml;
}

interface GatewayYaml {
  trust?: { peers: string[] };
  regions: { name: string; targets: { dns?: string; url?: string; port?: number }[] }[];
}

describe.skipIf(tools === undefined)('releases', () => {
  test.each(everyRelease)('$namespace with $files: the bridge accepts its YAML', async ({ index, namespace }) => {
    if (namespace === 'central') return;
    const { bridge, kafka } = await bridgeConfig(index);
    expect([bridge.region, kafka.sasl.username]).toEqual([namespace, `${namespace}-bridge`]);
  });

  test.each(everyRelease)('$namespace with $files: the gateway accepts its YAML', async ({ index }) => {
    const { text, env } = await configText(index, 'gateway', partOf(index));
    // The files are in Secrets.
    const problems = findConfigProblems(text, env).filter(({ reason }) => !reason.endsWith('there is no such file'));
    expect(problems).toEqual([]);
  });

  test.each(everyRelease)('$namespace with $files: targets have the names of certificates', async ({ index }) => {
    const names = new Set((await certificates()).flatMap(({ spec }) => spec.dnsNames as string[]));
    const hosts = (await gatewayYaml(index)).regions.flatMap(({ targets }) =>
      targets.map(({ dns, url }) => dns ?? new URL(url ?? '').hostname),
    );
    expect(hosts).toHaveLength(2);
    expect(hosts.filter((host) => !names.has(host))).toEqual([]);
  });

  test.each(everyRelease)('$namespace with $files: peers have the names of certificates', async ({ index }) => {
    const uris = (await certificates()).flatMap(({ spec }) => (spec.uris ?? []) as string[]);
    const { trust } = await gatewayYaml(index);
    expect((trust?.peers ?? []).filter((peer) => !uris.includes(peer))).toEqual([]);
    // Tier-1 has no gateway before it.
    expect(trust?.peers.length).toBe(partOf(index) === 'tier1' ? undefined : 2);
  });

  test.each(inOneCluster)('release %i: Services are at the names and ports of targets', async (index) => {
    const services = (await Promise.all(inOneCluster.map(releaseOf))).flatMap((objects, at) =>
      objects
        .filter(({ kind }) => kind === 'Service')
        .flatMap(({ metadata, spec }) =>
          spec.ports.map(({ port }: { port: number }) => `${metadata.name}.${RELEASES[at]?.namespace}.svc:${port}`),
        ),
    );
    const targets = (await gatewayYaml(index)).regions.flatMap((region) => region.targets);
    expect(targets.map(({ dns, port }) => `${dns}:${port}`).filter((target) => !services.includes(target))).toEqual([]);
  });

  test.each(everyRelease)(
    '$namespace with $files: Secrets are made by certificates or by the guide',
    async ({ index }) => {
      const made = new Set((await certificates()).map(({ spec }) => spec.secretName as string));
      const guide = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
      const secrets = (await releaseOf(index)).flatMap(({ spec }) =>
        ((spec?.template?.spec.volumes ?? []) as { secret?: { secretName: string } }[]).flatMap(({ secret }) =>
          secret === undefined ? [] : [secret.secretName],
        ),
      );
      expect(secrets.length).toBeGreaterThan(1);
      expect(secrets.filter((name) => !made.has(name) && !guide.includes(`create secret generic ${name} `))).toEqual(
        [],
      );
    },
  );
});

async function certificates(): Promise<KubernetesObject[]> {
  const overlays = await Promise.all(['overlays/central', 'overlays/east', 'overlays/west'].map(overlay));
  return overlays.flat().filter(({ kind }) => kind === 'Certificate');
}

test('the cluster of the recipe has a node for each broker', () => {
  const [kind] = objectsOf(readFileSync(`${DEMO}/kind.yaml`, 'utf8'));
  expect(kind).toMatchObject({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4' });
  const nodes: { role: string }[] = kind?.['nodes'] ?? [];
  const workers = nodes.filter(({ role }) => role === 'worker');
  expect(workers).toHaveLength(3);
});
