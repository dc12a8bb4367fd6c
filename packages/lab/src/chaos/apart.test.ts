import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { moveEast } from './apart.ts';

const CONFIG = fileURLToPath(new URL('../../../../config', import.meta.url));
const EAST = '10.9.9.2';
const OUTSIDE = '10.9.9.1';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-apart-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function move(form: 'demo' | 'secure') {
  const configDirectory = join(directory, form);
  cpSync(join(CONFIG, form), configDirectory, { recursive: true });
  const addresses = { address: (_: string, end: string) => (end === 'inside' ? EAST : OUTSIDE) };
  const network = { ...addresses, commandPrefix: ['ip', 'netns', 'exec', 'x'] } as const;
  const ports = { kafka: [9092, 9093] };
  const options = moveEast(network, {
    configDirectory,
    ports: ports as unknown as Parameters<typeof moveEast>[1]['ports'],
    isSecure: form === 'secure',
  });
  return { options, yamlOf: (name: string) => readFileSync(join(configDirectory, `${name}.yaml`), 'utf8') };
}

describe.each(['demo', 'secure'] as const)('the %s form', (form) => {
  let moved: ReturnType<typeof moveEast>;
  let yamlOf: (name: string) => string;
  beforeAll(() => {
    ({ options: moved, yamlOf } = move(form));
  });

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

  test('bridges and gateways trust gateways of that network, or those of their certificates', () => {
    if (form === 'secure') {
      expect(yamlOf('east-bridge')).not.toMatch(/peers:.*\d/);
      return;
    }
    for (const name of ['east-gateway', 'west-gateway', 'east-bridge', 'west-bridge']) {
      expect(parse(yamlOf(name)).trust.peers).toEqual(['127.0.0.0/8', '10.203.61.0/29']);
    }
    expect(parse(yamlOf('tier1')).trust.peers).toEqual([]);
  });

  test('east runs inside, and Kafka advertises an address that is reachable from there', () => {
    expect(moved.regionHosts?.east).toEqual({ address: EAST, commandPrefix: ['ip', 'netns', 'exec', 'x'] });
    const protocol = form === 'secure' ? 'SASL_SSL' : 'PLAINTEXT';
    expect(moved.kafkaProperties).toMatchObject({ 'advertised.listeners': `${protocol}://${OUTSIDE}:9092` });
    expect(moved.addresses).toEqual([EAST, OUTSIDE, OUTSIDE]);
  });
});
