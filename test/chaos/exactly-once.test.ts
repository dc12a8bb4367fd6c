/** The short form of `npm run chaos -- --exactly-once`: each request twice at once through two tier-1 gateways, while a bridge is killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenarioOf } from '@causeway/lab/chaos/arguments.ts';
import { runScenario } from '@causeway/lab/chaos/run.ts';
import type { Scenario } from '@causeway/lab/chaos/scenario.ts';
import { expect, inject, onTestFinished, test } from 'vitest';

/** Other seeds are for `npm run chaos`. */
const SEED = 1;
/** A stack is started and stopped. */
const SCENARIO_TIMEOUT_MS = 300_000;

const SHORT: Scenario = {
  ...scenarioOf('same-key'),
  plan: (dice) => {
    const service = `${dice.region()} bridge` as const;
    const steps = (['kill', 'start'] as const).map((kind) => ({ atSecond: 2, action: { kind, service } }));
    return { steps, endSecond: 5 };
  },
};

test(
  'a request that clients and gateways repeat is stored once, and gets the same answer each time',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-chaos-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const options = { seed: SEED, isLong: false, isExactlyOnce: true, directory, bootstrap: inject('kafkaBootstrap') };
    const { faults, summary, keyed } = await runScenario(SHORT, options);
    expect({ faults, summary, keyed }).toMatchObject({ faults: [], summary: { storedTwice: 0 } });
    // Of each two, one is the repetition.
    expect(keyed?.replayed).toBeGreaterThan(20);
  },
  SCENARIO_TIMEOUT_MS,
);
