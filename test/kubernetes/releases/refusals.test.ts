/** What the API server and its admission refuse: the checks of the other files can fail. And a cluster that chooses user ids itself. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../harness/until.ts';
import { CHART, exampleFile, type KubernetesObject } from '../chart.ts';
import { RELEASE, Release } from '../control-plane/release.ts';
import { connect } from './connect.ts';

const cluster = await connect();

describe('Kubernetes refuses', () => {
  test('a field that it does not know', async () => {
    const installing = Release.install(cluster, 'region', { args: ['--set', 'gateway.podSpec.hostNetwrok=true'] });
    await expect(installing).rejects.toThrow(/hostNetwrok/);
  });

  test('the pods of a release that run as root', async () => {
    const namespace = await cluster.newNamespace();
    const asRoot = '--set-json=gateway.podSpec={"securityContext":{"runAsUser":0,"runAsNonRoot":false}}';
    await cluster.helm('install', RELEASE, CHART, '-n', namespace, '--values', exampleFile('region'), asRoot);
    await until('the ReplicaSet says why', async () =>
      (await refusals(namespace)).some((message) => /violates PodSecurity "restricted.*runAsNonRoot/.test(message)),
    );
    expect(await cluster.pods(namespace, 'gateway')).toEqual([]);
  });
});

/** Why ReplicaSets of the namespace could not create pods. */
async function refusals(namespace: string): Promise<string[]> {
  const sets = await cluster.api.list(`/apis/apps/v1/namespaces/${namespace}/replicasets`);
  return sets.flatMap(({ status }) => (status.conditions ?? []).map(({ message }: { message: string }) => message));
}

/** By which the chart knows OpenShift, whose admission sets a pod's user and the group of its files, and refuses others. */
const SECURITY_CONTEXT_CONSTRAINTS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'securitycontextconstraints.security.openshift.io' },
  spec: {
    group: 'security.openshift.io',
    scope: 'Cluster',
    names: {
      kind: 'SecurityContextConstraints',
      plural: 'securitycontextconstraints',
      listKind: 'SecurityContextConstraintsList',
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** The ids that the pods ask for, in their own settings or their containers'. */
function chosenIds(pods: readonly KubernetesObject[]): number[] {
  const contexts = pods.flatMap(({ spec }) => [spec, ...spec.containers].map(({ securityContext }) => securityContext));
  return contexts
    .flatMap(({ runAsUser, runAsGroup, fsGroup }) => [runAsUser, runAsGroup, fsGroup])
    .filter((id) => id !== undefined);
}

test('where the cluster chooses the users of pods, as OpenShift does, the chart chooses none', async () => {
  const elsewhere = await Release.install(cluster, 'region');
  expect(new Set(chosenIds(await elsewhere.pods()))).toEqual(new Set([1000]));

  await cluster.api.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', SECURITY_CONTEXT_CONSTRAINTS);
  onTestFinished(async () => void (await cluster.kubectl('delete', 'crd', SECURITY_CONTEXT_CONSTRAINTS.metadata.name)));
  await until('it is served', async () => (await cluster.api.get('/apis/security.openshift.io/v1'))['kind'] !== '');
  const release = await Release.install(cluster, 'region');
  expect(await release.isComplete()).toBe(true);
  expect(chosenIds(await release.pods())).toEqual([]);
});
