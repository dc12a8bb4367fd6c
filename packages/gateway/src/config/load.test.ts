import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { editorSchema } from '@causeway/config/editor-schema.ts';
import { ConfigError } from '@causeway/config/load.ts';
import { masked } from '@causeway/config/masked.ts';
import { referenceYaml } from '@causeway/config/reference.ts';
import { afterAll, describe, expect, test } from 'vitest';
import { adminTokensOf, peerTokenOf } from './admin.ts';
import { describeChanges, untilRestart } from './changes.ts';
import { findConfigProblems, loadForStart, loadGatewayConfig } from './load.ts';
import { GatewayConfig } from './schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

function load(text: string): GatewayConfig {
  const file = join(directory, 'g.yaml');
  writeFileSync(file, text);
  return loadGatewayConfig(file, {});
}

const EAST = 'regions:\n  - name: east\n    targets:\n      - url: http://127.0.0.1:1\n';

/** Region east with these targets. */
const target = (targets: string): string => `regions:\n  - name: east\n    targets: [${targets}]\n`;

const HEADER = `yaml-language-server: $schema=gateway.schema.json
Configuration of a Causeway gateway: every key at its default.
The gateway is the same program as tier-1 gateway and as gateway of a region; only this file differs.
The gateway applies changes without a restart. An invalid change has no effect, and the log, the metrics and the
admin API report it. Check a file with: npm run gateway -- --config FILE --check
Values may contain environment variables: \${NAME} or \${NAME:-default}.`;

test('config/gateway.yaml has every key at its default', async () => {
  await expect(referenceYaml(GatewayConfig, HEADER)).toMatchFileSnapshot('../../../../config/gateway.yaml');
});

test('config/gateway.schema.json is the schema for editors', async () => {
  const text = editorSchema(GatewayConfig, 'Causeway gateway');
  await expect(text).toMatchFileSnapshot('../../../../config/gateway.schema.json');
});

describe('what a schema cannot express is rejected with its line', () => {
  test.each([
    [
      `${EAST}  - name: east\n    targets:\n      - url: http://127.0.0.1:2\n`,
      /g\.yaml:5: regions\[1\]\.name: duplicate region east/,
    ],
    [`${EAST}      - url: http://127.0.0.1:1/\n`, /g\.yaml:5: regions\[0\]\.targets\[1\]\.url: duplicate target http/],
    [
      `gateway:\n  region: north\n${EAST}`,
      /g\.yaml:2: gateway\.region: there is no region north under regions \(known: east\)/,
    ],
    [
      `retry:\n  produce: exactly-once\nrequest:\n  bufferBytes: 0\n${EAST}`,
      /g\.yaml:2: retry\.produce: has no effect: with request\.bufferBytes 0 no body is kept/,
    ],
    [`trust:\n  peers:\n    - 10.0.0.0/33\n${EAST}`, /g\.yaml:3: trust\.peers\[0\]: 10\.0\.0\.0\/33 is not an address/],
    [`trust:\n  proxies: [example.com]\n${EAST}`, /g\.yaml:2: trust\.proxies\[0\]: example\.com is not an address/],
    [`trust:\n  peers: [127.0.0.1]\n${EAST}`, /g\.yaml:2: trust\.peers: .* set trust\.secret .* or trust\.secretFile/],
    [`trust:\n  peers: [127.0.0.1]\n  secret: ""\n${EAST}`, /g\.yaml:2: trust\.peers: an address alone/],
    [`trust:\n  secret: short\n${EAST}`, /g\.yaml:2: trust\.secret: is shorter than 16 characters: generate one with/],
    [`trust:\n  secret: "of words, which no header carries"\n${EAST}`, /g\.yaml:2: trust\.secret: must match/],
    [`trust:\n  secretFile: /no/such/file\n${EAST}`, /g\.yaml:2: trust\.secretFile: .* there is no such file/],
    [
      `trust:\n  secret: 0123456789abcdef\n  secretFile: /b\n${EAST}`,
      /g\.yaml:3: trust\.secretFile: secret and secretFile exclude/,
    ],
    [`upstream:\n  tls:\n    caFile: /no/such/file\n${EAST}`, /g\.yaml:3: upstream\.tls\.caFile: .* no such file/],
    [`upstream:\n  tls:\n    certFile: /a\n${EAST}`, /g\.yaml:3: upstream\.tls\.certFile: needs keyFile/],
    [
      `upstream:\n  tls: {serverName: 10.0.0.1}\n${EAST}`,
      /g\.yaml:2: upstream\.tls\.serverName: 10\.0\.0\.1 is an addr/,
    ],
    [`${EAST}        serverName: a.example\n`, /g\.yaml:5: regions\[0\]\.targets\[0\]\.serverName: has no effect/],
    [
      `${EAST.replace('http:', 'https:')}        serverName: 10.0.0.1\n`,
      /g\.yaml:5: regions\[0\]\.targets\[0\]\.serverName: 10\.0\.0\.1 is an address/,
    ],
    [target('{}'), /g\.yaml:3: regions\[0\]\.targets\[0\]: the key url is missing, or dns in its place/],
    [
      target('{ url: "http://a:1", dns: a.test, port: 1 }'),
      /g\.yaml:3: regions\[0\]\.targets\[0\]\.dns: url and dns exclude each other: write two targets/,
    ],
    [
      target('{ url: "http://a:1", port: 1 }'),
      /g\.yaml:3: regions\[0\]\.targets\[0\]\.port: belongs to dns: the url has its own/,
    ],
    [target('{ url: "http://a:1", healthPort: 1 }'), /\.targets\[0\]\.healthPort: belongs to dns: write healthUrl/],
    [
      target('{ dns: a.test, port: 1, healthUrl: "http://a:2" }'),
      /\.targets\[0\]\.healthUrl: belongs to url: write healthPort, of all addresses of the name/,
    ],
    [target('{ dns: a.test, adminUrl: "http://a:2" }'), /\.targets\[0\]\.adminUrl: belongs to url: write adminPort/],
    [target('{ dns: a.test, port: 1, healthScheme: http }'), /\.targets\[0\]\.healthScheme: needs healthPort/],
    [target('{ dns: a.test, port: 1, adminScheme: http }'), /\.targets\[0\]\.adminScheme: needs adminPort/],
    [target('{ dns: 10.0.0.1, port: 1 }'), /\.targets\[0\]\.dns: 10\.0\.0\.1 is an address, .* write it as a url/],
    [target('{ dns: "http://a.test", port: 1 }'), /\.targets\[0\]\.dns: is a URL: write the name alone/],
    [target('{ dns: "a.test:8080" }'), /\.targets\[0\]\.dns: is a name with a port: the port has its own key/],
    [target('{ dns: "a..test", port: 1 }'), /\.targets\[0\]\.dns: "a\.\.test" is not a DNS name/],
    [target('{ dns: a.test, port: 70000 }'), /\.targets\[0\]\.port: must be <= 65535/],
    [target('{ dns: a.test, port: 1, scheme: h2 }'), /\.targets\[0\]\.scheme: must be one of: http, https/],
    [target('{ dns: a.test, port: 1 }, { dns: A.test, port: 1 }'), /\.targets\[1\]\.dns: duplicate target a\.test:1/],
    [target('{ dns: a.test, port: 1, serverName: a.example }'), /\.targets\[0\]\.serverName: has no effect/],
    [
      `discovery:\n  servers: [10.0.0.10, dns.example]\n${EAST}`,
      /g\.yaml:2: discovery\.servers\[1\]: dns\.example is not the address of a server: write ADDRESS or/,
    ],
    ['regions: []\n', /g\.yaml:1: regions: must not have fewer than 1 items/],
    [
      `regions:\n  - name: east\n    targets:\n      - url: ftp://x\n`,
      /g\.yaml:4: regions\[0\]\.targets\[0\]\.url: must match/,
    ],
    [
      `admin:\n  host: 0.0.0.0\n${EAST}`,
      /g\.yaml:2: admin\.host: 0\.0\.0\.0 is reachable from other machines, so the admin API needs a token: set admin\.token, /,
    ],
    [
      `admin:\n  host: 0.0.0.0\n  token: 0123456789abcdef\n${EAST}`,
      /g\.yaml:2: admin\.host: 0\.0\.0\.0 is reachable from other machines, so the admin API needs TLS, .* set admin\.tls, or admin\.insecure/,
    ],
    [`admin:\n  host: 0.0.0.0\n  insecure: true\n  tokens: []\n${EAST}`, /g\.yaml:2: admin\.host: .* needs a token/],
    [`admin:\n  port: 8080\n${EAST}`, /g\.yaml:2: admin\.port: 8080 is also listen\.port/],
    [`listen:\n  port: 8081\n${EAST}`, /g\.yaml:2: listen\.port: 8081 is also admin\.port: clients and operators need/],
    [
      `listen:\n  port: 5\nadmin:\n  host: localhost\n  port: 5\n${EAST}`,
      /g\.yaml:5: admin\.port: 5 is also listen\.port/,
    ],
    [
      `listen:\n  host: 0.0.0.0\n  port: 5\nadmin:\n  port: 5\n${EAST}`,
      /g\.yaml:5: admin\.port: 5 is also listen\.port/,
    ],
    [`listen:\n  host: "::"\n  port: 5\nadmin:\n  port: 5\n${EAST}`, /g\.yaml:5: admin\.port: 5 is also listen\.port/],
    [`admin:\n  tokenFile: /no/such/file\n${EAST}`, /g\.yaml:2: admin\.tokenFile: .* there is no such file/],
    [`admin:\n  token: a\n  tokenFile: /b\n${EAST}`, /g\.yaml:3: admin\.tokenFile: token and tokenFile exclude/],
    [`admin:\n  token: "two words"\n${EAST}`, /g\.yaml:2: admin\.token: must match/],
    [
      `admin:\n  token: 0123456789abcde\n${EAST}`,
      /g\.yaml:2: admin\.token: is shorter than 16 characters: generate one/,
    ],
    [
      `admin:\n  tokens:\n    - token: 0123456789abcdef\n${EAST}`,
      /g\.yaml:3: admin\.tokens\[0\]: the key name is missing/,
    ],
    [`admin:\n  tokens:\n    - name: a\n${EAST}`, /g\.yaml:3: admin\.tokens\[0\]\.token: is empty: generate one/],
    [
      `admin:\n  tokens:\n    - name: a\n      token: short\n${EAST}`,
      /g\.yaml:4: admin\.tokens\[0\]\.token: is shorter/,
    ],
    [
      `admin:\n  tokens:\n    - name: a\n      role: admin\n      token: 0123456789abcdef\n${EAST}`,
      /g\.yaml:4: admin\.tokens\[0\]\.role: must be one of: operator, viewer/,
    ],
    [
      `admin:\n  tokens:\n    - name: a\n      token: 0123456789abcdef\n    - name: a\n      token: 0123456789abcdeg\n${EAST}`,
      /g\.yaml:5: admin\.tokens\[1\]\.name: duplicate name a$/m,
    ],
    [
      `admin:\n  token: 0123456789abcdef\n  tokens:\n    - name: operator\n      token: 0123456789abcdeg\n${EAST}`,
      /g\.yaml:4: admin\.tokens\[0\]\.name: duplicate name operator \(admin\.token and admin\.tokenFile have it, too\)/,
    ],
    [
      `admin:\n  token: 0123456789abcdef\n  tokens:\n    - name: a\n      token: 0123456789abcdef\n${EAST}`,
      /g\.yaml:5: admin\.tokens\[0\]\.token: is also the token of operator: each needs its own/,
    ],
    [
      `admin:\n  tokens:\n    - name: a\n      tokenFile: /no/such/file\n${EAST}`,
      /g\.yaml:4: admin\.tokens\[0\]\.tokenFile: .* there is no such file/,
    ],
    [
      `admin:\n  allowedOrigins: [ops.example]\n${EAST}`,
      /g\.yaml:2: admin\.allowedOrigins\[0\]: ops\.example is not an origin: write scheme, name and port/,
    ],
    [`admin:\n  allowedOrigins: ["https://ops.example/"]\n${EAST}`, /admin\.allowedOrigins\[0\]: .* is not an origin/],
    [`admin:\n  allowedOrigins: ["null"]\n${EAST}`, /admin\.allowedOrigins\[0\]: null is not an origin/],
    [`${EAST}wieght: 5\n`, /g\.yaml:5: wieght: unknown key/],
  ])('%j', (text, message) => {
    expect(() => load(text)).toThrow(message);
  });
});

test.each([
  ['the system chooses them', '127.0.0.1', 0],
  ['they are on different addresses', '127.0.0.2', 5],
])('both ports may have the same number when %s', (_, host, port) => {
  const { listen, admin } = load(`listen:\n  port: ${port}\nadmin:\n  host: ${host}\n  port: ${port}\n${EAST}`);
  expect([listen?.port, admin.port]).toEqual([port, port]);
});

test('describeChanges reports each change by its path, and whether it needs a restart', () => {
  const before = load(EAST);
  const after = load(`${EAST}    weight: 20\nlisten:\n  port: 1\nretry:\n  produce: at-most-once\n`);
  expect(describeChanges(before, after)).toEqual([
    'regions.east.weight: 100 → 20',
    'listen.port: 8080 → 1 (needs a restart)',
    'retry.produce: at-least-once → at-most-once',
  ]);
  const limits = load(
    `${EAST}request:\n  maxUrlBytes: 300\n  headersTimeoutMs: 5\n  bodyTimeoutMs: 6\n  deadlineMs: 7\n`,
  );
  expect(describeChanges(before, limits)).toEqual([
    'request.maxUrlBytes: 4096 → 300 (needs a restart)',
    'request.headersTimeoutMs: 10000 → 5 (needs a restart)',
    'request.bodyTimeoutMs: 30000 → 6 (needs a restart)',
    'request.deadlineMs: 30000 → 7',
  ]);
  expect(describeChanges(before, before)).toEqual([]);
});

test.each([
  [
    'its short form',
    'token: 0123456789abcdef\n  tokens: [{ name: a, role: operator, token: ABCDEFGHIJKLMNOPQ }]',
    '0123456789abcdef',
  ],
  [
    'the first operator',
    'tokens: [{ name: v, token: 0123456789abcdef }, { name: a, role: operator, token: ABCDEFGHIJKLMNOPQ }]',
    'ABCDEFGHIJKLMNOPQ',
  ],
  ['a viewer without operators', 'tokens: [{ name: v, token: 0123456789abcdef }]', '0123456789abcdef'],
  ['no token', 'tokens: []', undefined],
])('a gateway shows other gateways the token of %s', (_, text, token) => {
  expect(peerTokenOf(load(`admin:\n  ${text}\n${EAST}`).admin)).toBe(token);
});

test('a reload applies every change that it does not report as one for a restart', () => {
  const before = load(EAST);
  const everywhere = `admin:
  host: 127.0.0.2
  port: 5
  insecure: true
  allowedHosts: [ops.example]
  allowedOrigins: [https://ops.example]
  token: 0123456789abcdef
  tokens: [{ name: alice, token: ABCDEFGHIJKLMNOPQ }]
listen: { host: 127.0.0.2, port: 6 }
gateway: { name: other }
log: { level: warn }
request: { maxUrlBytes: 300, deadlineMs: 7 }
retry: { maxAttempts: 2 }
${EAST}    weight: 20
`;
  const after = load(everywhere);
  const reported = describeChanges(before, after);
  const applied = describeChanges(before, untilRestart(before, after));
  const inForce = reported.filter((change) => !change.endsWith('(needs a restart)'));
  // These are in the values, and what was made of them at the start stays.
  const madeAtStart = /^request\.maxUrlBytes/;
  expect(applied.filter((change) => !madeAtStart.test(change))).toEqual(inForce);
  expect(inForce).toEqual(
    expect.arrayContaining([expect.stringContaining('admin.allowedHosts'), expect.stringContaining('admin.tokens')]),
  );
});

test('describeChanges names the targets of a name by it', () => {
  const before = load(target('{ dns: a.test, port: 1 }, { dns: a.test, port: 2 }'));
  const after = load(target('{ dns: a.test, port: 3 }, { dns: a.test, port: 2, scheme: https }'));
  expect(describeChanges(before, after)).toEqual([
    'regions.east.targets.a.test.port: 1 → 3',
    'regions.east.targets.a.test.1.scheme: https (new)',
  ]);
});

test('describeChanges reports that a secret changed, without its value', () => {
  const tracing = (token: string) =>
    load(`${EAST}tracing:\n  endpoint: http://127.0.0.1:4318\n  headers: { authorization: ${token} }\n`);
  expect(describeChanges(tracing('one'), tracing('two'))).toEqual([
    'tracing.headers.authorization: changed (needs a restart)',
  ]);
  expect(describeChanges(load(EAST), tracing('one'))).toContain(
    'tracing.headers.authorization: changed (needs a restart)',
  );
  expect(untilRestart(load(EAST), tracing('one')).tracing).toBeUndefined();
  expect(untilRestart(tracing('one'), load(EAST)).tracing?.headers).toEqual({ authorization: 'one' });
});

test('the admin token may come from a file; a loopback host needs no token', () => {
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, 'one-from-the-file\n');
  const beyond = 'host: 0.0.0.0\n  insecure: true';
  expect(load(`admin:\n  ${beyond}\n  tokenFile: ${tokenFile}\n${EAST}`).admin.token).toBe('one-from-the-file');
  const listed = load(`admin:\n  ${beyond}\n  tokens:\n    - name: a\n      tokenFile: ${tokenFile}\n${EAST}`);
  expect(adminTokensOf(listed.admin)).toEqual([{ name: 'a', role: 'viewer', token: 'one-from-the-file' }]);
  writeFileSync(tokenFile, 'two words\n');
  expect(() => load(`admin:\n  tokenFile: ${tokenFile}\n${EAST}`)).toThrow(/contains characters that a token/);
  for (const host of ['127.0.0.1', '127.1.2.3', '"::1"', 'localhost']) {
    expect(load(`admin:\n  host: ${host}\n${EAST}`).admin.token, host).toBeUndefined();
  }
});

describe('merge keys and x-… sections', () => {
  const merged = (weight: number, note = 'none'): string => `
x-note: ${note}
x-target: &target { adminUrl: "http://127.0.0.1:8181" }
x-region: &region { weight: ${weight}, priority: 1 }
x-admin: &admin { token: a-secret-of-operators }
admin: { <<: *admin }
regions:
  - { <<: *region, name: east, targets: [{ <<: *target, url: "http://127.0.0.1:1" }] }
  - { <<: *region, name: west, weight: 7, targets: [{ url: "http://127.0.0.1:2" }] }
`;

  test('are gone from the configuration that programs and operators see, and secrets in them are masked', () => {
    const config = load(merged(5));
    const [east, west] = config.regions;
    expect(east).toEqual({
      name: 'east',
      weight: 5,
      priority: 1,
      targets: [{ url: 'http://127.0.0.1:1', adminUrl: 'http://127.0.0.1:8181' }],
    });
    expect(west).toMatchObject({ weight: 7, priority: 1 });
    const shown = JSON.stringify(masked(GatewayConfig, config));
    expect(shown).not.toMatch(/x-(?:note|target|region|admin)|<<|a-secret/);
    expect(config.admin.token).toBe('a-secret-of-operators');
  });

  test('change what they are merged into, and nothing else', () => {
    expect(describeChanges(load(merged(5)), load(merged(6)))).toEqual(['regions.east.weight: 5 → 6']);
    expect(describeChanges(load(merged(5)), load(merged(5, 'another one')))).toEqual([]);
  });

  test('get the same problems at the start, at a reload and from the admin API', () => {
    const text = merged(5).replace('weight: 5', 'weight: -5');
    const file = join(directory, 'same.yaml');
    writeFileSync(file, text);
    const problems = ['4: regions[0].weight: must be >= 0'];
    for (const loader of [loadForStart, loadGatewayConfig]) {
      expect(() => loader(file, {})).toThrow(
        new ConfigError(file, [{ line: 4, path: 'regions[0].weight', reason: 'must be >= 0' }]),
      );
    }
    expect(findConfigProblems(text, {}).map(({ line, path, reason }) => `${line}: ${path}: ${reason}`)).toEqual(
      problems,
    );
    expect(findConfigProblems(merged(5), {})).toEqual([]);
  });
});
