/** Command line of the chaos suite: arguments, output and exit code. Ctrl-C ends it; the reaper ends what it started. */
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { type ChaosOptions, parseChaosArguments, USAGE } from './arguments.ts';
import { SCENARIOS } from './scenarios.ts';
import { runSuite } from './suite.ts';

const DIRECTORY = fileURLToPath(new URL('../../../../.causeway/chaos', import.meta.url));
const BAD_ARGUMENTS_EXIT_CODE = 2;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs the scenarios; returns whether every claim holds. */
async function run(options: ChaosOptions): Promise<boolean> {
  const { directory: given, seed = randomInt(2 ** 32) } = options;
  const directory = given === undefined ? DIRECTORY : resolve(process.env['INIT_CWD'] ?? process.cwd(), given);
  print(`Seed ${seed}; logs in ${directory}\n`);
  return await runSuite({ ...options, seed, directory, print });
}

try {
  const parsed = parseChaosArguments(process.argv.slice(2));
  if (parsed.kind === 'help') print(USAGE);
  else if (parsed.kind === 'list') for (const { name, title } of SCENARIOS) print(`${name.padEnd(17)} ${title}`);
  else process.exitCode = (await run(parsed.options)) ? 0 : 1;
} catch (error) {
  if (!(error instanceof LabError) || error.code !== 'badArguments') throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = BAD_ARGUMENTS_EXIT_CODE;
}
