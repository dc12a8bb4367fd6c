/** Every object of the chart's examples and of deploy/demo fits the schema of its kind, and both Helms take the chart. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv, type ValidateFunction } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { findHelm3, findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { findKubernetesValidate, kubernetesValidate } from '../harness/kubernetes-validate.ts';
import { CHART, EXAMPLES, exampleFile, goldenFile, objectsOf, render, withoutLongFiles } from './chart.ts';
import { kustomize, OVERLAYS } from './demo.ts';

const run = promisify(execFile);
const SCHEMAS = new URL('crd-schemas/', import.meta.url);
/** The oldest version in Chart.yaml, and the newest that the checker knows. */
const KUBERNETES_VERSIONS = ['1.30', '1.37'];

const tools = await findKubernetesTools();
const helm3 = await findHelm3();
const validator = findKubernetesValidate();
const golden = EXAMPLES.map(goldenFile);
/** The objects of the demonstration beside the releases of the chart. */
const demo =
  tools === undefined ? [] : (await Promise.all(OVERLAYS.map((name) => kustomize(tools.kubectl, name)))).flat();

/** A file that is removed after the test. */
function fileWith(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-chart-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'objects.yaml');
  writeFileSync(file, text);
  return file;
}

describe.skipIf(validator === undefined)('objects of Kubernetes fit the schemas', () => {
  test.each(KUBERNETES_VERSIONS)('of version %s, and a mistake is found', async (version) => {
    const demoFile = fileWith(demo.map((object) => stringify(object)).join('---\n'));
    const text = readFileSync(goldenFile('central'), 'utf8');
    const wrong = fileWith(text.replace('readOnlyRootFilesystem', 'readonlyRootFilesystem'));
    const { lines } = await kubernetesValidate(validator ?? '', version, [...golden, demoFile, wrong]);
    const problems = lines.filter((line) => !/^(?:INFO .* passed for|WARN .*Couldn't find schema for)/.test(line));
    expect(problems.join('\n')).toContain('readonlyRootFilesystem');
    expect(problems.filter((line) => line.startsWith('ERROR') && !line.includes(wrong))).toEqual([]);
    // What it does not know are the kinds below, and no other.
    const unknown = lines.flatMap((line) => /find schema for kind (\w+)/.exec(line)?.[1] ?? []);
    expect([...new Set(unknown)].filter((kind) => !customKinds().includes(kind))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('INFO')).length).toBeGreaterThan(8 * EXAMPLES.length);
  });
});

function customKinds(): string[] {
  return readdirSync(SCHEMAS).flatMap((file) => /^(\w+)\.json$/.exec(file)?.[1] ?? []);
}

describe('custom resources fit the schemas of their projects', () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  const compiled = new Map<string, ValidateFunction>(
    customKinds().map((kind) => [
      kind,
      ajv.compile(JSON.parse(readFileSync(new URL(`${kind}.json`, SCHEMAS), 'utf8'))),
    ]),
  );
  const alerts = parse(readFileSync(`${CHART}/files/causeway.rules.yml`, 'utf8'));
  const objects = golden
    .flatMap((file) => objectsOf(readFileSync(file, 'utf8')))
    .map((object) => (object.kind === 'PrometheusRule' ? { ...object, spec: alerts } : object))
    .concat(demo);

  test.skipIf(tools === undefined).each([...compiled.keys()])('%s', (kind) => {
    const found = objects.filter((object) => object.kind === kind);
    expect(found.length).toBeGreaterThan(0);
    for (const object of found) {
      const validate = compiled.get(kind);
      expect([object.metadata.name, validate?.(object), validate?.errors]).toEqual([object.metadata.name, true, null]);
      expect(validate?.({ ...object, spec: { ...object['spec'], specc: 1 } })).toBe(false);
    }
  });
});

describe.skipIf(tools === undefined || helm3 === undefined)('Helm', () => {
  // They have every object but routes.
  const LARGEST = ['secure-central', 'secure-region'];

  test.each(LARGEST)('3 and 4 find no fault with the example %s (lint --strict)', async (example) => {
    expect(await Promise.all([lint(helm3 ?? '', example), lint(tools?.helm ?? '', example)])).toEqual(['', '']);
  });

  test.each([...LARGEST, 'shared-gateway'])('3 renders the example %s as Helm 4 does', async (example) => {
    const text = withoutLongFiles(await render(helm3 ?? '', ['--values', exampleFile(example)]));
    expect(objectsOf(text)).toEqual(objectsOf(readFileSync(goldenFile(example), 'utf8')));
  });
});

async function lint(helm: string, example: string): Promise<string> {
  const args = ['lint', '--strict', '--quiet', CHART, '--values', exampleFile(example)];
  return (await run(helm, args)).stdout.trim();
}
