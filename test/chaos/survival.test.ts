/** The short form of `npm run chaos`: the fleet of clients, through a kill (with TLS on every hop), a freeze and an orderly restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScenario } from '@causeway/lab/chaos/run.ts';
import { SCENARIOS } from '@causeway/lab/chaos/scenarios.ts';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

/** As in docs/chaos.md; other seeds are for `npm run chaos`. */
const SEED = 1;
/** A stack is started and stopped, and a bridge stays frozen for 20 s. */
const SCENARIO_TIMEOUT_MS = 400_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-chaos-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test.each([
  { name: 'kill-region', isSecure: true },
  { name: 'freeze-bridge', isSecure: false },
  { name: 'stop-bridge', isSecure: false },
])(
  '$name: what it claims holds',
  async ({ name, isSecure }) => {
    const scenario = SCENARIOS.find((candidate) => candidate.name === name);
    expect(scenario).toBeDefined();
    if (scenario === undefined) return;
    const bootstrap = inject('kafkaBootstrap');
    const result = await runScenario(scenario, { seed: SEED, isLong: false, isSecure, directory, bootstrap });
    expect({ faults: result.faults, summary: result.summary }).toMatchObject({ faults: [] });
    expect(result.adoptions.count).toBeGreaterThan(0);
  },
  SCENARIO_TIMEOUT_MS,
);
