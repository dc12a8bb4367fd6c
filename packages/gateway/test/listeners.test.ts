/** Several listeners for clients in one gateway. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Gateway } from '@causeway/gateway/gateway.ts';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { parseExposition } from '../../../test/harness/exposition.ts';
import { regions, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, produce, upstream } from './fixture.ts';

const TWO = [
  { name: 'one', port: 0 },
  { name: 'two', host: '127.0.0.2', port: 0 },
];

test('each listener serves clients, and operators see all of them', async () => {
  const east = await upstream();
  const gw = await gateway({ regions: regions({ east: east.url }), listeners: TWO });
  const started = gw.gateway.events.recent().find(({ type }) => type === 'started');
  if (started?.type !== 'started' || started.urls === undefined) throw new Error('no URLs');
  const { url, urls } = started;
  expect(urls.map((each) => new URL(each).hostname)).toEqual(['127.0.0.1', '127.0.0.2']);
  expect([url, gw.url]).toEqual([urls[0], urls[0]]);
  for (const each of urls) {
    const { statusCode, body } = await request(`${each}/topics/t`, produce);
    await body.dump();
    expect([each, statusCode]).toEqual([each, 200]);
  }
  // A connection on the second listener alone.
  const idle = connect(Number(new URL(urls[1] ?? '').port), '127.0.0.2');
  await once(idle, 'connect');
  const counts = async (): Promise<number[]> => {
    const { body } = await request(`${gw.adminUrl}/api/topology`);
    const { clients } = (await body.json()) as { clients: { connectionCount: number; listeners: Listener[] } };
    expect(clients.listeners.map(({ name, url: at }) => [name, at])).toEqual([
      ['one', urls[0]],
      ['two', urls[1]],
    ]);
    return [clients.connectionCount, ...clients.listeners.map(({ connectionCount }) => connectionCount)];
  };
  await until('connections are counted by listener', async () => `${await counts()}` === '3,1,2');
  const metrics = parseExposition(await (await request(`${gw.adminUrl}/metrics`)).body.text());
  expect(
    metrics.get('causeway_client_connections')?.samples.map(({ labels, value }) => [labels['listener'], value]),
  ).toEqual([
    ['one', 1],
    ['two', 2],
  ]);
  idle.destroy();
});

interface Listener {
  name: string;
  url: string;
  connectionCount: number;
}

test('the start fails with the key of the listener that cannot listen, and closes the others', async () => {
  const east = await upstream();
  const taken = await gateway({ regions: regions({ east: east.url }) });
  const { port } = new URL(taken.url);
  const late = new Gateway({
    config: testConfig({
      regions: regions({ east: east.url }),
      listeners: [{ host: '127.0.0.2', port: Number(port) }, { port: Number(port) }],
    }),
    configFile: 'late.yaml',
  });
  await expect(late.start()).rejects.toThrow(
    `listeners[1]: listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
  );
  await expect(request(`http://127.0.0.2:${port}`)).rejects.toThrow(/ECONNREFUSED/);
  expect(late.events.recent().map(({ type }) => type)).not.toContain('started');
});

test('a listener with redirectToHttpsPort redirects every request, and no target gets one', async () => {
  const east = await upstream();
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listeners: [TWO[0], { name: 'http', port: 0, redirectToHttpsPort: 8443 }],
  });
  for (const path of ['/topics/t?a=b', '/healthy', '/consumers/g']) {
    const { statusCode, headers, body } = await request(`${gw.urls[1]}${path}`, produce);
    await body.dump();
    expect([statusCode, headers['location']]).toEqual([308, `https://127.0.0.1:8443${path}`]);
  }
  expect(east.requests).toEqual([]);
  const { statusCode, body } = await request(`${gw.urls[0]}/topics/t`, produce);
  await body.dump();
  expect([statusCode, east.requests.length]).toEqual([200, 1]);
});

test('all listeners stop at once, and what is in flight on each of them is finished', async () => {
  const finish: (() => void)[] = [];
  const east = await upstream((received, response) => void finish.push(() => answerJson({})(received, response)));
  const gw = await gateway({ regions: regions({ east: east.url }), listeners: TWO, shutdown: { graceMs: 60_000 } });
  const pending = gw.urls.map((url) => request(`${url}/topics/t`, produce));
  await until('both are in flight', () => finish.length === 2);
  const closed = gw.close();
  for (const url of gw.urls) await expect(request(`${url}/topics`)).rejects.toThrow(/ECONNREFUSED/);
  for (const each of finish) each();
  for (const answer of await Promise.all(pending)) {
    expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
    await answer.body.dump();
  }
  await closed;
});
