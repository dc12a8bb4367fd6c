/** The short form of `npm run chaos` with TLS on every hop: a region is killed under the fleet of clients. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenarioOf } from '@causeway/lab/chaos/arguments.ts';
import { runScenario } from '@causeway/lab/chaos/run.ts';
import { expect, test } from 'vitest';

/** As in docs/chaos.md; other seeds are for `npm run chaos`. */
const SEED = 1;
/** A stack with its own Kafka is started and stopped. */
const SCENARIO_TIMEOUT_MS = 400_000;

test(
  'kill-region: what it claims holds',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-chaos-'));
    try {
      const options = { seed: SEED, isLong: false, isSecure: true, directory };
      const { faults, summary, adoptions } = await runScenario(scenarioOf('kill-region'), options);
      expect({ faults, summary }).toMatchObject({ faults: [] });
      expect(adoptions.count).toBeGreaterThan(0);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
  SCENARIO_TIMEOUT_MS,
);
