/** The short form of `npm run chaos`: the fleet of clients, through an orderly restart and a freeze, on one stack. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenarioOf } from '@causeway/lab/chaos/arguments.ts';
import { onStackOf, type ScenarioResult } from '@causeway/lab/chaos/run.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

/** As in docs/chaos.md; other seeds are for `npm run chaos`. */
const SEED = 1;
/** A stack is started and stopped, and a bridge stays frozen for 20 s. */
const RUN_TIMEOUT_MS = 400_000;

let directory: string;
let results: { stop: ScenarioResult; freeze: ScenarioResult };
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-chaos-'));
  const [stop, freeze] = [scenarioOf('stop-bridge'), scenarioOf('freeze-bridge')];
  const options = { seed: SEED, isLong: false, directory, bootstrap: inject('kafkaBootstrap') };
  results = await onStackOf(stop, options, async (play) => ({ stop: await play(stop), freeze: await play(freeze) }));
}, RUN_TIMEOUT_MS);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('stop-bridge: what it claims holds', () => {
  const { faults, summary, adoptions } = results.stop;
  expect({ faults, summary }).toMatchObject({ faults: [] });
  expect(adoptions.count).toBeGreaterThan(0);
});

test('freeze-bridge: what it claims holds', () => {
  const { faults, summary, adoptions } = results.freeze;
  expect({ faults, summary }).toMatchObject({ faults: [] });
  // The bridges have counted since they started.
  expect(adoptions.count).toBeGreaterThan(results.stop.adoptions.count);
});
