/** Runs scenarios with two Kafka clusters one after the other, prints what they found, and says whether every claim holds. */
import { join } from 'node:path';
import { formatError } from '../terminal/format.ts';
import { playOnClusters } from './cluster-run.ts';
import type { ClusterScenario } from './cluster-scenario.ts';
import { onClusterStage } from './cluster-stage.ts';
import { formatClusterHeader, formatClusterRow } from './cluster-table.ts';

export interface ClusterSuite {
  scenarios: readonly ClusterScenario[];
  seed: number;
  /** With a directory for each system. */
  directory: string;
  print: (line: string) => void;
}

/** On one system, and on a new one after a scenario that did not come to its end. Returns whether every claim holds. */
export async function runClusterSuite({ scenarios, seed, directory, print }: ClusterSuite): Promise<boolean> {
  const rows: string[] = [];
  const waiting = [...scenarios];
  let isGood = true;
  for (let system = 1; waiting.length > 0; system += 1) {
    try {
      await onClusterStage({ directory: join(directory, `clusters-${system}`) }, async (stage) => {
        for (let scenario = waiting[0]; scenario !== undefined; scenario = waiting[0]) {
          print(`${scenario.name}: ${scenario.title}`);
          const result = await playOnClusters(scenario, stage, { seed, onAction: ({ kind }) => print(`  ${kind}`) });
          waiting.shift();
          isGood &&= result.faults.length === 0;
          rows.push(formatClusterRow(result));
          print(`${formatClusterHeader()}\n${rows.at(-1)}\n`);
        }
      });
    } catch (error) {
      isGood = false;
      const failed = waiting.shift();
      rows.push(`${failed?.name ?? 'the end'}  FAILED\n    ${formatError(error)}`);
      print(`${rows.at(-1)}\n`);
    }
  }
  print(`${formatClusterHeader()}\n${rows.join('\n')}\n`);
  print(isGood ? 'Every claim holds.' : 'Not every claim holds.');
  return isGood;
}
