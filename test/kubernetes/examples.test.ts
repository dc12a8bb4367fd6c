/** The chart's examples: what they render, and whether Causeway's own programs accept it. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../harness/certificates.ts';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { CHART, EXAMPLES, exampleFile, goldenFile, type KubernetesObject, objectsOf, render } from './chart.ts';

const run = promisify(execFile);
const tools = await findKubernetesTools();

/** The value of every variable and file that comes from a Secret. */
const SECRET = 'a-value-from-a-secret-of-kubernetes';

describe.skipIf(tools === undefined).each(EXAMPLES)('the example %s', (example) => {
  const rendered = tools === undefined ? Promise.resolve('') : render(tools.helm, ['--values', exampleFile(example)]);

  test('renders what test/kubernetes/golden has', async () => {
    await expect(withoutLongFiles(await rendered)).toMatchFileSnapshot(goldenFile(example));
  });

  test('has a configuration that --check accepts', async () => {
    const workloads = objectsOf(await rendered).filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind));
    expect(workloads.length).toBeGreaterThan(0);
    const configMaps = objectsOf(await rendered).filter(({ kind }) => kind === 'ConfigMap');
    await Promise.all(workloads.map((workload) => check(workload, configMaps)));
  });
});

/** The dashboard has 2,500 lines, and a test of its own. */
function withoutLongFiles(text: string): string {
  return text.replace(/(\n {2}causeway\.json: \|\n)(?: {4}.*\n)+/, '$1    (config/grafana/causeway.json)\n');
}

/** Runs the program's `--check` as its pod would: with its file of the ConfigMap, its environment, and files of its Secrets. */
async function check(workload: KubernetesObject, configMaps: KubernetesObject[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-chart-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const pod = workload['spec'].template.spec;
  const [{ args, env }] = pod.containers;
  const [program, , path] = args as [string, string, string];
  const { volumeMounts } = pod.containers[0];
  const volume = volumeMounts.find(({ mountPath }: { mountPath: string }) => mountPath === dirname(path)).name;
  const configMap = pod.volumes.find(({ name }: { name: string }) => name === volume).configMap.name;
  const text: string = configMaps.find(({ metadata }) => metadata.name === configMap)?.['data'][basename(path)];

  const authority = await TestAuthority.create(directory);
  const pair = await authority.certify('pair', { dns: ['causeway.example'] });
  const directories = volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
  for (const [file] of text.matchAll(/\/run\/secrets\/[^\s,}"]+/g)) {
    // A file that no volume brings would be missing in the pod.
    expect(directories).toContain(dirname(file));
    mkdirSync(join(directory, dirname(file)), { recursive: true });
    const source = { 'tls.crt': pair.certFile, 'tls.key': pair.keyFile, 'ca.crt': authority.certFile }[basename(file)];
    if (source === undefined) writeFileSync(join(directory, file), `${basename(file)}-${SECRET}`);
    else copyFileSync(source, join(directory, file));
  }
  const configFile = join(directory, basename(path));
  writeFileSync(configFile, text.replaceAll('/run/secrets/', `${directory}/run/secrets/`));
  const main = fileURLToPath(new URL(`../../packages/${program}/src/main.ts`, import.meta.url));
  const variables = env.map(({ name, value }: { name: string; value?: string }) => [name, value ?? SECRET]);
  const { stdout, stderr } = await run(process.execPath, [main, '--config', configFile, '--check'], {
    env: { ...process.env, ...Object.fromEntries(variables) },
  });
  expect([stdout.replace(directory, ''), stderr]).toEqual([`/${basename(path)}: ok\n`, '']);
}

test.each([
  ['files/causeway.rules.yml', 'prometheus/causeway.rules.yml'],
  ['files/dashboard.json', 'grafana/causeway.json'],
])('the chart has a copy of config/: %s', async (copy, original) => {
  const text = readFileSync(new URL(`../../config/${original}`, import.meta.url), 'utf8');
  await expect(text).toMatchFileSnapshot(join(CHART, copy));
});
