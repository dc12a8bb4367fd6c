/**
 * `npm run mirror`: consumers and replication over two Kafka clusters and a real MirrorMaker 2. It takes a minute of processor time, so that `npm test` has
 * only what needs no MirrorMaker (packages/bridge/test/{clusters,replication}.test.ts).
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';
import { WITH_MIRROR_MAKER } from './files.ts';

const { projects: _, ...common } = base.test ?? {};

export default defineConfig({
  test: {
    ...common,
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: [...WITH_MIRROR_MAKER],
    maxWorkers: 2,
  },
});
