/** The commands of the README as a newcomer types them: npm and Node run the programs, not the test runner. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findPortBase } from '@causeway/lab/stack/ports.ts';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-start-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const KILL = ['--seconds', '8', '--kill', 'east@1', '--restore', 'east@3'];

/** Both have traffic, and neither a loss nor an error; the guest was refused both ways, and in no other way. */
const TENANTS_RESULT =
  /tenant-1( +[1-9]\d*){3} +\d+( +0){2} .*\n +tenant-2( +[1-9]\d*){3} +\d+( +0){2} .*\n +guest +refused [1-9]\d* × .*\(401\), [1-9]\d* × .*\(403\)\n/;

test.each([
  {
    what: 'with TLS, tenants, a kill and a restore',
    options: ['--tls', '--tenants', '2', ...KILL],
    isSecure: true,
    result: TENANTS_RESULT,
  },
  { what: 'without TLS', options: ['--seconds', '3'], isSecure: false, result: /delivered +[1-9]/ },
])('npm start $what loses nothing, and leaves nothing behind', async ({ options, isSecure, result }) => {
  const state = join(directory, 'state');
  const kafka = isSecure ? [] : ['--bootstrap', inject('kafkaBootstrap')];
  const surroundings = [...kafka, '--port-base', String(await findPortBase()), '--directory', state];
  const lab = spawn('npm', ['start', '--', ...options, ...surroundings], {
    cwd: ROOT,
    env: { ...process.env, INIT_CWD: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [lab.stdout, lab.stderr]) stream.on('data', (chunk) => (output += chunk));
  const [code] = await once(lab, 'close');
  expect(output).toContain('Everything is stopped.');
  expect(code, output).toBe(0);
  expect(output).toContain(isSecure ? `curl --http2 --cacert ${join(state, 'ca.pem')} https://` : 'curl http://');
  expect(output).toMatch(result);
  for (const name of ['stack.json', 'ca.pem', 'tls', 'tenants'])
    expect([name, existsSync(join(state, name))]).toEqual([name, false]);
});

test.each([
  ['npm start -- --help', 'Usage: npm start'],
  ['npm run gateway -- --config config/gateway.yaml --check', 'config/gateway.yaml'],
  ['npm run bridge -- --config config/bridge.yaml --check', 'config/bridge.yaml'],
  ['npm run bench -- nothing', 'There is no benchmark nothing'],
])('%s', (command, text) => {
  const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: ROOT, encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toContain(text);
});
