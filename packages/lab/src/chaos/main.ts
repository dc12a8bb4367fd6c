/** Command line of the chaos suite: arguments, output and exit code. Ctrl-C ends it; the reaper ends what it started. */
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { whyNoRegionNetwork } from '../stack/region-network.ts';
import { formatError } from '../terminal/format.ts';
import { type ChaosOptions, parseChaosArguments, USAGE } from './arguments.ts';
import { runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { formatHeader, formatRow } from './table.ts';

const DIRECTORY = fileURLToPath(new URL('../../../../.causeway/chaos', import.meta.url));
const BAD_ARGUMENTS_EXIT_CODE = 2;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Why a scenario cannot run; undefined when it can. */
function whyNotRun(
  { needsTls = false, needsKeys = false, hasRegionNetwork = false }: Scenario,
  { isSecure, isExactlyOnce }: ChaosOptions,
): string | undefined {
  if (needsTls && !isSecure) return 'it needs --tls';
  if (needsKeys && !isExactlyOnce) return 'it needs --exactly-once';
  return hasRegionNetwork ? whyNoRegionNetwork() : undefined;
}

/** Runs the scenarios; returns whether every claim holds. */
async function run(options: ChaosOptions): Promise<boolean> {
  const { scenarios, isLong, isSecure, isExactlyOnce, directory, seed = randomInt(2 ** 32) } = options;
  const base = directory === undefined ? DIRECTORY : resolve(process.env['INIT_CWD'] ?? process.cwd(), directory);
  print(`Seed ${seed}; logs in ${base}\n`);
  const rows: string[] = [];
  let isGood = true;
  for (const scenario of scenarios) {
    print(`${scenario.name}: ${scenario.title}`);
    const whyNot = whyNotRun(scenario, options);
    if (whyNot !== undefined) {
      print(`  skipped: ${whyNot}\n`);
      continue;
    }
    try {
      const result = await runScenario(scenario, {
        seed,
        isLong,
        isSecure,
        isExactlyOnce,
        directory: join(base, scenario.name),
        onAction: ({ kind, ...what }) => print(`  ${kind} ${Object.values(what).map(inWords).join(' ')}`.trimEnd()),
      });
      isGood &&= result.faults.length === 0;
      rows.push(formatRow(result));
    } catch (error) {
      isGood = false;
      rows.push(`${scenario.name}  FAILED\n    ${formatError(error)}`);
    }
    print(`${formatHeader()}\n${rows.at(-1)}\n`);
  }
  print(`${formatHeader()}\n${rows.join('\n')}\n`);
  print(isGood ? 'Every claim holds.' : 'Not every claim holds.');
  return isGood;
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
