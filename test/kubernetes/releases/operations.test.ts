/** What an operator does to a running release: new versions, nodes that are drained, bridges scaled to zero. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../harness/until.ts';
import type { KubernetesObject } from '../chart.ts';
import { isReady } from '../control-plane/api.ts';
import { isLiving, type Part, RELEASE, Release } from '../control-plane/release.ts';
import { connect } from './connect.ts';

const cluster = await connect();
let release: Release;
beforeAll(async () => {
  release = await Release.install(cluster, 'region');
});

describe('a new version', () => {
  test.each([
    ['gateway', 2],
    ['bridge', 2],
  ] as const)('replaces each %s, and %i of them are ready at any time', async (part, fewest) => {
    const before = await release.podIds(part);
    const fewestReady = await watchReady(part);
    await release.upgrade({ args: ['--set', `image.tag=next-${part}`] });
    expect(fewestReady()).toBe(fewest);
    const pods = (await release.pods(part)).filter(isLiving);
    expect(pods.map(({ spec }) => spec.containers[0].image)).toEqual(before.map(() => `causeway:next-${part}`));
    expect((await release.podIds(part)).filter((id) => before.includes(id))).toEqual([]);
  });

  test('of the settings that a bridge reads at its start replaces bridges alone', async () => {
    const gateways = await release.podIds('gateway');
    const bridges = await release.podIds('bridge');
    await release.upgrade({ change: { part: 'bridge', path: ['shutdown', 'graceMs'], value: 7000 } });
    expect((await release.podIds('bridge')).filter((id) => bridges.includes(id))).toEqual([]);
    // The image of all parts is that of the chart again.
    expect((await release.podIds('gateway')).filter((id) => gateways.includes(id))).toEqual([]);
    const [bridge] = await release.pods('bridge');
    expect(bridge?.['spec'].terminationGracePeriodSeconds).toBe(17);
  });
});

test('an edit of the configuration is overwritten only on purpose', async () => {
  const configMap = `configmap/${RELEASE}-gateway`;
  const edited = JSON.stringify({ data: { 'gateway.yaml': `# edited\n${await release.config('gateway')}` } });
  await cluster.kubectl('patch', configMap, '-n', release.namespace, '--type=merge', `--patch=${edited}`);
  await expect(release.upgrade({})).rejects.toThrow(/conflict with "kubectl-patch".*gateway\.yaml/);
  expect(await release.config('gateway')).toContain('# edited');
  await release.upgrade({ args: ['--force-conflicts'] });
  expect(await release.config('gateway')).not.toContain('# edited');
});

describe('a node', () => {
  test('that is drained leaves enough pods, which are on other nodes then', async () => {
    const node = 'node-a';
    expect(await podsOn(node)).not.toEqual([]);
    const fewestReady = await watchReady('bridge');
    onTestFinished(async () => void (await cluster.kubectl('uncordon', node)));
    await cluster.kubectl('drain', node, '--timeout=120s');
    expect(await podsOn(node)).toEqual([]);
    await until('all pods are back', () => release.isComplete());
    expect(fewestReady()).toBe(2);
  });

  test('cannot be drained of a bridge while another one is not ready', async () => {
    const [ready, other] = await release.pods('bridge');
    await setReady(other, 'False');
    await until('the budget is used up', async () => (await budget()).disruptionsAllowed === 0);
    await expect(evict(ready)).rejects.toThrow(/429.*disruption budget/);
    await setReady(other, 'True');
    await until('the budget has room', async () => (await budget()).disruptionsAllowed === 1);
    await evict(ready);
    await until('all pods are back', () => release.isComplete());
  });
});

describe('a bridge that is not ready', () => {
  test('is an address for gateways, which probe it, and none for other clients', async () => {
    const [pod] = await release.pods('bridge');
    await setReady(pod, 'False');
    const service = `${RELEASE}-bridge`;
    await until('the Service has lost it', async () => (await endpoints(service)).some(({ isReady }) => !isReady));
    const name = pod?.metadata.name;
    expect((await endpoints(service)).filter(({ isReady }) => !isReady).map(({ pod }) => pod)).toEqual([name]);
    expect((await endpoints(`${service}-headless`)).every(({ isReady }) => isReady)).toBe(true);
    expect(await endpoints(`${service}-headless`)).toHaveLength(3);
    await setReady(pod, 'True');
    await until('the Service has it again', async () => (await endpoints(service)).every(({ isReady }) => isReady));
  });
});

describe('all bridges', () => {
  test('are scaled to zero and back, and their names are the same', async () => {
    const names = (await release.pods('bridge')).map(({ metadata }) => metadata.name);
    const scale = (replicas: number): Promise<string> =>
      cluster.kubectl('scale', `statefulset/${RELEASE}-bridge`, `--replicas=${replicas}`, '-n', release.namespace);
    await scale(0);
    await until('no bridge has an address', async () => (await endpoints(`${RELEASE}-bridge-headless`)).length === 0);
    expect(await release.pods('bridge')).toEqual([]);
    await scale(names.length);
    await until('all bridges are ready', () => release.isComplete());
    expect((await release.pods('bridge')).map(({ metadata }) => metadata.name)).toEqual(names);
    await until('all have addresses', async () => (await endpoints(`${RELEASE}-bridge-headless`)).length === 3);
  });
});

describe('autoscaling', () => {
  test('that is turned on keeps the pods that there are, and later upgrades those of the autoscaler', async () => {
    const scaled = await Release.install(cluster, 'region');
    const count = async (): Promise<number[]> => [await scaled.replicas('gateway'), await scaled.replicas('bridge')];
    const isOn = ['gateway', 'bridge'].flatMap((part) => ['--set', `${part}.autoscaling.enabled=true`]);
    const upgrade = (percent: number): Promise<void> =>
      scaled.upgrade({ args: [...isOn, '--set', `bridge.autoscaling.cpuPercent=${percent}`] });
    await upgrade(100);
    expect(await count()).toEqual([2, 3]);
    await upgrade(110);
    expect(await count()).toEqual([2, 3]);
    // As the autoscaler does; it does not take back what it has no metrics for.
    const workloads = [`deployment/${RELEASE}-gateway`, `statefulset/${RELEASE}-bridge`];
    await cluster.kubectl('scale', ...workloads, '--replicas=5', '--namespace', scaled.namespace);
    await upgrade(120);
    expect(await count()).toEqual([5, 5]);
  });
});

/** Begins to count the ready pods of a part; the returned function ends it, and returns the fewest that there were. */
async function watchReady(part: Part): Promise<() => number> {
  const ready = new Set((await release.pods(part)).filter(isUsable).map(nameOf));
  let fewest = ready.size;
  const selector = `labelSelector=app.kubernetes.io/component=${part}`;
  const path = `/api/v1/namespaces/${release.namespace}/pods?${selector}`;
  const stop = await cluster.api.watch(path, ({ type, object }) => {
    if (type !== 'DELETED' && isUsable(object)) ready.add(nameOf(object));
    else ready.delete(nameOf(object));
    fewest = Math.min(fewest, ready.size);
  });
  onTestFinished(stop);
  return () => {
    stop();
    return fewest;
  };
}

function isUsable(pod: KubernetesObject): boolean {
  return isLiving(pod) && isReady(pod);
}

function nameOf({ metadata }: KubernetesObject): string {
  return metadata.name;
}

/** The names of the release's pods. */
async function podsOn(node: string): Promise<string[]> {
  return (await release.pods()).filter(({ spec }) => spec.nodeName === node).map(nameOf);
}

/** What the kubelet would say about the pod. */
async function setReady(pod: KubernetesObject | undefined, status: 'True' | 'False'): Promise<void> {
  const conditions = pod?.['status'].conditions.map((condition: { type: string }) =>
    condition.type === 'Ready' || condition.type === 'ContainersReady' ? { ...condition, status } : condition,
  );
  await cluster.api.patch(`${podPath(pod)}/status`, { status: { conditions } });
}

async function evict(pod: KubernetesObject | undefined): Promise<void> {
  const { name } = pod?.metadata ?? {};
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: release.namespace } };
  await cluster.api.create(`${podPath(pod)}/eviction`, eviction);
}

function podPath(pod: KubernetesObject | undefined): string {
  return `/api/v1/namespaces/${release.namespace}/pods/${pod?.metadata.name}`;
}

async function budget(): Promise<{ disruptionsAllowed: number }> {
  const path = `/apis/policy/v1/namespaces/${release.namespace}/poddisruptionbudgets/${RELEASE}-bridge`;
  return (await cluster.api.get(path))['status'];
}

interface Endpoint {
  conditions: { ready: boolean };
  targetRef: { name: string };
}

/** The addresses behind a Service. */
async function endpoints(service: string): Promise<{ pod: string; isReady: boolean }[]> {
  const path = `/apis/discovery.k8s.io/v1/namespaces/${release.namespace}/endpointslices`;
  const slices = await cluster.api.list(`${path}?labelSelector=kubernetes.io/service-name=${service}`);
  const found = slices.flatMap((slice) => (slice['endpoints'] ?? []) as Endpoint[]);
  return found.map(({ conditions, targetRef }) => ({ pod: targetRef.name, isReady: conditions.ready }));
}
