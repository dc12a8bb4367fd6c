/** A reporter that lists the test files that took longest, and those that took most processor time, before the summary of the run. */
import { relative } from 'node:path';
import process from 'node:process';
import type { Reporter, TestModule } from 'vitest/node';

const LISTED_COUNT = 20;

export interface FileDuration {
  file: string;
  project: string;
  /** From the import to the end of the last test, including servers that the file starts at its top level. */
  durationMs: number;
  /** Of the file and the processes that it started. */
  processorMs: number;
}

/** Lines for a terminal; empty for a run of few files. */
export function slowestFiles(files: readonly FileDuration[]): string[] {
  if (files.length <= LISTED_COUNT) return [];
  return [
    `The slowest ${LISTED_COUNT} of ${files.length} test files (all together ${seconds(sumOf(files, durationOf))} s):`,
    ...linesOf(files, durationOf),
    `The ${LISTED_COUNT} that took most processor time (all together ${seconds(sumOf(files, processorOf))} s):`,
    ...linesOf(files, processorOf),
  ];
}

type Measure = (file: FileDuration) => number;

const durationOf: Measure = ({ durationMs }) => durationMs;
const processorOf: Measure = ({ processorMs }) => processorMs;

function linesOf(files: readonly FileDuration[], measure: Measure): string[] {
  return files
    .toSorted((a, b) => measure(b) - measure(a))
    .slice(0, LISTED_COUNT)
    .map((one) => `${seconds(measure(one)).padStart(8)} s  ${one.file} (${one.project})`);
}

function sumOf(files: readonly FileDuration[], measure: Measure): number {
  return files.reduce((sum, file) => sum + measure(file), 0);
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

export class SlowestFiles implements Reporter {
  readonly #files: FileDuration[] = [];

  onTestModuleEnd(module: TestModule): void {
    const { collectDuration, setupDuration, duration } = module.diagnostic();
    this.#files.push({
      file: relative(process.cwd(), module.moduleId),
      project: module.project.name,
      durationMs: collectDuration + setupDuration + duration,
      processorMs: module.meta().processorMs ?? 0,
    });
  }

  /** Vitest calls reporters in order, so a reporter before the default one prints before the summary. */
  onTestRunEnd(): void {
    const lines = slowestFiles(this.#files);
    if (lines.length > 0) process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}
