/** The demonstration of deploy/demo, rendered as an operator does: kustomize, and helm with the overlays' values. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type KubernetesObject, objectsOf, render } from './chart.ts';

const run = promisify(execFile);

export const DEMO = fileURLToPath(new URL('../../deploy/demo', import.meta.url));

/** Everything that `kubectl apply -k` may be given. */
export const OVERLAYS = [
  'authority',
  'clusters/kafka',
  ...readdirSync(`${DEMO}/overlays`).map((name) => `overlays/${name}`),
];

export async function kustomize(kubectl: string, overlay: string): Promise<KubernetesObject[]> {
  const { stdout } = await run(kubectl, ['kustomize', `${DEMO}/${overlay}`]);
  return objectsOf(stdout);
}

const REGION = ['base/region/values.yaml'];

/** Releases of the chart, by namespace, with their files of values: all clusters in one, and a cluster for each region. */
export const RELEASES: readonly { namespace: string; files: readonly string[] }[] = [
  { namespace: 'central', files: ['overlays/central/values.yaml'] },
  { namespace: 'east', files: [...REGION, 'overlays/east/values.yaml'] },
  { namespace: 'west', files: [...REGION, 'overlays/west/values.yaml'] },
  { namespace: 'central', files: ['overlays/central/values.yaml', 'clusters/central.yaml'] },
  { namespace: 'east', files: [...REGION, 'clusters/region.yaml', 'overlays/east/values.yaml'] },
  { namespace: 'west', files: [...REGION, 'clusters/region.yaml', 'overlays/west/values.yaml'] },
];

export async function release(
  helm: string,
  { namespace, files }: (typeof RELEASES)[number],
): Promise<KubernetesObject[]> {
  const values = files.flatMap((file) => ['--values', `${DEMO}/${file}`]);
  return objectsOf(await render(helm, ['--namespace', namespace, ...values]));
}

/** The object of this kind and name. Errors: if it is missing. */
export function find(objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject {
  const object = objects.find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
  if (object === undefined) throw new Error(`there is no ${kind} ${name}`);
  return object;
}
