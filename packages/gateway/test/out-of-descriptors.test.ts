/** A gateway that has no file descriptor left for a connection to a region: its own fault, and reported as such. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../../test/harness/until.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
/** Enough for Node.js itself, and for some clients. */
const DESCRIPTOR_COUNT = 80;
const SEVERAL_PROBES_MS = 300;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A region whose every answer ends its connection, so that each probe and each request needs a new one. */
async function region(): Promise<{ url: string; probeCount: () => number }> {
  let probeCount = 0;
  const server = createServer((request, response) => {
    if (request.url === '/ready') probeCount += 1;
    response.writeHead(200, { connection: 'close', 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, probeCount: () => probeCount };
}

/** `listen`: more of that section. */
async function startLimited(
  url: string,
  listen: string,
): Promise<{ url: string; adminUrl: string; log: () => string }> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-descriptors-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'gateway.yaml');
  writeFileSync(
    file,
    `listen: { port: 0${listen} }\nadmin: { port: 0 }\nhealthCheck: { intervalMs: 50, timeoutMs: 20000 }\nbreaker: { minRequests: 1, errorPercent: 1 }\nregions: [{ name: east, targets: [{ url: "${url}" }] }]\n`,
  );
  const command = `ulimit -n ${DESCRIPTOR_COUNT}; exec "$0" "$@"`;
  const child = spawn('sh', ['-c', command, process.execPath, MAIN, '--config', file], { stdio: 'pipe' });
  cleanups.push(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await until('it knows its region', () => log.includes('"to":"healthy"'));
  const [, clientUrl = '', adminUrl = ''] = /"url":"([^"]+)","adminUrl":"([^"]+)"/.exec(log) ?? [];
  return { url: clientUrl, adminUrl, log: () => log };
}

/** Over the one connection of `agent`. */
function ask(url: string, agent: Agent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    get(`${url}/topics`, { agent }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });
}

test('requests are 503 without a region’s address, and the region stays what it is', async () => {
  const east = await region();
  const gateway = await startLimited(east.url, ', maxConnections: 1000');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanups.push(() => agent.destroy());
  expect((await ask(gateway.url, agent)).status).toBe(200);

  const { port } = new URL(gateway.url);
  const clients: Socket[] = [];
  const leave = (): void => {
    for (const client of clients.splice(0)) client.destroy();
  };
  cleanups.push(leave);
  let last = { status: 200, text: '' };
  await until('no descriptor is left', async () => {
    const client = connect(Number(port), '127.0.0.1');
    client.on('error', () => {});
    clients.push(client);
    last = await ask(gateway.url, agent);
    return last.status !== 200;
  });
  expect(last.status).toBe(503);
  expect(JSON.parse(last.text)).toEqual({
    error_code: 503,
    message:
      'The gateway cannot make connections to any region now; try again: region east: the gateway has no file descriptor left.',
  });
  const askUntil = async (status: number): Promise<void> =>
    await until(`it answers ${status}`, async () => (await ask(gateway.url, agent)).status === status);
  // Probes cannot be made either, which must not count against the region.
  await until('probes stop to arrive', async () => {
    clients.push(connect(Number(port), '127.0.0.1').on('error', () => {}));
    const probeCount = east.probeCount();
    await delay(SEVERAL_PROBES_MS);
    return east.probeCount() === probeCount;
  });
  leave();
  await askUntil(200);
  const laterCount = east.probeCount();
  await until('probes arrive again', () => east.probeCount() > laterCount);
  expect(gateway.log()).not.toContain('"to":"unhealthy"');
  expect(gateway.log()).not.toContain('"to":"open"');
});

test('without a configured limit, a flood of connections leaves files for operators, probes and targets', async () => {
  const east = await region();
  const gateway = await startLimited(east.url, '');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanups.push(() => agent.destroy());
  expect((await ask(gateway.url, agent)).status).toBe(200);
  const { port } = new URL(gateway.url);
  const flood = Array.from({ length: 3 * DESCRIPTOR_COUNT }, () => connect(Number(port), '127.0.0.1'));
  for (const client of flood) client.on('error', () => {}).resume();
  cleanups.push(() => flood.forEach((client) => void client.destroy()));
  await until(
    'all beyond the limit are closed',
    () => flood.filter(({ closed }) => !closed).length < DESCRIPTOR_COUNT / 2,
  );
  const probeCount = east.probeCount();
  await until('probes arrive', () => east.probeCount() > probeCount + 2);
  // A client that was there before, whose requests need connections to the region; and an operator who comes now.
  expect((await ask(gateway.url, agent)).status).toBe(200);
  const operator = new Agent();
  cleanups.push(() => operator.destroy());
  expect((await ask(`${gateway.adminUrl}/api`, operator)).status).toBe(404);
  expect(gateway.log()).toContain(`"reason":"${DESCRIPTOR_COUNT / 2} connections are open (maxConnections)"`);
  expect(gateway.log()).not.toContain('"to":"unhealthy"');
});
