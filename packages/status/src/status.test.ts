/** `npm run status` as a process, over real gateways. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, test } from 'vitest';
import { systemOf } from '../../../test/harness/admin.ts';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream } from '../../../test/harness/upstream.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'causeway-status-'));
afterAll(() => rmSync(directory, { recursive: true }));

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

interface Ran {
  code: number | string;
  stdout: string;
  stderr: string;
}

function run(args: string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'], INIT_CWD: directory, ...env }, timeout: 60_000 };
    execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

async function twoRegions(admin: object = {}): Promise<{ east: Upstream; west: Upstream; gw: TestGateway }> {
  const [east, west] = [await startUpstream(answerJson({})), await startUpstream(answerJson({}))];
  east.bridge = 'east/bridge';
  open.push({ close: () => east.kill() }, { close: () => west.kill() });
  const gw = await startGateway({
    admin: { port: 0, token: TEST_TOKEN, ...admin },
    regions: regions({ east: east.url, west: west.url }),
  });
  open.push(gw);
  return { east, west, gw };
}

test('up is 0, one region down is 1 with the reason, all down is 2', async () => {
  const { east, west, gw } = await twoRegions();
  const healthy = await run(['--url', gw.adminUrl]);
  expect(healthy).toMatchObject({ code: 0, stderr: '' });
  expect(healthy.stdout).toContain('● up  Healthy: east and west up');
  expect(healthy.stdout).toContain(`└ bridge east/bridge ${east.url}   healthy`);
  await east.kill();
  await until('east is down', async () => (await systemOf(gw.adminUrl)).regions[0]?.state === 'down');
  const degraded = await run(['--url', `${gw.adminUrl}/`]);
  expect(degraded.code).toBe(1);
  expect(degraded.stdout).toMatch(/◐ degraded {2}East is down since \d\d:\d\d:\d\d UTC/);
  expect(degraded.stdout).toContain('why: probe failed: connection refused');
  expect(degraded.stdout).toMatch(/\d\d:\d\d:\d\d {2}east http:\/\/\S+ healthy → unhealthy/);
  await west.kill();
  await until('west is down', async () => (await systemOf(gw.adminUrl)).state === 'down');
  expect((await run(['--url', gw.adminUrl])).code).toBe(2);
});

test('--json is the unchanged topology', async () => {
  const { gw } = await twoRegions();
  const { code, stdout } = await run(['--url', gw.adminUrl, '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'up', regions: [{ name: 'east' }, { name: 'west' }] });
});

test('--consumers is the list of consumers', async () => {
  const { east, gw } = await twoRegions();
  const at = new Date().toISOString();
  const names = { group: 'readers', instance: 'me', principal: 'alice', home: 'east/bridge', state: 'subscribed' };
  const consumers = [{ ...names, since: at, adoptions: 0, lastPollAt: null, lag: 3 }];
  east.handle = answerJson({ total: 7, matching: 1, consumers });
  const { code, stdout } = await run(['--url', gw.adminUrl, '--consumers', '--filter', 'alice']);
  expect(code).toBe(0);
  expect(east.requests.at(-1)?.url).toBe('/causeway-sessions?filter=alice&limit=1000');
  expect(stdout).toMatch(/^readers {2}me {8}alice {6}east\/bridge {2}.*subscribed$/m);
  expect(stdout).toContain('1 shown of 1 that match, of 7 consumers\n');
  expect(stdout).toContain('consumers in west may be missing: no adminUrl is configured');
  const json = await run(['--url', gw.adminUrl, '--consumers', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ total: 7, consumers });
});

test('a missing gateway, a missing token and a wrong one are a sentence and exit code 2', async () => {
  const gone = await startUpstream();
  await gone.kill();
  expect(await run(['--url', gone.url])).toEqual({
    code: 2,
    stdout: '',
    stderr: `No gateway responds at ${gone.url} (connection refused): is it running, and is this its admin address?\n`,
  });
  const { gw, west } = await twoRegions({ host: '0.0.0.0' });
  const url = gw.adminUrl.replace('0.0.0.0', '127.0.0.1');
  expect((await run(['--url', url])).stderr).toContain('requires a token: give it with --token');
  expect((await run(['--url', url, '--token', 'wrong'])).stderr).toContain('rejects this token');
  expect((await run(['--url', url, '--token', TEST_TOKEN])).code).toBe(0);
  expect((await run(['--url', url], { CAUSEWAY_ADMIN_TOKEN: TEST_TOKEN })).code).toBe(0);
  west.handle = answerJson({}, 404);
  expect(await run(['--url', west.url])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is not the admin API of a gateway: it responded with 404'),
  });
});

test('a running lab is found by its file, with its token', async () => {
  const { gw } = await twoRegions({ host: '0.0.0.0' });
  const admin = gw.adminUrl.replace('0.0.0.0', '127.0.0.1');
  mkdirSync(join(directory, '.causeway'), { recursive: true });
  writeFileSync(join(directory, '.causeway/stack.json'), JSON.stringify({ tier1: { admin, adminToken: TEST_TOKEN } }));
  expect(await run([])).toMatchObject({ code: 0, stdout: expect.stringContaining(`at ${admin}`) });
  // That token goes to no other gateway.
  const other = await twoRegions({ host: '0.0.0.0' });
  expect((await run(['--url', other.gw.adminUrl.replace('0.0.0.0', '127.0.0.1')])).stderr).toContain(
    'requires a token',
  );
});

test('an https gateway is read with --ca, and without it the sentence names the option', async () => {
  const authority = await TestAuthority.create(directory);
  const { certFile, keyFile } = await authority.certify('admin', { ip: ['127.0.0.1'] });
  const { gw } = await twoRegions({ tls: { certFile, keyFile } });
  const args = ['--url', gw.adminUrl, '--token', TEST_TOKEN];
  const read = await run([...args, '--ca', authority.certFile]);
  expect(read).toMatchObject({ code: 0, stderr: '' });
  expect(read.stdout).toMatch(/^listener {4}admin https:\/\/127\.0\.0\.1:\d+ {3}http\/1\.1 {3}certificate valid for /m);
  expect(read.stdout).toContain('\nyou         operator, operator\n');
  expect((await run(args, { CAUSEWAY_CA_FILE: authority.certFile })).code).toBe(0);
  expect((await run(args, { NODE_EXTRA_CA_CERTS: authority.certFile })).code).toBe(0);
  expect(await run(args)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('its certificate is of an unknown authority: name it with --ca FILE'),
  });
  const lab = { tier1: { admin: gw.adminUrl, adminToken: TEST_TOKEN }, tls: { caFile: authority.certFile } };
  mkdirSync(join(directory, '.causeway'), { recursive: true });
  writeFileSync(join(directory, '.causeway/stack.json'), JSON.stringify(lab));
  expect((await run([])).code).toBe(0);
  for (const [file, reason] of [
    ['/no/such/file', 'ENOENT'],
    [keyFile, 'it contains no certificate (PEM)'],
  ]) {
    const { code, stderr } = await run([...args, '--ca', String(file)]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`--ca ${file} cannot be used: ${reason}`)]);
  }
});

test('invalid arguments are reported with the usage', async () => {
  for (const args of [['--ulr', 'x'], ['--filter', 'a'], ['--url'], ['--url', 'nonsense'], ['more']]) {
    const { code, stderr } = await run(args);
    expect(code, args.join(' ')).toBe(2);
    expect(stderr).toContain('Usage: npm run status');
  }
  expect((await run(['--help'])).stdout).toContain('Exit code: 0 up, 1 degraded');
});
