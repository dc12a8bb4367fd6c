/** The commands of the README and of docs/, run as written: each command's output is the one that the document shows. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { hasDebianTool } from '../harness/debian-tool.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';

interface Step {
  command: string;
  /** `…` stands for any text. */
  output: string;
}

interface Walk {
  file: string;
  /** Of the system: a form of `npm start`. */
  form: Form;
  steps: Step[];
}

type Form = 'anonymous' | 'tenants';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Marks, as a comment in Markdown, the console block that follows; "with tenants" in it means a system that has them. */
const MARKED_BLOCK = /<!-- test\/e2e\/walkthrough\.test\.ts ([^>]*)-->\n+```console\n([\s\S]*?)```/g;

/** Marks a module of JavaScript that follows. */
const MARKED_MODULE = /<!-- test\/e2e\/walkthrough\.test\.ts runs this module\. -->\n+```js\n([\s\S]*?)```/g;

const documents = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];

const walks: Walk[] = documents
  .filter((name) => name.endsWith('.md'))
  .flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(MARKED_BLOCK)].map(([, remark = '', block = '']) => ({
      file,
      form: remark.includes('with tenants') ? 'tenants' : 'anonymous',
      steps: stepsOf(block),
    })),
  );

/** The commands (`$ …`) of a console block, each with the lines below it. */
function stepsOf(block: string): Step[] {
  const steps: Step[] = [];
  for (const line of block.trimEnd().split('\n')) {
    const step = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: '' });
    else if (step !== undefined) step.output += line;
  }
  return steps;
}

const hasCurl = hasDebianTool('curl', '--version');

/** A system, and where the commands run: with `.causeway`, as in the repository while the lab runs. */
interface Place {
  system: TestStack;
  directory: string;
}

const places = new Map<Form, Place>();
beforeAll(async () => {
  await Promise.all([startPlace('anonymous'), startPlace('tenants')]);
});
afterAll(async () => {
  for (const { system, directory } of places.values()) {
    await system.close();
    rmSync(directory, { recursive: true });
  }
});

async function startPlace(form: Form): Promise<void> {
  const system = await startTestStack(inject('kafkaBootstrap'), form === 'tenants' ? { tenantCount: 2 } : {});
  const directory = mkdtempSync(join(tmpdir(), 'causeway-walkthrough-'));
  places.set(form, { system, directory });
  symlinkSync(system.stack.directory.path, join(directory, '.causeway'));
  await system.untilWell();
}

test('the README, exactly-once, Kubernetes, the lab, the admin API and security have commands that are run', () => {
  expect([...new Set(walks.map(({ file }) => file))].sort()).toEqual([
    'README.md',
    'docs/exactly-once.md',
    'docs/kubernetes.md',
    'docs/lab.md',
    'docs/operating.md',
    'docs/security.md',
  ]);
});

test('every curl of docs/kubernetes.md is run', () => {
  const commands = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8').match(/^\$ curl .*$/gm) ?? [];
  const run = walks.filter(({ file }) => file === 'docs/kubernetes.md').flatMap(({ steps }) => steps);
  expect(run.map(({ command }) => `$ ${command}`)).toEqual(commands);
  expect(commands.length).toBeGreaterThan(8);
});

test.skipIf(!hasCurl).each(walks)('$file does what it says (skipped without the Debian package curl)', async (walk) => {
  const place = places.get(walk.form);
  if (place === undefined) throw new Error('no system');
  const { system, directory } = place;
  // The topics of tenants are for this test alone.
  const suffix = walk.form === 'tenants' ? '' : `-${process.pid}-${Date.now()}`;
  const topics = ['greetings', 'payments'].map((name) => ({ name: `${name}${suffix}`, partitionCount: 1 }));
  await ensureTopics(inject('kafkaBootstrap'), topics);
  const { east, west } = system.stack.regions;
  const here = (text: string): string =>
    text
      // The ports that docs/kubernetes.md forwards.
      .replaceAll('https://localhost:8443', system.url)
      .replaceAll('https://localhost:8444', east.gateway.url)
      .replaceAll('https://localhost:8445', west.gateway.url)
      .replaceAll('https://localhost:8081', system.admin)
      .replaceAll('http://localhost:8080', system.url)
      .replaceAll('http://localhost:8081', system.admin)
      .replaceAll(/\b(?:greetings|payments|payment-4711|orders-eu)\b/g, (name) => `${name}${suffix}`);
  expect(walk.steps.length).toBeGreaterThan(0);
  const outputs = run(
    walk.steps.map(({ command }) => here(command)),
    { directory, adminToken: system.stack.adminToken },
  );
  for (const [index, { command, output }] of walk.steps.entries()) {
    const { text, status } = outputs[index] ?? {};
    expect({ command, text, status }).toEqual({
      command,
      text: expect.stringMatching(patternOf(here(output))),
      status: 0,
    });
  }
  // Whatever the document leaves out: a command that repeats another one with its key has the same output.
  for (const [index, { command }] of walk.steps.entries()) {
    if (!command.includes('Idempotency-Key')) continue;
    const first = walk.steps.findIndex((step) => step.command === command);
    expect({ command, text: outputs[index]?.text }).toEqual({ command, text: outputs[first]?.text });
  }
});

test('README and docs/exactly-once.md repeat a command with an Idempotency-Key', () => {
  for (const document of ['README.md', 'docs/exactly-once.md']) {
    const commands = walks
      .filter(({ file }) => file === document)
      .flatMap(({ steps }) => steps.map(({ command }) => command));
    const repeated = commands.filter((command, index) => commands.indexOf(command) < index);
    expect(repeated).toContainEqual(expect.stringContaining('Idempotency-Key: payment-4711'));
  }
});

test('the JavaScript of docs/exactly-once.md gets the same offsets twice', async () => {
  const { system, directory } = places.get('anonymous') as Place;
  const topic = `payments-${process.pid}-${Date.now()}`;
  await ensureTopics(inject('kafkaBootstrap'), [{ name: topic, partitionCount: 1 }]);
  const text = readFileSync(join(ROOT, 'docs/exactly-once.md'), 'utf8');
  const modules = [...text.matchAll(MARKED_MODULE)].map(([, module = '']) => module);
  expect(modules).toHaveLength(1);
  const file = join(directory, 'produce.mjs');
  const here = (modules[0] ?? '')
    .replaceAll('http://localhost:8080', system.url)
    .replaceAll("'payments'", `'${topic}'`);
  writeFileSync(file, here.replaceAll('javascript-1', topic));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file]);
  expect({ stdout, stderr }).toEqual({ stdout: '[{"partition":0,"offset":0}]\n'.repeat(2), stderr: '' });
});

/** Runs the commands one after another in one shell, so that they share variables. */
function run(
  commands: readonly string[],
  { directory, adminToken }: { directory: string; adminToken: string },
): { text: string; status: number }[] {
  const END = '\u001e';
  const script = commands.map((command) => `${command.replace(/^curl/, 'curl -sS')}\nprintf '${END}%s${END}' $?\n`);
  const { stdout } = spawnSync('sh', ['-c', script.join('')], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, ADMIN_TOKEN: adminToken },
  });
  const parts = stdout.split(END);
  return commands.map((_, index) => ({
    text: withoutTimes((parts[2 * index] ?? '').trim()),
    status: Number(parts[2 * index + 1] ?? Number.NaN),
  }));
}

function patternOf(output: string): RegExp {
  const parts = withoutTimes(output.trim()).split('…');
  return new RegExp(`^${parts.map(RegExp.escape).join('[\\s\\S]*')}$`);
}

function withoutTimes(text: string): string {
  return text.replaceAll(/"timestamp":\d+/g, '"timestamp":0');
}
