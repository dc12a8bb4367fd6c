/** The JSON Schemas in config/ accept and reject the same files as the programs. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BridgeConfig } from '@causeway/bridge/config.ts';
import { ConfigError, parseConfig } from '@causeway/config/load.ts';
import type { TObject } from '@causeway/config/schema.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const CONFIG = fileURLToPath(new URL('../config', import.meta.url));
const yamlFiles = readdirSync(CONFIG, { recursive: true, encoding: 'utf8' }).filter(
  // Files of Prometheus and Grafana have other schemas.
  (name) => /\.ya?ml$/.test(name) && !/^(?:prometheus|grafana)/.test(name),
);
const ajv = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true });
const editors = { gateway: compile('gateway'), bridge: compile('bridge') };

function compile(kind: 'gateway' | 'bridge') {
  return ajv.compile(JSON.parse(readFileSync(join(CONFIG, `${kind}.schema.json`), 'utf8')));
}

/** The schema that a file declares for editors. */
function schemaFileOf(file: string): string | undefined {
  const named = /^# yaml-language-server: \$schema=(\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  return named === undefined ? undefined : resolve(dirname(file), named);
}

test('every YAML file declares its schema, which accepts it', () => {
  expect(yamlFiles.length).toBeGreaterThanOrEqual(7);
  for (const name of yamlFiles) {
    const file = join(CONFIG, name);
    const kind = name.includes('bridge') ? 'bridge' : 'gateway';
    expect([name, schemaFileOf(file)]).toEqual([name, join(CONFIG, `${kind}.schema.json`)]);
    const isTaken = editors[kind](parse(readFileSync(file, 'utf8')));
    expect([name, isTaken, editors[kind].errors]).toEqual([name, true, null]);
  }
});

test.each([
  ['gateway.schema.json', 'gateway.schema.json'],
  ['bridge.schema.json', 'bridge.schema.json'],
  ['prometheus/causeway.rules.yml', 'causeway.rules.yml'],
  ['grafana/causeway.json', 'dashboard.json'],
])('the Helm chart has a copy of config/%s', async (original, copy) => {
  const text = readFileSync(join(CONFIG, original), 'utf8');
  await expect(text).toMatchFileSnapshot(join(CONFIG, '../deploy/helm/causeway/files', copy));
});

const REGIONS = 'regions: [{ name: east, targets: [{ url: "http://a:1" }] }]\n';
const BRIDGE = 'bridge: { name: b, region: east }\nkafka: { bootstrapServers: ["h:1"] }\n';
const ENV = { PORT: '9', URL: 'http://a:2', NAME: 'west', MODE: 'at-most-once', FLAG: 'false' };

describe('an editor and the program agree', () => {
  test.each([
    ['gateway', REGIONS, true],
    ['gateway', '', false],
    ['gateway', `${REGIONS}listen: { port: 70000 }`, false],
    ['gateway', `${REGIONS}listen: { port: "8080" }`, false],
    ['gateway', `${REGIONS}listen: { port: 80.5 }`, false],
    ['gateway', `${REGIONS}listen: { prot: 8080 }`, false],
    ['gateway', `${REGIONS}listen:\n  port: \${PORT}`, true],
    ['gateway', `${REGIONS}listen:\n  port: \${OTHER_PORT:-8080}`, true],
    ['gateway', `${REGIONS}listen:\n  port: "\${PORT}"`, true],
    ['gateway', 'regions: [{ name: "${PORT}", weight: "${PORT}", targets: [{ url: "${URL}" }] }]', true],
    ['gateway', `${REGIONS}retry: { produce: sometimes }`, false],
    ['gateway', `${REGIONS}retry:\n  produce: \${MODE}`, true],
    ['gateway', 'regions: [{ name: east, targets: [{ dns: a.test, port: 1 }] }]', true],
    ['gateway', 'regions: [{ name: east, targets: [{ dns: a.test }] }]', true],
    ['gateway', 'regions: []', false],
    ['gateway', 'regions: [{ name: east }]', false],
    ['gateway', 'regions: [{ name: "a b", targets: [{ url: "http://a:1" }] }]', false],
    ['gateway', 'regions:\n  - name: ${NAME}\n    targets:\n      - url: ${URL}', true],
    ['gateway', 'regions: [{ name: east, targets: [{ url: "ftp://a" }] }]', false],
    ['gateway', `x-note: [any, { thing: 1 }]\n${REGIONS}`, true],
    ['gateway', `${REGIONS}listen: { x-note: 1 }`, false],
    ['gateway', `y-note: 1\n${REGIONS}`, false],
    ['gateway', `x-w: &w { weight: 5 }\nregions: [{ <<: *w, name: east, targets: [{ url: "http://a:1" }] }]`, true],
    ['gateway', `x-w: &w { wight: 5 }\nregions: [{ <<: *w, name: east, targets: [{ url: "http://a:1" }] }]`, false],
    ['bridge', BRIDGE, true],
    ['bridge', `x-limits: &limits { maxBodyBytes: 100000 }\n${BRIDGE}limits: { <<: *limits }`, true],
    ['bridge', `${BRIDGE}limits: { x-note: 1 }`, false],
    ['bridge', 'kafka: { bootstrapServers: ["h:1"] }', false],
    ['bridge', `${BRIDGE}producer: { isEnabled: 1 }`, false],
    ['bridge', `${BRIDGE}producer:\n  isEnabled: \${FLAG}`, true],
    ['bridge', `${BRIDGE}producer:\n  isEnabled: '\${FLAG}'`, true],
    ['bridge', `${BRIDGE}management: {}`, true],
    ['bridge', `${BRIDGE}management:\n  port: \${PORT}`, true],
    ['bridge', `${BRIDGE}cors: { allowedMethods: [BREW] }`, false],
    ['bridge', `${BRIDGE}listen: { tls: { certificates: [{ certFile: a }] } }`, false],
    ['bridge', `${BRIDGE}listen: { tls: { clientCertificates: sometimes } }`, false],
  ] as const)('%s: %j', (kind, text, isTaken) => {
    expect({ program: isLoaded(kind, text), editor: editors[kind](parse(text, { merge: true }) ?? {}) }).toEqual({
      program: isTaken,
      editor: isTaken,
    });
  });
});

function isLoaded(kind: 'gateway' | 'bridge', text: string): boolean {
  const schema: TObject = kind === 'gateway' ? GatewayConfig : BridgeConfig;
  try {
    parseConfig('x.yaml', text, { schema, env: ENV });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}
