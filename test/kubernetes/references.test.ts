/** The chart's examples and the demonstration: every reference in their objects fits, also with unusual names. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { EXAMPLES, exampleFile, goldenFile, type KubernetesObject, objectsOf, render } from './chart.ts';
import { kustomize } from './demo.ts';
import { duplicateProblems, referenceProblems } from './references.ts';

const tools = await findKubernetesTools();

function problemsOf(objects: readonly KubernetesObject[]): string[] {
  return [...duplicateProblems(objects), ...referenceProblems(objects)];
}

function golden(example: string): KubernetesObject[] {
  return objectsOf(readFileSync(goldenFile(example), 'utf8'));
}

test.each(EXAMPLES)('all references in the example %s fit', (example) => {
  expect(problemsOf(golden(example))).toEqual([]);
});

describe.skipIf(tools === undefined)('all references fit', () => {
  test.each(['overlays/central', 'overlays/kafka-plain'])('in %s', async (overlay) => {
    expect(problemsOf(await kustomize(tools?.kubectl ?? '', overlay))).toEqual([]);
  });

  test('with names and values that are seldom', async () => {
    const podSpec = {
      volumes: [{ name: 'scratch', emptyDir: {} }],
      initContainers: [{ name: 'first', image: 'first', volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] }],
      containers: [{ name: 'beside', image: 'beside' }],
    };
    const far = `/run/${'a-long-directory/'.repeat(4)}`;
    const secrets = { '/run/a.b': 'a', '/run/a-b': 'b', '/run/A-b': 'c', [`${far}1`]: 'd', [`${far}2/`]: 'e' };
    const values = { gateway: { podSpec, secrets }, bridge: { podSpec, secrets } };
    const files = ['--values', exampleFile('secure-region'), '--set-json', JSON.stringify(values)];
    const name = 'kafka.rest.of-a-company-with-a-very-long-name-for-each-cluster';
    const objects = objectsOf(await render(tools?.helm ?? '', [...files, '--set', `fullnameOverride=${name}`]));
    expect(problemsOf(objects)).toEqual([]);
    const pods = objects.flatMap(({ spec }) => spec?.template?.spec ?? []);
    const names = (list: { name: string }[]): string[] => list.map((item) => item.name);
    expect(pods.map(({ containers }) => names(containers))).toEqual([
      ['gateway', 'beside'],
      ['bridge', 'beside'],
    ]);
    for (const { volumes } of pods) expect(names(volumes)).toContain('scratch');
  });
});

test.each<[mistake: string, change: (text: string) => string, problem: RegExp]>([
  ['two volumes of one name', (text) => text.replaceAll(/name: files-.*/g, 'name: files'), /two volumes twice: files/],
  [
    'a mount without a volume',
    (text) => text.replace('- name: files-', '- name: others-'),
    /there is no volume files-/,
  ],
  [
    'a probe of no port',
    (text) => text.replace('port: management\n            scheme', 'port: admin\n            scheme'),
    /there is no port admin/,
  ],
  [
    'a target port of no container',
    (text) => text.replace('targetPort: https', 'targetPort: http'),
    /no container has http/,
  ],
  [
    'a selector of no pods',
    (text) => text.replace(/(kind: PodDis[\s\S]*?component: gateway[\s\S]*?component: )gateway/, '$1gate'),
    /PodDisruptionBudget .*finds no pods/,
  ],
  ['a long name of a port', (text) => text.replaceAll('management', 'management-of-pods'), /the name is too long/],
])('%s would be found', (_, change, problem) => {
  const text = readFileSync(goldenFile('secure-region'), 'utf8');
  expect(problemsOf(objectsOf(change(text))).join('\n')).toMatch(problem);
});
