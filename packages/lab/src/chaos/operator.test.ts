/** The operator's requests to gateways and edits of their YAML; the chaos suite kills and starts processes. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { until } from '../../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../../test/harness/upstream.ts';
import type { Stack } from '../stack/stack.ts';
import { Operator } from './operator.ts';

const DEMO = fileURLToPath(new URL('../../../../config/demo', import.meta.url));

let configDirectory: string;
let admins: Upstream[];
let operator: Operator;
/** The topology that every gateway returns. */
let state: string;

beforeEach(async () => {
  configDirectory = mkdtempSync(join(tmpdir(), 'causeway-operator-'));
  cpSync(DEMO, configDirectory, { recursive: true });
  state = 'up';
  // Like a gateway with an admin port beyond loopback.
  const answer: Parameters<typeof startUpstream>[0] = ({ headers }, response) => {
    if (headers['authorization'] !== 'Bearer secret') response.writeHead(401).end('{}');
    else response.end(JSON.stringify({ regions: [{ state: 'up' }, { state }] }));
  };
  admins = await Promise.all(Array.from({ length: 4 }, () => startUpstream(answer)));
  const [first, second, east, west] = admins.map(({ url }, index) => ({ name: `gateway ${index}`, admin: url }));
  const regions = { east: { gateway: east }, west: { gateway: west } };
  operator = new Operator(
    { configDirectory, tier1s: [first, second], regions, services: [], adminToken: 'secret' } as unknown as Stack,
    undefined,
  );
});
afterEach(async () => {
  await Promise.all(admins.map((admin) => admin.kill()));
  rmSync(configDirectory, { recursive: true, force: true });
});

const yaml = (): string => readFileSync(join(configDirectory, 'tier1.yaml'), 'utf8');

test('a region is drained at every tier-1 gateway, and at no other', async () => {
  await operator.perform({ kind: 'drain', region: 'east' });
  await operator.perform({ kind: 'undrain', region: 'east' });
  const asked = admins.map(({ requests }) => requests.map(({ method, url }) => `${method} ${url}`));
  const both = ['POST /api/regions/east/drain', 'POST /api/regions/east/undrain'];
  expect(asked).toEqual([both, both, [], []]);
});

test('a drain that a gateway refuses is an error', async () => {
  const [, second] = admins;
  if (second !== undefined) second.handle = (_, response) => response.writeHead(404).end();
  await expect(operator.perform({ kind: 'drain', region: 'east' })).rejects.toThrow('status 404');
});

test('weights are written for both regions; a broken file is repaired', async () => {
  await operator.perform({ kind: 'setWeights', weights: { east: 7, west: 93 } });
  const { regions } = parse(yaml()) as { regions: { name: string; weight: number }[] };
  expect(regions.map(({ name, weight }) => [name, weight])).toEqual([
    ['east', 7],
    ['west', 93],
  ]);
  await operator.perform({ kind: 'breakYaml' });
  expect(() => parse(yaml())).toThrow();
  await operator.perform({ kind: 'mendYaml' });
  expect(yaml()).toBe(readFileSync(join(DEMO, 'tier1.yaml'), 'utf8'));
});

test.each(['up', 'degraded'])('the system is healthy when no gateway sees a region down: %s', async (well) => {
  state = 'down';
  let isWell = false;
  const waiting = operator.awaitWell().then(() => {
    isWell = true;
  });
  await until('every gateway was asked', () => admins.every(({ requests }) => requests.length >= 2));
  expect(isWell).toBe(false);
  state = well;
  await waiting;
});

test('a missing service cannot be killed', async () => {
  await expect(operator.perform({ kind: 'kill', service: 'east bridge' })).rejects.toThrow(
    'The stack has no east bridge.',
  );
});
