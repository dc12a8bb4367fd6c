/** Command line of the attacks: arguments, output and exit code. Ctrl-C ends it; the reaper ends what it started. */
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { type AttackOptions, parseAttackArguments, USAGE } from './arguments.ts';
import { ATTACKS } from './attacks.ts';
import { runAttacks } from './run.ts';
import { formatHeader, formatRow } from './table.ts';

const DIRECTORY = fileURLToPath(new URL('../../../../.causeway/attack', import.meta.url));
const BAD_ARGUMENTS_EXIT_CODE = 2;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Whether every claim holds. */
async function run({
  attacks,
  seconds,
  isSecure,
  directory,
  seed = randomInt(2 ** 32),
}: AttackOptions): Promise<boolean> {
  const base = directory === undefined ? DIRECTORY : resolve(process.env['INIT_CWD'] ?? process.cwd(), directory);
  print(`Seed ${seed}; logs in ${join(base, 'logs')}`);
  print('Good clients: acknowledged, errors, p99, longest gap; of each level: most memory, longest delay of a loop.\n');
  print(formatHeader());
  const { results, faults } = await runAttacks({
    attacks,
    seconds,
    isSecure,
    seed,
    directory: base,
    onResult: (result) => print(formatRow(result)),
  });
  for (const fault of faults) print(`    ${fault}`);
  const failed = results.filter((result) => result.faults.length > 0);
  const isGood = failed.length === 0 && faults.length === 0;
  print(isGood ? '\nEvery claim holds.' : `\nNot every claim holds: ${failed.map(({ name }) => name).join(', ')}.`);
  return isGood;
}

try {
  const parsed = parseAttackArguments(process.argv.slice(2));
  if (parsed.kind === 'help') print(USAGE);
  else if (parsed.kind === 'list')
    for (const { name, title, claim } of ATTACKS) print(`${name.padEnd(17)} ${title}\n${' '.repeat(18)}${claim}`);
  else process.exitCode = (await run(parsed.options)) ? 0 : 1;
} catch (error) {
  if (!(error instanceof LabError) || error.code !== 'badArguments') throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = BAD_ARGUMENTS_EXIT_CODE;
}
