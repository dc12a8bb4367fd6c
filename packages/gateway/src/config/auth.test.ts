/** Mistakes in `auth.jwt`, each with its line and what to do. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findConfigProblems } from './load.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-auth-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const [publicJwk, privateJwk] = [publicKey.export({ format: 'jwk' }), privateKey.export({ format: 'jwk' })];
const good = file('good.json', JSON.stringify({ keys: [publicJwk] }));

/** The problems of one issuer with these keys, whose first line is the fourth. */
function problemsOf(issuer: string): string[] {
  const text = `auth:\n  jwt:\n    issuers:\n      - ${issuer}\nregions: [{ name: e, targets: [{ url: "http://127.0.0.1:1" }] }]\n`;
  return findConfigProblems(text, {}).map(({ line, path, reason }) => `${line} ${path}: ${reason}`);
}

const PLACE = '4 auth.jwt.issuers[0]';

test.each([
  `{ issuer: "https://id.example", audience: [a] }`,
  `{ issuer: "http://127.0.0.1:1", audience: [a] }`,
  `{ issuer: "http://[::1]:1", audience: [a] }`,
  `{ issuer: anything, audience: [a], jwksUrl: "https://id.example/jwks?x=1" }`,
  `{ issuer: anything, audience: [a], jwksFile: "${good}", algorithms: [ES512] }`,
])('%s is valid', (issuer) => {
  expect(problemsOf(issuer)).toEqual([]);
});

test.each([
  [`{ issuer: "", audience: [a] }`, `${PLACE}.issuer: must not have fewer than 1 characters`],
  [`{ issuer: "https://id.example" }`, `${PLACE}: the key audience is missing`],
  [`{ issuer: "https://id.example", audience: [] }`, `${PLACE}.audience: must not have fewer than 1 items`],
  [
    `{ issuer: anything, audience: [a] }`,
    `${PLACE}.issuer: anything is not a URL, so its keys cannot be found: set jwksUrl or jwksFile`,
  ],
  [
    `{ issuer: "http://id.example", audience: [a] }`,
    `${PLACE}.issuer: http://id.example is plain HTTP: another machine on the way could replace the keys, and sign tokens. Use https, or jwksFile`,
  ],
  [
    `{ issuer: x, audience: [a], jwksUrl: "https://user:secret@id.example/jwks" }`,
    `${PLACE}.jwksUrl: must not contain a user name or password: logs, events and the admin API would show them`,
  ],
  [
    `{ issuer: x, audience: [a], jwksUrl: "https://id.example/jwks", jwksFile: x }`,
    `${PLACE}.jwksFile: jwksUrl and jwksFile exclude each other`,
  ],
  [
    `{ issuer: x, audience: [a], jwksFile: "${good}", caFile: x }`,
    `${PLACE}.caFile: has no effect: the keys come from jwksFile`,
  ],
  [
    `{ issuer: "http://127.0.0.1:1", audience: [a], caFile: x }`,
    `${PLACE}.caFile: has no effect: http://127.0.0.1:1 is not https`,
  ],
  [
    `{ issuer: "https://id.example", audience: [a], caFile: "${good}" }`,
    `${PLACE}.caFile: ${good} has no certificate in PEM format`,
  ],
  [`{ issuer: x, audience: [a], jwksFile: /no/such/file }`, expect.stringMatching(/jwksFile: .*there is no such file/)],
])('%s is rejected: %s', (issuer, problem) => {
  expect(problemsOf(issuer)).toEqual([problem]);
});

test.each(['none', 'HS256'])('the algorithm %s is rejected', (algorithm) => {
  expect(problemsOf(`{ issuer: x, audience: [a], jwksFile: "${good}", algorithms: [${algorithm}] }`)).toEqual([
    expect.stringContaining('algorithms[0]: must be one of: RS256, RS384'),
  ]);
});

test.each([
  ['{', 'is not JSON'],
  ['[]', 'is not a JWKS: it has no keys'],
  ['{"keys":[]}', 'has no public key for signatures'],
  ['{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', 'has no public key for signatures'],
  [JSON.stringify({ keys: [privateJwk] }), 'has no public key for signatures'],
  [JSON.stringify({ keys: [{ ...publicJwk, use: 'enc' }] }), 'has no public key for signatures'],
  [
    JSON.stringify({ keys: Array.from({ length: 101 }, (_, index) => ({ ...publicJwk, kid: `${index}` })) }),
    'has more than 100 keys',
  ],
])('a file of keys %s is rejected: %s', (text, reason) => {
  const bad = file('bad.json', text);
  expect(problemsOf(`{ issuer: x, audience: [a], jwksFile: "${bad}" }`)).toEqual([
    `${PLACE}.jwksFile: ${bad} ${reason}`,
  ]);
});

test('two entries for one issuer are rejected', () => {
  const entry = `{ issuer: "https://id.example", audience: [a] }`;
  expect(problemsOf(`${entry}\n      - ${entry}`)).toEqual([
    '5 auth.jwt.issuers[1].issuer: duplicate issuer https://id.example',
  ]);
});
