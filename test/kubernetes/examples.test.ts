/** The chart's examples: what they render, and whether Causeway's own programs accept it. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadBridgeConfig } from '@causeway/bridge/load.ts';
import { loadForStart } from '@causeway/gateway/config/load.ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../harness/certificates.ts';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import {
  EXAMPLES,
  exampleFile,
  goldenFile,
  type KubernetesObject,
  objectsOf,
  render,
  withoutLongFiles,
} from './chart.ts';

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
    // A process takes most of a second of processor time: one of each program.
    const accept = example === 'secure-region' ? runCheck : load;
    await Promise.all(workloads.map((workload) => check(workload, configMaps, accept)));
  });
});

type Accept = (program: string, configFile: string, env: Record<string, string>) => void | Promise<void>;

/** The program itself, with `--check`. */
async function runCheck(program: string, configFile: string, env: Record<string, string>): Promise<void> {
  const main = fileURLToPath(new URL(`../../packages/${program}/src/main.ts`, import.meta.url));
  const args = [main, '--config', configFile, '--check'];
  const { stdout, stderr } = await run(process.execPath, args, { env: { ...process.env, ...env } });
  expect([stdout, stderr]).toEqual([`${configFile}: ok\n`, '']);
}

/** What `--check` does. */
function load(program: string, configFile: string, env: Record<string, string>): void {
  if (program === 'gateway') loadForStart(configFile, env);
  else loadBridgeConfig(configFile, env);
}

/** Gives the program what its pod has: its file of the ConfigMap, its environment, and files of its Secrets. */
async function check(workload: KubernetesObject, configMaps: KubernetesObject[], accept: Accept): Promise<void> {
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
  const variables = env.map(({ name, value }: { name: string; value?: string }) => [name, value ?? SECRET]);
  await accept(program, configFile, Object.fromEntries(variables));
}
