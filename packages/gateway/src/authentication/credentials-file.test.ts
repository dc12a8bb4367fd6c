import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@causeway/config/load.ts';
import { afterAll, expect, test } from 'vitest';
import { readCredentialsFile } from './credentials-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-credentials-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, 'credentials.yaml');

const HASH = `$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$${'A'.repeat(43)}`;
const OTHER_HASH = `$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$${'B'.repeat(43)}`;
const DIGEST = '0123456789abcdef'.repeat(4);

function read(text: string, mode = 0o640): ReturnType<typeof readCredentialsFile> {
  writeFileSync(file, text);
  chmodSync(file, mode);
  return readCredentialsFile(file);
}

function problemsOf(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, path, reason }) => `${line} ${path}: ${reason}`);
  }
  return [];
}

test('a file has names with passwords, keys and roles', () => {
  const { byName, byKeyHash, names, warning } = read(`
- name: alice
  password: "${HASH}"
  roles: [writer]
- name: jürgen
  passwords: ["${HASH}", "${OTHER_HASH}"]
  key: sha256$${DIGEST.toUpperCase()}
- { name: 'device 7', keys: ['sha256$${DIGEST.replace('0', '1')}', 'sha256$${DIGEST.replace('0', '2')}'] }
`);
  expect([...names]).toEqual(['alice', 'jürgen', 'device 7']);
  expect(byName.get('alice')).toMatchObject({ name: 'alice', roles: ['writer'], passwords: [{ text: HASH }] });
  expect(byName.get('jürgen')?.passwords.map(({ text }) => text)).toEqual([HASH, OTHER_HASH]);
  expect(byName.has('device 7')).toBe(false);
  expect(byKeyHash.get(DIGEST)?.name).toBe('jürgen');
  expect([...byKeyHash.values()].map(({ name }) => name)).toEqual(['jürgen', 'device 7', 'device 7']);
  expect(warning).toBeUndefined();
});

test('an empty file knows no principal', () => {
  expect(read('# no one yet\n').names.size).toBe(0);
});

test.each([
  [0o640, undefined],
  [0o600, undefined],
  [0o644, `all users may read ${file} (mode 644): chmod 640`],
  [0o660, `other users may change ${file} (mode 660): chmod 640`],
  [0o606, `other users may change ${file} (mode 606): chmod 640`],
])('mode %o: %s', (mode, warning) => {
  expect(read('[]', mode).warning).toBe(warning);
});

const KNOWN = 'known here: name, password, passwords, key, keys, roles';

test.each<[string, string, string[]]>([
  ['a map', `alice: "${HASH}"`, ['1 : must be array']],
  ['a text', 'alice', ['1 : must be array']],
  ['no name', `- password: "${HASH}"`, ['1 [0]: the key name is missing']],
  ['an empty name', `- { name: '', password: "${HASH}" }`, ['1 [0].name: must not have fewer than 1 characters']],
  ['a reserved name', `- { name: anonymous, password: "${HASH}" }`, ['1 [0].name: is reserved']],
  ['a star', `- { name: '*', password: "${HASH}" }`, ['1 [0].name: is reserved']],
  ['a blank at the end', `- { name: 'a ', password: "${HASH}" }`, ['1 [0].name: has a blank at its beginning or end']],
  ['a control character', `- { name: "a\\tb", password: "${HASH}" }`, ['1 [0].name: has control characters']],
  ['a long name', `- { name: ${'é'.repeat(129)}, password: "${HASH}" }`, ['1 [0].name: is longer than 256 bytes']],
  [
    'a colon',
    `- { name: 'a:b', password: "${HASH}" }`,
    ['1 [0].name: a name with a password must not have a colon (RFC 7617)'],
  ],
  ['nothing to show', '- name: alice', ['1 [0]: alice has neither a password nor a key']],
  [
    'the same name twice, in two forms',
    `- { name: "é", password: "${HASH}" }\n- { name: "e\u0301", password: "${HASH}" }`,
    ['2 [1].name: duplicate name é'],
  ],
  [
    'the same key twice',
    `- { name: a, key: sha256$${DIGEST} }\n- name: b\n  keys:\n    - sha256$${DIGEST.toUpperCase()}`,
    ['4 [1].keys[0]: is also the key of a: each principal needs its own'],
  ],
  [
    'a hash without quotes in braces',
    `- { name: a, password: ${HASH} }`,
    [`1 [0].password: PASSWORD`, `1 [0]: unknown key (${KNOWN})`],
  ],
  ['roles as a text', `- { name: a, password: "${HASH}", roles: writer }`, ['1 [0].roles: must be array']],
  ['a number as password', '- { name: a, password: 12345678 }', ['1 [0].password: must be string']],
])('%s is reported with its line', (_, text, expected) => {
  const problems = problemsOf(text);
  expect(problems).toEqual(
    expected.some((problem) => problem.includes('PASSWORD')) ? expect.arrayContaining(expected.slice(1)) : expected,
  );
});

test.each([
  ['a password in clear text', '- { name: alice, password: SECRET }'],
  ['one of several', `- name: alice\n  passwords:\n    - "${HASH}"\n    - SECRET`],
  ['a key in clear text', '- { name: alice, key: SECRET }'],
  ['a short digest', '- { name: alice, key: sha256$SECRET }'],
  ['a key of another name', '- { name: alice, SECRET: x }'],
  ['an alias', '- { name: alice, password: *SECRET }'],
  ['a directive of YAML', '- name: alice\n  password: @SECRET'],
  ['a broken text', '- name: alice\n  password: "SECRET'],
  ['a tab', '- name: alice\n\tpassword: SECRET'],
  ['a map', '- name: alice\n  password:\n    SECRET: SECRET'],
  ['a variable', '- name: alice\n  password: ${SECRET}'],
  ['a tag', '- name: alice\n  password: !SECRET SECRET'],
  ['a repeated key', '- name: alice\n  password: SECRET\n  password: SECRET'],
])('%s does not appear in the problem', (_, text) => {
  const problems = problemsOf(text.replaceAll('SECRET', 'hunter2hunter2'));
  expect(problems).not.toEqual([]);
  expect(problems.join('\n')).not.toContain('hunter2');
});

test('a missing file is reported', () => {
  expect(() => readCredentialsFile(join(directory, 'none.yaml'))).toThrow('there is no such file');
});
