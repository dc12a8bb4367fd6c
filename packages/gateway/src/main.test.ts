/** The gateway's command line, as a process. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { afterAll, expect, test } from 'vitest';
import { connectAtOnce } from '../../../test/harness/crowd.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream } from '../../../test/harness/upstream.ts';
import { digestOfKey } from './authentication/api-keys.ts';
import { readCredentialsFile } from './authentication/credentials-file.ts';
import { keyEntry, makeKey, passwordEntry } from './authentication/new-entry.ts';
import { isPassword } from './authentication/password-hash.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** More than Node lets wait by default (511). */
const CROWD_COUNT = 1000;
const directory = mkdtempSync(join(tmpdir(), 'causeway-gateway-'));
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string): string {
  const file = join(directory, 'gateway.yaml');
  writeFileSync(file, text);
  return file;
}

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
}

/** Where the gateway that logs there listens for clients, once it does. */
async function urlOf(log: Readable): Promise<string> {
  let text = '';
  log.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const url = (): string | undefined => /"url":"([^"]+)"/.exec(text)?.[1];
  await until('it has started', () => url() !== undefined);
  return url() ?? '';
}

test('--check says ok, or what is wrong and where', () => {
  const good = write('regions:\n  - name: east\n    targets:\n      - url: http://127.0.0.1:1\n');
  expect(run('--config', good, '--check')).toMatchObject({ status: 0, stdout: `${good}: ok\n` });
  const credentials = join(directory, 'open.yaml');
  writeFileSync(credentials, keyEntry({ name: 'a', roles: [] }, makeKey()), { mode: 0o644 });
  const doubtful = write(
    `listen:\n  host: "::"\nauth:\n  apiKeys: { file: ${credentials} }\nregions:\n  - name: east\n    weight: 0\n    targets:\n      - url: http://127.0.0.1:1\n`,
  );
  expect(run('--config', doubtful, '--check')).toMatchObject({
    status: 0,
    stdout: [
      `${doubtful}: ok`,
      'warning: the weight of every region is 0: requests without a consumer that has a home there get 503',
      'warning: listen is plain HTTP beyond loopback: credentials of clients can be read on the way',
      `warning: all users may read ${credentials} (mode 644): chmod 640\n`,
    ].join('\n'),
  });
  const bad = write('regions:\n  - name: east\n    wieght: 5\n    targets:\n      - url: http://127.0.0.1:1\n');
  const { status, stderr } = run('--config', bad, '--check');
  expect(status).toBe(1);
  expect(stderr).toContain(
    `${bad}:3: regions[0].wieght: unknown key; did you mean weight? (known here: name, weight, priority, targets)`,
  );
});

test('bad arguments are reported with the usage', () => {
  for (const args of [[], ['--confg', 'x'], ['--hash', '--key'], ['--config', 'x', '--name', 'a']]) {
    const { status, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stderr).toContain('Usage: npm run gateway -- --config FILE [--check]');
  }
  expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage:') });
});

/** With an input, as from a pipe. */
function runWith(input: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', input });
}

test('--hash makes an entry of a password, and of a new key, that the gateway accepts', async () => {
  const password = runWith('correct horse: ü\n', '--hash', '--name', 'jürgen "j"', '--role', 'writer', '--role', 'a,b');
  expect(password).toMatchObject({ status: 0, stderr: '' });
  expect(password.stdout).toMatch(
    /^- name: "jürgen \\"j\\""\n {2}password: '\$argon2id\$[^\n]+'\n {2}roles: \["writer", "a,b"\]\n$/,
  );
  const key = run('--hash', '--key', '--name', 'device-7');
  const [, secret = ''] = /^The API key, shown only now: (causeway_[A-Za-z0-9_-]{43})\n$/.exec(key.stderr) ?? [];
  expect(secret).not.toBe('');
  expect(key.stdout).not.toContain(secret);
  expect(run('--hash', '--key', '--name', 'device-7').stderr).not.toBe(key.stderr);

  const file = join(directory, 'credentials.yaml');
  writeFileSync(file, password.stdout + key.stdout);
  const { byName, byKeyHash } = readCredentialsFile(file);
  const [hash] = byName.get('jürgen "j"')?.passwords ?? [];
  expect(hash !== undefined && (await isPassword(hash, 'correct horse: ü'))).toBe(true);
  expect(byName.get('jürgen "j"')?.roles).toEqual(['writer', 'a,b']);
  expect(byKeyHash.get(digestOfKey(secret))?.name).toBe('device-7');
});

test.each([
  ['a password that cannot be one', 'hunter2\n', ['--name', 'a'], 1, 'A password has at least 8 characters.\n'],
  ['a reserved name', 'hunter2hunter2\n', ['--name', 'anonymous'], 2, '--name: anonymous is reserved'],
])('--hash rejects %s', (_, input, args, status, stderr) => {
  const result = runWith(input, '--hash', ...args);
  expect(result).toMatchObject({ status, stdout: '' });
  expect(result.stderr).toContain(stderr);
});

test('a file that changes is picked up, a broken one is refused, SIGHUP reads it again, SIGTERM ends with 0', async () => {
  const east = await startUpstream(answerJson({}));
  const yaml = (weight: number | string): string =>
    `listen:\n  port: 0\nadmin:\n  port: 0\nregions:\n  - name: east\n    weight: ${weight}\n    targets:\n      - url: ${east.url}\n`;
  const file = write(yaml(1));
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let log = '';
    child.stdout.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    const lines = (message: string): Record<string, unknown>[] =>
      log.split('\n').flatMap((line) => (line.includes(`"msg":"${message}"`) ? [JSON.parse(line)] : []));
    await until('it has started', () => lines('started').length === 1);
    write(yaml(2));
    await until('the change is read', () => lines('reload').length === 1);
    expect(lines('reload')[0]).toMatchObject({ changes: ['regions.east.weight: 1 → 2'] });
    write(yaml('lots'));
    await until('the broken one is refused', () => lines('reloadRefused').length === 1);
    expect(lines('reloadRefused')[0]?.['reason']).toMatch(/gateway\.yaml:7: regions\[0\]\.weight: must be integer$/);
    child.kill('SIGHUP');
    await until('SIGHUP reads it again', () => lines('reloadRefused').length === 2);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    await east.kill();
  }
});

test('the log has a line for each change of an operator and for refused requests, and no token', async () => {
  const tokens = { operator: 'token-of-alice-000', guess: 'token-of-eve-00000' };
  const file = write(
    `listen:\n  port: 0\nadmin:\n  port: 0\n  tokens:\n    - { name: alice, role: operator, token: ${tokens.operator} }\nregions:\n  - name: east\n    targets:\n      - url: http://127.0.0.1:1\n`,
  );
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let log = '';
    child.stdout.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    const lineOf = (message: string): Record<string, unknown> | undefined => {
      const line = log.split('\n').find((text) => text.includes(`"msg":"${message}"`) && text.endsWith('}'));
      return line === undefined ? undefined : JSON.parse(line);
    };
    await until('it has started', () => lineOf('started') !== undefined);
    for (const token of Object.values(tokens)) {
      const url = `${lineOf('started')?.['adminUrl']}/api/regions/east/undrain`;
      const answer = await request(url, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
      await answer.body.dump();
    }
    await until('both are in the log', () => lineOf('audit') !== undefined && lineOf('accessRefused') !== undefined);
    expect(lineOf('audit')).toMatchObject({
      level: 30,
      who: 'alice',
      what: 'drain of east: off → off',
      request: 'POST /api/regions/east/undrain',
      address: '127.0.0.1',
      status: 200,
    });
    expect(lineOf('accessRefused')).toMatchObject({ level: 40, who: null, status: 401, requestCount: 1 });
    for (const token of Object.values(tokens)) expect(log).not.toContain(token);
  } finally {
    child.kill('SIGKILL');
  }
});

test('neither log has a password or a key, right or wrong, of a client or of a broken file', async () => {
  const credentials = join(directory, 'secrets.yaml');
  const [password, key] = ['correct horse battery', makeKey()];
  writeFileSync(credentials, keyEntry({ name: 'device-7', roles: [] }, key), { mode: 0o644 });
  appendFileSync(credentials, await passwordEntry({ name: 'alice', roles: [] }, password));
  const east = await startUpstream(answerJson({}));
  const file = write(
    `listen:\n  port: 0\nadmin:\n  port: 0\naccessLog: {}\nauth:\n  basic: { file: ${credentials} }\n  apiKeys: { file: ${credentials} }\nregions:\n  - name: east\n    targets:\n      - url: ${east.url}\n`,
  );
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        log += chunk.toString();
      });
    }
    const url = await urlOf(child.stdout);
    const pair = (name: string, secret: string): string => Buffer.from(`${name}:${secret}`).toString('base64');
    const statuses: number[] = [];
    for (const headers of [
      { authorization: `Basic ${pair('alice', password)}` },
      { authorization: `Basic ${pair('alice', 'guess-of-eve')}` },
      { authorization: `Basic ${pair('name-of-eve', 'guess-of-eve')}` },
      { authorization: 'Basic guess-of-eve' },
      { 'x-api-key': key },
      { 'x-api-key': 'guess-of-eve' },
    ]) {
      const { statusCode, body } = await request(`${url}/topics/orders`, { headers });
      statuses.push(statusCode);
      await body.dump();
    }
    expect(statuses).toEqual([200, 401, 401, 401, 200, 401]);
    writeFileSync(credentials, '- name: alice\n  password: typed-in-clear\n');
    await until('the broken file is reported', () => log.includes(`${credentials}:2: [0].password`));
    await until('the access log is there', () => log.split('"path":"/topics/orders"').length === 7);
    expect(log).toContain(`all users may read ${credentials} (mode 644): chmod 640`);
    expect(log).toContain('alice');
    const secrets = [password, key, 'guess-of-eve', 'typed-in-clear'];
    const pairs = [pair('alice', password), pair('alice', 'guess-of-eve'), pair('name-of-eve', 'guess-of-eve')];
    for (const secret of [...secrets, ...pairs, 'name-of-eve']) expect(log).not.toContain(secret);
  } finally {
    child.kill('SIGKILL');
    await east.kill();
  }
});

test('clients that come at once wait for a gateway that is busy, and need not call again', async () => {
  const file = write(
    'listen:\n  port: 0\nadmin:\n  port: 0\nregions:\n  - name: east\n    targets:\n      - url: http://127.0.0.1:1\n',
  );
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const url = await urlOf(child.stdout);
    child.kill('SIGSTOP');
    const crowd = await connectAtOnce(url, CROWD_COUNT, 60_000);
    crowd.close();
    expect(crowd.connectedCount).toBe(CROWD_COUNT);
  } finally {
    child.kill('SIGKILL');
  }
});

test('SIGHUP reopens the access log', async () => {
  const east = await startUpstream(answerJson({}));
  const log = join(directory, 'access.log');
  const file = write(
    `listen:\n  port: 0\nadmin:\n  port: 0\naccessLog:\n  file: ${log}\nregions:\n  - name: east\n    targets:\n      - url: ${east.url}\n`,
  );
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const url = await urlOf(child.stdout);
    const paths = (name: string): string[] =>
      existsSync(name)
        ? (readFileSync(name, 'utf8')
            .match(/"path":"[^"]*"/g)
            ?.map(String) ?? [])
        : [];
    await (await request(`${url}/topics/before`)).body.dump();
    await until('the first line is there', () => paths(log).length === 1);
    renameSync(log, `${log}.1`);
    child.kill('SIGHUP');
    await until('there is a new file', () => existsSync(log));
    await (await request(`${url}/topics/after`)).body.dump();
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect([paths(`${log}.1`), paths(log)]).toEqual([['"path":"/topics/before"'], ['"path":"/topics/after"']]);
  } finally {
    child.kill('SIGKILL');
    await east.kill();
  }
});
