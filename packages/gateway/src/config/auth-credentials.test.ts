import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@causeway/config/load.ts';
import { afterAll, expect, test } from 'vitest';
import { credentialWarnings } from './auth-credentials.ts';
import { loadGatewayConfig } from './load.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-auth-'));
afterAll(() => rmSync(directory, { recursive: true }));
const KEY = `sha256$${'0'.repeat(64)}`;
const good = join(directory, 'good.yaml');
writeFileSync(good, `- { name: a, key: ${KEY} }\n`, { mode: 0o600 });
const bad = join(directory, 'bad.yaml');
writeFileSync(bad, `- { name: a, key: hunter2 }\n- { name: a, key: ${KEY} }\n`);

function load(auth: object): ReturnType<typeof loadGatewayConfig> {
  const file = join(directory, 'gateway.yaml');
  const regions = [{ name: 'east', targets: [{ url: 'http://127.0.0.1:1' }] }];
  writeFileSync(file, JSON.stringify({ auth, regions }));
  return loadGatewayConfig(file, {});
}

test('the sections have defaults', () => {
  expect(load({ basic: { file: good }, apiKeys: { file: good } }).auth).toMatchObject({
    basic: { file: good, realm: 'causeway' },
    apiKeys: { file: good, header: 'x-api-key' },
  });
});

test.each<[string, object, RegExp[]]>([
  ['no method', {}, [/auth: needs a method of authentication: set jwt, basic, apiKeys or clientCertificates$/]],
  ['no file', { basic: {} }, [/auth\.basic: the key file is missing$/]],
  [
    'a missing file',
    { basic: { file: '/none.yaml' } },
    [/auth\.basic\.file: \/none\.yaml:1: .*there is no such file$/],
  ],
  [
    'a bad file, once for each of its problems',
    { basic: { file: bad }, apiKeys: { file: bad } },
    [
      /auth\.basic\.file: \S+bad\.yaml:1: \[0\]\.key: is not sha256\$/,
      /auth\.basic\.file: \S+bad\.yaml:2: \[1\]\.name: duplicate name a$/,
    ],
  ],
  ['a quote in the realm', { basic: { file: good, realm: 'a"b' } }, [/auth\.basic\.realm: must match/]],
  ['a header that is not a name', { apiKeys: { file: good, header: 'x key' } }, [/auth\.apiKeys\.header: must match/]],
  [
    'a taken header',
    { apiKeys: { file: good, header: 'Authorization' } },
    [/auth\.apiKeys\.header: Authorization has another meaning/],
  ],
  ['a header between gateways', { apiKeys: { file: good, header: 'causeway-key' } }, [/another meaning/]],
  [
    'certificates that no listener verifies',
    { clientCertificates: {} },
    [/auth\.clientCertificates: no listener verifies/],
  ],
  [
    'no kind of name',
    { clientCertificates: { principal: [] } },
    [/auth\.clientCertificates\.principal: must not have fewer/],
  ],
  [
    'an unknown kind of name',
    { clientCertificates: { principal: ['cn'] } },
    [/principal\[0\]: must be one of: uri, dns, email, commonName$/],
  ],
])('%s is reported', (_, auth, expected) => {
  try {
    load(auth);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain('hunter2');
    const lines = error.message.split('\n');
    expect(lines).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
    return;
  }
  expect.unreachable();
});

test('permissions that are dangerous are a warning, once for each file', () => {
  const sections = { basic: { file: good, realm: 'x' }, apiKeys: { file: good, header: 'x' } };
  expect(credentialWarnings(sections)).toEqual([]);
  chmodSync(good, 0o644);
  expect(credentialWarnings(sections)).toEqual([`all users may read ${good} (mode 644): chmod 640`]);
});
