/** Probes over real sockets: which connections they use, and what they report. */
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { http, listen, poolOf, textOf } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import type { Transport } from '../upstream/transport.ts';
import type { ProbeResult } from './health.ts';
import { HealthCheck } from './health-check.ts';

function probe(transport: Transport, { timeoutMs = 10_000 } = {}): { check: HealthCheck; results: ProbeResult[] } {
  const results: ProbeResult[] = [];
  const check = new HealthCheck({
    transport: () => transport,
    path: '/ready',
    intervalMs: 20,
    timeoutMs,
    headers: () => ['user-agent', 'causeway-health-check'],
    onResult: (result) => results.push(result),
    random: () => 0.5,
    now: () => performance.now(),
  });
  onTestFinished(() => check.close());
  check.start();
  return { check, results };
}

test('probes and requests share connections, so that health is that of the path of requests', async () => {
  const paths: string[] = [];
  const server = await http((incoming, response) => {
    paths.push(incoming.url ?? '');
    response.end('here');
  });
  const pool = poolOf(server.url);
  expect(await textOf(pool, { path: '/topics' })).toBe('here');
  const { results } = probe(pool);
  await until('three probes got a response', () => results.length >= 3);
  expect(results.every(({ isGood }) => isGood)).toBe(true);
  expect(paths.slice(0, 3)).toEqual(['/topics', '/ready', '/ready']);
  expect(server.connectionCount).toBe(1);
});

test('a target to which no connection is made in time is silent, whichever time limit ends first', async () => {
  // It accepts connections, and no TLS handshake begins.
  const server = await listen(createServer());
  const pool = poolOf(server.url.replace('http:', 'https:'), { connectTimeoutMs: 50 });
  const { results } = probe(pool);
  await until('a probe failed', () => results.length > 0);
  expect(results[0]).toMatchObject({ isGood: false, isSilent: true });
});

test('idle connections that were cut unnoticed fail one probe, and no second one', async () => {
  let isCut = false;
  const cut = new Set<unknown>();
  const server = await http((incoming, response) => {
    // Connections from before the cut stay open, and nothing comes back on them.
    if (isCut && cut.has(incoming.socket)) return;
    response.end('here');
  });
  const pool = poolOf(server.url);
  await Promise.all(Array.from({ length: 5 }, () => textOf(pool)));
  isCut = true;
  for (const socket of server.sockets) cut.add(socket);
  const before = server.connectionCount;
  expect(before).toBeGreaterThan(1);
  const { results } = probe(pool, { timeoutMs: 300 });
  await until('one probe failed, and another one succeeded', () => results.length >= 2);
  expect(results.slice(0, 2)).toMatchObject([{ isGood: false, isSilent: true }, { isGood: true }]);
  expect(server.connectionCount).toBe(before + 1);
});

test('a probe reports a status, and a refused connection', async () => {
  const server = await http((_, response) => response.writeHead(503).end(JSON.stringify({ message: 'not yet' })));
  const pool = poolOf(server.url);
  const { results } = probe(pool);
  await until('it gets a response', () => results.length > 0);
  expect(results[0]).toMatchObject({ reason: 'probe got 503: not yet', publicReason: 'probe got 503' });
  await server.close();
  await until('it is refused', () => !(results.at(-1) as { reason: string }).reason.includes('got'));
  expect(results.at(-1)).toMatchObject({
    isSilent: false,
    reason: expect.stringMatching(/^probe failed: connection /),
  });
});
