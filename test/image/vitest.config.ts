/** `npm run image`: the image is built and run, and the tarball is made and run. It takes minutes, so `npm test` has only its short form. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/image/*.test.ts'],
    globalSetup: ['test/harness/kafka-setup.ts'],
    pool: 'forks',
    execArgv: ['--disable-warning=TimeoutNegativeWarning', '--disable-warning=ExperimentalWarning'],
    fileParallelism: false,
    // Of a build on a busy machine, with everything downloaded.
    testTimeout: 1_800_000,
    hookTimeout: 3_600_000,
  },
});
