/** The README's walk-through with curl, run as written: each command's output is the one that the README shows. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { hasDebianTool } from '../harness/debian-tool.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';

interface Step {
  command: string;
  output: string;
}

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The commands (`$ …`) of a section's first console block, each with what stands below it. */
function stepsOf(section: string): Step[] {
  const text = README.slice(README.indexOf(`## ${section}`));
  const block = /```console\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const steps: Step[] = [];
  for (const line of block.trimEnd().split('\n')) {
    const step = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: '' });
    else if (step !== undefined) step.output += line;
  }
  return steps;
}

const hasCurl = hasDebianTool('curl', '--version');

let system: TestStack;
beforeAll(async () => {
  system = await startTestStack(inject('kafkaBootstrap'));
  await system.untilWell();
});
afterAll(() => system?.close());

test.skipIf(!hasCurl)('the walk-through of the README (skipped without the Debian package curl)', async () => {
  const topic = `greetings-${process.pid}-${Date.now()}`;
  await ensureTopics(inject('kafkaBootstrap'), [{ name: topic, partitionCount: 1 }]);
  const here = (text: string): string =>
    text.replaceAll('http://localhost:8080', system.url).replaceAll('greetings', topic);
  const steps = stepsOf('Try it with curl');
  expect(steps.length).toBeGreaterThan(5);
  for (const { command, output } of steps) {
    const { stdout, status } = spawnSync('sh', ['-c', here(command).replace(/^curl/, 'curl -sS')], {
      encoding: 'utf8',
    });
    expect({ command, status, output: withoutTimes(stdout) }).toEqual({
      command,
      status: 0,
      output: withoutTimes(here(output)),
    });
  }
});

function withoutTimes(text: string): string {
  return text.replaceAll(/"timestamp":\d+/g, '"timestamp":0');
}
