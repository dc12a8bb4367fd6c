import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The long tests on a real API server: `npm run kubernetes`, which builds the control plane before them. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    globalSetup: ['setup.ts'],
    include: ['*.test.ts'],
    // A test may close a node to new pods.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
