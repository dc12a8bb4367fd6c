import { defineConfig } from 'vitest/config';
import { SlowestFiles } from './test/harness/slowest-files.ts';

/** kafkajs computes negative delays, which Node 26 warns about; nothing of ours does. */
const execArgv = ['--disable-warning=TimeoutNegativeWarning'];

/** Whole systems that claim how quick something is: one file at a time, and nothing beside it. */
const TIMED = [
  'packages/bridge/test/worst-bodies.test.ts',
  'test/e2e/{failover,page,routing}.test.ts',
  'test/{page,chaos,attack}/**/*.test.ts',
];

export default defineConfig({
  test: {
    // One real Kafka for the whole run; files use topics and groups of their own.
    globalSetup: ['test/harness/kafka-setup.ts'],
    pool: 'forks',
    // In this order: the summary of the default reporter comes last.
    reporters: [new SlowestFiles(), 'default'],
    execArgv,
    // More than the two cores of a small machine: most long files wait for Kafka's time limits.
    maxWorkers: 3,
    // For a machine that is several times slower than usual: what waits, waits for a condition.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/{src,test}/**/*.test.ts', 'test/*.test.ts'],
          exclude: TIMED,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/conformance/**/*.test.ts'],
          exclude: TIMED,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: TIMED,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
