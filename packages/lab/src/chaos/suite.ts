/** Runs scenarios one after the other, prints what they found, and says whether every claim holds. */
import { join } from 'node:path';
import { whyNoRegionNetwork } from '../stack/region-network.ts';
import { formatError } from '../terminal/format.ts';
import type { ChaosOptions } from './arguments.ts';
import { type RunOptions, runScenario, type ScenarioResult } from './run.ts';
import type { Scenario } from './scenario.ts';
import { formatHeader, formatRow } from './table.ts';

export interface Suite extends Pick<ChaosOptions, 'scenarios' | 'isLong' | 'isSecure' | 'isExactlyOnce'> {
  seed: number;
  /** With a directory for each scenario. */
  directory: string;
  print: (line: string) => void;
  /** Default: each scenario on a stack of its own. */
  play?: ((scenario: Scenario, options: RunOptions) => Promise<ScenarioResult>) | undefined;
}

/** Why a scenario cannot run; undefined when it can. */
function whyNotRun(
  { needsTls = false, needsKeys = false, hasRegionNetwork = false }: Scenario,
  { isSecure, isExactlyOnce }: Suite,
): string | undefined {
  if (needsTls && !isSecure) return 'it needs --tls';
  if (needsKeys && !isExactlyOnce) return 'it needs --exactly-once';
  return hasRegionNetwork ? whyNoRegionNetwork() : undefined;
}

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Returns whether every claim holds. */
export async function runSuite(suite: Suite): Promise<boolean> {
  const { scenarios, seed, isLong, isSecure, isExactlyOnce, directory, print, play = runScenario } = suite;
  const rows: string[] = [];
  let isGood = true;
  for (const scenario of scenarios) {
    print(`${scenario.name}: ${scenario.title}`);
    const whyNot = whyNotRun(scenario, suite);
    if (whyNot !== undefined) {
      print(`  skipped: ${whyNot}\n`);
      continue;
    }
    try {
      const result = await play(scenario, {
        seed,
        isLong,
        isSecure,
        isExactlyOnce,
        directory: join(directory, scenario.name),
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
