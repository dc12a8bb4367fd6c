/** The short form of `npm run attack`: no client hurts another. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ATTACKS } from '@causeway/lab/attack/attacks.ts';
import { type RunResult, runAttacks } from '@causeway/lab/attack/run.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

const SEED = 1;
/** Each attack takes its shortest time. */
const SECONDS = 1;
const RUN_TIMEOUT_MS = 400_000;

const attacks = ATTACKS.filter(({ isShort }) => isShort);

let directory: string;
let run: RunResult;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-attack-'));
  run = await runAttacks({ attacks, seed: SEED, seconds: SECONDS, directory, bootstrap: inject('kafkaBootstrap') });
}, RUN_TIMEOUT_MS);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.each(['calm', ...attacks.map(({ name }) => name)])('%s: hurts no other client', (name) => {
  const result = run.results.find((candidate) => candidate.name === name);
  expect(result?.window.acknowledged).toBeGreaterThan(0);
  expect(result?.faults).toEqual([]);
});

test('no record of the good clients was lost or stored twice', () => {
  expect(run.faults).toEqual([]);
});
