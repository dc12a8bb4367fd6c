/**
 * The short form of `npm run chaos -- --exactly-once`: each request twice at once through two tier-1 gateways, while a bridge is killed.
 * And, on the same stack, a run that must fail: gateways before the tier-1 gateways break what keys promise.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenarioOf } from '@causeway/lab/chaos/arguments.ts';
import { onStackOf, type ScenarioResult } from '@causeway/lab/chaos/run.ts';
import type { Scenario } from '@causeway/lab/chaos/scenario.ts';
import { runSuite } from '@causeway/lab/chaos/suite.ts';
import { PLANTED_FAULTS } from '@causeway/lab/exactly-once/planted-faults.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

/** Other seeds are for `npm run chaos`. */
const SEED = 1;
/** A stack is started and stopped. */
const RUN_TIMEOUT_MS = 300_000;

const SHORT: Scenario = {
  ...scenarioOf('same-key'),
  plan: (dice) => {
    const service = `${dice.region()} bridge` as const;
    const steps = (['kill', 'start'] as const).map((kind) => ({ atSecond: 2, action: { kind, service } }));
    return { steps, endSecond: 5 };
  },
};
/** Enough records for one key of each fault. */
const PLANTED: Scenario = { ...SHORT, plants: PLANTED_FAULTS, plan: () => ({ steps: [], endSecond: 1 }) };

let directory: string;
let results: { good: ScenarioResult; planted: ScenarioResult; isPlantedGood: boolean; lines: string[] };
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-chaos-'));
  const common = { seed: SEED, isLong: false, isSecure: false, isExactlyOnce: true, directory };
  results = await onStackOf(SHORT, { ...common, bootstrap: inject('kafkaBootstrap') }, async (play) => {
    const good = await play(SHORT);
    const planted: ScenarioResult[] = [];
    const lines: string[] = [];
    const isPlantedGood = await runSuite({
      ...common,
      scenarios: [PLANTED],
      print: (line) => lines.push(line),
      play: async (scenario) => {
        const result = await play(scenario);
        planted.push(result);
        return result;
      },
    });
    return { good, planted: planted[0] as ScenarioResult, isPlantedGood, lines };
  });
}, RUN_TIMEOUT_MS);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a request that clients and gateways repeat is stored once, and gets the same answer each time', () => {
  const { faults, summary, keyed } = results.good;
  expect({ faults, summary, keyed }).toMatchObject({ faults: [], summary: { storedTwice: 0 } });
  // Of each two, one is the repetition.
  expect(keyed?.replayed).toBeGreaterThan(20);
});

test('a run in which a key is stored twice, lost, answered differently, or read uncommitted finds each of them, and fails', () => {
  const { isPlantedGood, lines, planted } = results;
  expect(isPlantedGood, lines.join('\n')).toBe(false);
  expect(lines.at(-1)).toBe('Not every claim holds.');
  const shown = lines.join('\n').replaceAll(/key \S+: record \d+/g, 'key K: record N');
  for (const fault of [
    '1 records are in the topic more than once',
    'key K: record N stands more than once',
    '1 acknowledged records are not in Kafka',
    '1 acknowledged records were not delivered to group assigned',
    'key K: record N is acknowledged and does not stand',
    'its answers differ',
    'deliveries of records that are not committed',
  ]) {
    expect(shown).toContain(fault);
  }
  // And of no other key.
  const keys = planted.keyed?.faults.map((fault) => fault.slice(0, fault.indexOf(':')));
  expect(new Set(keys).size, lines.join('\n')).toBe(PLANTED_FAULTS.length - 1);
  expect(planted.summary).toMatchObject({ storedTwice: 1, notStored: 1 });
});
