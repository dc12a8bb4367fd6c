/** `npm run model`: the models with all their bounds. It takes three minutes of processor time, so `npm test` has only their short form. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/*-{model,rules}.test.ts'],
    // Of these, only that of the gateways' rules for clients needs a system.
    exclude: ['test/{access,alert}-rules.test.ts'],
    env: { CAUSEWAY_MODEL: 'full' },
  },
});
