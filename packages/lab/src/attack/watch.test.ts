import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { readSample, Watch } from './watch.ts';

const GATEWAY = `
process_resident_memory_bytes 1000
nodejs_eventloop_lag_max_seconds 0.25
causeway_breaker_state{region="east",target="a",state="open"} 1
causeway_breaker_state{region="east",target="a",state="closed"} 0
causeway_target_healthy{region="east",target="a"} 0
causeway_target_healthy{region="west",target="b"} 1
causeway_retries_total{reason="timedOut"} 2
causeway_retries_total{reason="targetDown"} 3
causeway_panic 1
`;

test('a sample adds up the metrics of an exposition', () => {
  expect(readSample(GATEWAY)).toEqual({
    rssBytes: 1_000,
    lateMs: 250,
    openBreakers: 1,
    unhealthyTargets: 1,
    isPanic: true,
    counters: {
      causeway_retries_total: 5,
      causeway_failovers_total: 0,
      causeway_bridge_adoption_duration_seconds_count: 0,
    },
  });
});

test('a window has the most memory, incidents, growth of counters, and restarts', async () => {
  const expositions = [
    'process_resident_memory_bytes 100\ncauseway_failovers_total 5\n',
    'process_resident_memory_bytes 900\ncauseway_failovers_total 5\ncauseway_breaker_state{state="open"} 1\n',
    'process_resident_memory_bytes 300\ncauseway_failovers_total 7\n',
  ];
  let pid = 1;
  const server = createServer((_, response) => response.end(expositions.shift()));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const watch = new Watch([{ name: 'tier-1 gateway', url: `http://127.0.0.1:${port}`, pid: () => pid }]);
  await watch.openWindow();
  watch.start();
  await expect.poll(() => expositions.length).toBe(1);
  await watch.close();
  pid = 2;
  expect(await watch.closeWindow()).toMatchObject([
    {
      name: 'tier-1 gateway',
      isRestarted: true,
      rssBytes: 300,
      growthBytes: 800,
      incidents: { 'breaker open': 1, 'requests left a target': 2 },
    },
  ]);
  server.closeAllConnections();
  server.close();
});
