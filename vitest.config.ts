import { defineConfig } from 'vitest/config';

/** kafkajs computes negative delays, which Node 26 warns about; nothing of ours does. */
const execArgv = ['--disable-warning=TimeoutNegativeWarning'];

export default defineConfig({
  test: {
    // One real Kafka for the whole run; files use topics and groups of their own.
    globalSetup: ['test/harness/kafka-setup.ts'],
    pool: 'forks',
    execArgv,
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['packages/*/src/**/*.test.ts', 'test/*.test.ts'], sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        // Whole systems with timing claims: one file at a time, and nothing beside it.
        test: {
          name: 'e2e',
          include: [
            'test/e2e/**/*.test.ts',
            'test/page/**/*.test.ts',
            'test/chaos/**/*.test.ts',
            'test/conformance/**/*.test.ts',
          ],
          testTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
