import { defineConfig } from 'vitest/config';
import { LongFirst } from './test/harness/long-first.ts';
import { SlowestFiles } from './test/harness/slowest-files.ts';
import { WITH_MIRROR_MAKER } from './test/mirror/files.ts';

/** kafkajs computes negative delays, about which Node 26 warns; our own code does not. */
const execArgv = ['--disable-warning=TimeoutNegativeWarning'];

/** Tests of whole systems that measure times by the pace of the machine: three files at a time, after all others. */
const TIMED = [
  'test/e2e/{failover,page,rollout,routing}.test.ts',
  'test/page/**/*.test.ts',
  'test/chaos/{exactly-once,survival}.test.ts',
];

/** Tests of whole systems in which no handshake and no probe may be late, whatever happens to others: two files at a time. */
const PAIRED = ['test/chaos/secure.test.ts', 'test/attack/attack.test.ts'];

/** Tests that compare a client's times beside others with its times alone: one file at a time, after all others. */
const ALONE = [
  'packages/bridge/test/worst-bodies.test.ts',
  'test/attack/tenant-beyond-its-quota.test.ts',
  'test/hostile/crowds.test.ts',
];

const MEASURING = [...TIMED, ...PAIRED, ...ALONE];

/** Tests that look at their whole process: its connections to Kafka, its event loop or its memory. */
const OWN_PROCESS = [
  'packages/bridge/src/http/overload.test.ts',
  'packages/bridge/src/kafka/fetch/fetcher.test.ts',
  'packages/bridge/src/ownership/session-index.test.ts',
  'packages/bridge/test/blackout.test.ts',
  // It counts objects: that walks over the whole heap.
  'packages/bridge/test/client-identity.test.ts',
];

export default defineConfig({
  test: {
    // One real Kafka for the whole run; each file uses its own topics and groups.
    globalSetup: ['test/harness/kafka-setup.ts'],
    setupFiles: ['test/harness/processor-time.ts'],
    pool: 'forks',
    sequence: { sequencer: LongFirst },
    // In this order: the summary of the default reporter comes last.
    reporters: [new SlowestFiles(), 'default'],
    execArgv,
    // More than the two cores of a small machine: most long files wait for Kafka's timeouts.
    maxWorkers: 5,
    // For a machine that is several times slower than usual: tests wait for conditions, not for time.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/{src,test}/**/*.test.ts', 'test/*.test.ts', 'test/kubernetes/**/*.test.ts'],
          // Those of test/kubernetes/releases: npm run kubernetes; those with MirrorMaker: npm run mirror.
          exclude: [...MEASURING, ...OWN_PROCESS, ...WITH_MIRROR_MAKER, 'test/kubernetes/releases/**'],
          sequence: { groupOrder: 0 },
          // A process runs one file after another, with the modules that it has loaded: a third of the processor time of a run.
          isolate: false,
          setupFiles: ['test/harness/nothing-left.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'own-process',
          include: OWN_PROCESS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,conformance,hostile,tenants}/**/*.test.ts'],
          exclude: MEASURING,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: TIMED,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'paired',
          include: PAIRED,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
