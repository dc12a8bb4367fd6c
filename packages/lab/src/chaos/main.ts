/** Command line of the chaos suite: arguments, output and exit code. Ctrl-C ends it; the reaper ends what it started. */
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { type ChaosArguments, parseChaosArguments, USAGE } from './arguments.ts';
import { CLUSTER_SCENARIOS } from './cluster-scenarios.ts';
import { runClusterSuite } from './cluster-suite.ts';
import { SCENARIOS } from './scenarios.ts';
import { runSuite } from './suite.ts';

const DIRECTORY = fileURLToPath(new URL('../../../../.causeway/chaos', import.meta.url));
const BAD_ARGUMENTS_EXIT_CODE = 2;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs the scenarios; returns whether every claim holds. */
async function run(parsed: ChaosArguments & { kind: 'run' | 'clusters' }): Promise<boolean> {
  const { directory: given, seed = randomInt(2 ** 32) } = parsed.options;
  const directory = given === undefined ? DIRECTORY : resolve(process.env['INIT_CWD'] ?? process.cwd(), given);
  print(`Seed ${seed}; logs in ${directory}\n`);
  const common = { seed, directory, print };
  return parsed.kind === 'clusters'
    ? await runClusterSuite({ ...parsed.options, ...common })
    : await runSuite({ ...parsed.options, ...common });
}

function list(): void {
  for (const { name, title } of SCENARIOS) print(`${name.padEnd(18)} ${title}`);
  print('\nWith --clusters:');
  for (const { name, title } of CLUSTER_SCENARIOS) print(`${name.padEnd(18)} ${title}`);
}

try {
  const parsed = parseChaosArguments(process.argv.slice(2));
  if (parsed.kind === 'help') print(USAGE);
  else if (parsed.kind === 'list') list();
  else process.exitCode = (await run(parsed)) ? 0 : 1;
} catch (error) {
  if (!(error instanceof LabError) || error.code !== 'badArguments') throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = BAD_ARGUMENTS_EXIT_CODE;
}
