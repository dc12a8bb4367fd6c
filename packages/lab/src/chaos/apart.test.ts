import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { moveEast } from './apart.ts';

const DEMO = fileURLToPath(new URL('../../../../config/demo', import.meta.url));
const EAST = '10.9.9.2';
const OUTSIDE = '10.9.9.1';

let configDirectory: string;
let moved: ReturnType<typeof moveEast>;

beforeAll(() => {
  configDirectory = mkdtempSync(join(tmpdir(), 'causeway-apart-'));
  cpSync(DEMO, configDirectory, { recursive: true });
  const addresses = { address: (_: string, end: string) => (end === 'inside' ? EAST : OUTSIDE) };
  const network = { ...addresses, commandPrefix: ['ip', 'netns', 'exec', 'x'] } as const;
  const ports = { kafka: [9092, 9093] };
  moved = moveEast(network, { configDirectory, ports: ports as unknown as Parameters<typeof moveEast>[1]['ports'] });
});
afterAll(() => rmSync(configDirectory, { recursive: true, force: true }));

const yamlOf = (name: string): string => readFileSync(join(configDirectory, `${name}.yaml`), 'utf8');

test('east listens on its own address, reaches the others on theirs, and Kafka on its own link', () => {
  const gateway = yamlOf('east-gateway');
  expect(gateway).toContain(`host: ${EAST}`);
  expect(gateway).toContain(`//${EAST}:\${EAST_`);
  expect(gateway).toContain(`//${OUTSIDE}:\${WEST_`);
  expect(yamlOf('east-bridge')).toContain(`${OUTSIDE}:9092`);
});

test('the others listen everywhere, and reach east on its address', () => {
  expect(yamlOf('west-gateway')).toContain('host: 0.0.0.0');
  for (const name of ['tier1', 'west-gateway']) expect(yamlOf(name)).toContain(`//${EAST}:\${EAST_`);
});

test('bridges and gateways trust gateways of that network', () => {
  for (const name of ['east-gateway', 'west-gateway', 'east-bridge', 'west-bridge']) {
    expect(parse(yamlOf(name)).trust.peers).toEqual(['127.0.0.0/8', '10.203.61.0/29']);
  }
  expect(parse(yamlOf('tier1')).trust.peers).toEqual([]);
});

test('east runs inside, and Kafka advertises an address that is reachable from there', () => {
  expect(moved.regionHosts?.east).toEqual({ address: EAST, commandPrefix: ['ip', 'netns', 'exec', 'x'] });
  expect(moved.kafkaProperties).toMatchObject({ 'advertised.listeners': `PLAINTEXT://${OUTSIDE}:9092` });
});
