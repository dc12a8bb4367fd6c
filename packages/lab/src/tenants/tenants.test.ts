import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadGatewayConfig } from '@causeway/gateway/config/load.ts';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { Tenants } from './tenants.ts';

const CONFIG = fileURLToPath(new URL('../../../../config', import.meta.url));

let directory: string;
let tenants: Tenants;
beforeEach(async () => {
  const parent = mkdtempSync(join(tmpdir(), 'causeway-tenants-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  directory = join(parent, 'tenants');
  tenants = await Tenants.create({ directory, count: 2, configDirectory: join(CONFIG, 'demo') });
});

test('each tenant and the guest have a token that the written keys verify', async () => {
  expect(tenants.all.map(({ name }) => name)).toEqual(['tenant-1', 'tenant-2']);
  const keys = createLocalJWKSet(JSON.parse(readFileSync(join(directory, 'jwks.json'), 'utf8')) as JSONWebKeySet);
  for (const { name, token, tokenFile } of [...tenants.all, tenants.guest]) {
    const { payload } = await jwtVerify(token, keys, { issuer: 'https://causeway.lab/', audience: 'causeway' });
    expect(payload.sub).toBe(name);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', kid: 'lab' });
    expect(readFileSync(tokenFile, 'utf8')).toBe(`${token}\n`);
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  }
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test('no private key is written', () => {
  expect(readFileSync(join(directory, 'jwks.json'), 'utf8')).not.toContain('"d"');
});

test('gateways accept the YAML, with rules for each tenant; bridges get theirs unchanged', () => {
  const read = (name: string): string => readFileSync(join(tenants.configDirectory, name), 'utf8');
  expect(readdirSync(tenants.configDirectory)).toEqual(readdirSync(join(CONFIG, 'demo')));
  for (const name of ['tier1', 'east-gateway', 'west-gateway']) {
    const { auth, access, quotas } = loadGatewayConfig(join(tenants.configDirectory, `${name}.yaml`), {});
    expect(auth?.jwt?.issuers).toMatchObject([{ jwksFile: join(directory, 'jwks.json') }]);
    expect(access?.rules.map(({ principals }) => principals)).toEqual([['tenant-1'], ['tenant-2'], ['guest']]);
    expect(quotas?.principals.flatMap(({ principals }) => principals)).toEqual(['tenant-1', 'tenant-2', 'guest']);
  }
  const [, ...bridge] = read('east-bridge.yaml').split('\n');
  expect(bridge).toEqual(
    readFileSync(join(CONFIG, 'demo', 'east-bridge.yaml'), 'utf8')
      .split('\n')
      .slice(1),
  );
});
