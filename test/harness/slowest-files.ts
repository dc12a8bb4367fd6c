/** A reporter that lists the test files that took longest, before the summary of the run. */
import { relative } from 'node:path';
import process from 'node:process';
import type { Reporter, TestModule } from 'vitest/node';

const LISTED_COUNT = 20;

export interface FileDuration {
  file: string;
  project: string;
  /** From the import to the end of the last test, including servers that the file starts at its top level. */
  durationMs: number;
}

/** Lines for a terminal; empty for a run of few files. */
export function slowestFiles(files: readonly FileDuration[]): string[] {
  if (files.length <= LISTED_COUNT) return [];
  const totalMs = files.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const slowest = files.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, LISTED_COUNT);
  return [
    `The slowest ${LISTED_COUNT} of ${files.length} test files (all together ${seconds(totalMs)} s):`,
    ...slowest.map(({ file, project, durationMs }) => `${seconds(durationMs).padStart(8)} s  ${file} (${project})`),
  ];
}

function seconds(durationMs: number): string {
  return (durationMs / 1_000).toFixed(1);
}

export class SlowestFiles implements Reporter {
  readonly #files: FileDuration[] = [];

  onTestModuleEnd(module: TestModule): void {
    const { collectDuration, setupDuration, duration } = module.diagnostic();
    this.#files.push({
      file: relative(process.cwd(), module.moduleId),
      project: module.project.name,
      durationMs: collectDuration + setupDuration + duration,
    });
  }

  /** Vitest calls reporters in order, so a reporter before the default one prints before the summary. */
  onTestRunEnd(): void {
    const lines = slowestFiles(this.#files);
    if (lines.length > 0) process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}
