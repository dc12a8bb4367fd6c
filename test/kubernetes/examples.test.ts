/** The chart's examples: what they render, and whether Causeway's own programs accept it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { EXAMPLES, exampleFile, type KubernetesObject, objectsOf, render } from './chart.ts';

const run = promisify(execFile);
const tools = await findKubernetesTools();

describe.skipIf(tools === undefined).each(EXAMPLES)('the example %s', (example) => {
  const rendered = tools === undefined ? undefined : render(tools.helm, ['--values', exampleFile(example)]);

  test('renders what test/kubernetes/golden has', async () => {
    await expect(await rendered).toMatchFileSnapshot(`golden/${example}.yaml`);
  });

  test('has a configuration that --check accepts', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-chart-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const objects = objectsOf((await rendered) ?? '');
    await Promise.all(
      objects.filter(({ kind }) => kind === 'ConfigMap').map((configMap) => check(configMap, objects, directory)),
    );
  });
});

/** Runs the program's `--check` over its file in a ConfigMap, with the environment of its pod. */
async function check(configMap: KubernetesObject, objects: KubernetesObject[], directory: string): Promise<void> {
  const workload = objects.find(
    ({ kind, metadata: { name } }) => name === configMap.metadata.name && kind !== 'ConfigMap' && kind !== 'Service',
  );
  const program = workload?.['spec'].template.spec.containers[0].args[0] as string;
  const file = join(directory, `${configMap.metadata.name}.yaml`);
  writeFileSync(file, configMap['data'][`${program}.yaml`]);
  const main = fileURLToPath(new URL(`../../packages/${program}/src/main.ts`, import.meta.url));
  const env = Object.fromEntries(
    workload?.['spec'].template.spec.containers[0].env.map(({ name, value }: { name: string; value?: string }) => [
      name,
      value ?? 'a-value-from-kubernetes-of-32-characters',
    ]),
  );
  const { stdout } = await run(process.execPath, [main, '--config', file, '--check'], {
    env: { ...process.env, ...env },
  });
  expect(stdout).toContain('ok');
}
