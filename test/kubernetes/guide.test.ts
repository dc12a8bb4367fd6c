/** The commands of docs/kubernetes.md: files that they name exist, and the programs themselves parse them. The curls are run elsewhere. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { render } from './chart.ts';
import { DEMO, OVERLAYS, RELEASES } from './demo.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const tools = await findKubernetesTools();

const guide = readFileSync(`${ROOT}docs/kubernetes.md`, 'utf8');
const commands = [...guide.matchAll(/^\$ (.*)$/gm)].map(([, command = '']) => command);
/** Output of a command that only a cluster has. */
const PLACEHOLDER = 'value';

/** The words of a command, as a shell splits them, without what it redirects. */
function wordsOf(command: string): string[] {
  const [text = ''] = command.split(' > ');
  return [...text.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replaceAll(/['"]/g, '').replaceAll(/\$\w+/g, PLACEHOLDER),
  );
}

function ofProgram(name: string): { command: string; words: string[] }[] {
  return commands
    .filter((command) => command.startsWith(`${name} `))
    .map((command) => ({ command, words: wordsOf(command).slice(1) }));
}

test('every command is of a program that you need', () => {
  const programs = new Set(
    commands.map((command) => /^(?:export ADMIN_TOKEN=\$\()?([a-z]+) /.exec(command)?.[1] ?? ''),
  );
  const needed = /^You need (.*?) and an engine/m.exec(guide)?.[1]?.split(', ') ?? [];
  // `export` is the shell's; docker stands for any engine.
  expect([...programs].sort()).toEqual([...needed, 'curl', 'docker', 'export'].sort());
});

test('every file of the repository that a command names exists', () => {
  const files = commands.flatMap((command) => wordsOf(command).filter((word) => word.startsWith('deploy/')));
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => !existsSync(`${ROOT}${file}`))).toEqual([]);
});

test('kubectl reads only one of several -k', () => {
  const several = ofProgram('kubectl').filter(({ words }) => words.filter((word) => word === '-k').length > 1);
  expect(several).toEqual([]);
});

test('every overlay is used, and every combination of values', () => {
  const overlays = ofProgram('kubectl').flatMap(({ words }) =>
    words.filter((_, index) => words[index - 1] === '-k').map((path) => path.replace('deploy/demo/', '')),
  );
  expect([...new Set(overlays)].sort()).toEqual([...OVERLAYS].sort());
  const releases = ofProgram('helm')
    .filter(({ words }) => words.includes('install') && words.includes('deploy/helm/causeway'))
    .map(({ words }) => ({
      namespace: words[words.indexOf('--namespace') + 1],
      files: words
        .filter((_, index) => words[index - 1] === '--values')
        .map((path) => path.replace('deploy/demo/', '')),
    }));
  for (const release of releases) expect(RELEASES).toContainEqual(release);
  // The last one, region west in a cluster of its own, "is as east".
  expect(releases).toHaveLength(RELEASES.length - 1);
});

/** The first words of a command, up to its first option or name. */
function subcommandOf(words: readonly string[]): string {
  const [first = '', second = ''] = words;
  return ['create', 'rollout', 'repo'].includes(first) ? `${first} ${second}` : first;
}

describe.skipIf(tools === undefined)('commands', () => {
  // Options are parsed before --help is: an unknown one is an error, and the usage is that of the subcommand.
  test.each([...ofProgram('kubectl'), ...ofProgram('helm')])('$command', async ({ command, words }) => {
    const program = command.startsWith('kubectl') ? tools?.kubectl : tools?.helm;
    const { stdout } = await run(program ?? '', [...words, '--help']);
    expect(stdout).toMatch(new RegExp(`^ *(?:kubectl|helm) ${subcommandOf(words)} `, 'm'));
  });

  test.each(ofProgram('kubectl').filter(({ words }) => words[0] === 'create'))(
    '$command, without a server',
    async ({ words }) => {
      const args = words.map((word) => word.replace(/^(--from-file=[^=]+=).*/, `$1${DEMO}/kind.yaml`));
      const { stdout } = await run(tools?.kubectl ?? '', [...args, '--dry-run=client', '--output', 'name']);
      expect(stdout).toMatch(/^secret\/[a-z-]+\n$/);
    },
  );

  test('the weight that helm sets is the only change, and no pod is replaced', async () => {
    const [command] = ofProgram('helm').filter(({ words }) => words.includes('--set') && words.includes('upgrade'));
    const { words = [] } = command ?? {};
    const values = words.slice(words.indexOf('--namespace'), words.indexOf('--set'));
    const change = words.slice(words.indexOf('--set'));
    expect(change[1]).toBe('tier1.config.regions[0].weight=0');
    const [before, after] = await Promise.all([
      render(tools?.helm ?? '', values),
      render(tools?.helm ?? '', [...values, ...change]),
    ]);
    const lines = before.split('\n');
    const changed = after.split('\n').flatMap((line, index) => (line === lines[index] ? [] : [[lines[index], line]]));
    expect(changed).toEqual([['      weight: 50', '      weight: 0']]);
  });
});
