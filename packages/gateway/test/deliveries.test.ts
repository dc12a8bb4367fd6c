/** How a gateway confirms to bridges the responses that clients have; real bridges are in packages/bridge. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import type { PollingData } from '../../../test/harness/polling-thread.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../test/harness/upstream.ts';

const CONSUMER = '/consumers/g/instances/c';
const POLL = `${CONSUMER}/records`;
/** Longer than a client takes to read a response and to ask again. */
const TURN_MS = 10;
const CONFIRMATION = `${CONSUMER}/causeway-delivered`;

let bridge: Upstream;
let gateway: TestGateway;
/** Of the next answers. */
let delivery: string;

beforeEach(async () => {
  delivery = '5';
  bridge = await startUpstream(({ url }, response) => {
    if (url.startsWith(POLL)) response.writeHead(200, { 'causeway-delivery': delivery }).end('[]');
    else response.writeHead(204).end();
  });
  gateway = await startGateway({ regions: regions({ east: bridge.url }) });
});
afterEach(async () => {
  vi.useRealTimers();
  await gateway.close();
  await bridge.kill();
});

/** From now on no timer ends: what a gateway sends all the same waits for none, and a busy machine lets none end too early. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
}

async function ask(path: string, { method = 'GET', headers = {} } = {}): Promise<Record<string, unknown>> {
  const answer = await request(`${gateway.url}${path}`, { method: method as 'GET', headers });
  await answer.body.dump();
  return answer.headers;
}

const confirmed = (): [path: string, mark: unknown][] =>
  bridge.requests.map(({ url, headers }) => [url, headers['causeway-delivered']]);

test('the next request confirms an answer, once, and the client sees nothing of it', async () => {
  stopTimers();
  expect(Object.keys(await ask(POLL)).filter((name) => name.startsWith('causeway-'))).toEqual([]);
  await ask(`${CONSUMER}/offsets`, { method: 'POST' });
  await ask(`${CONSUMER}/positions`);
  expect(confirmed()).toEqual([
    [POLL, '0'],
    [`${CONSUMER}/offsets`, '5'],
    [`${CONSUMER}/positions`, undefined],
  ]);
});

/** Long turns of the event loop: clients have read a response, and asked again, before the process sees that it was written. */
function keepBusy(): { stop(): void } {
  let next = setImmediate(function turn() {
    const endMs = performance.now() + TURN_MS;
    while (performance.now() < endMs);
    next = setImmediate(turn);
  });
  return { stop: () => clearImmediate(next) };
}

test.each([
  ['HTTP/1.1', { isSecure: false, allowH2: false }],
  ['HTTP/1.1 over TLS', { isSecure: true, allowH2: false }],
  ['HTTP/2 over TLS', { isSecure: true, allowH2: true }],
])(
  'a client that polls again at once, with %s, confirms every answer: no poll overtakes the end of the response before it',
  async (_, { isSecure, allowH2 }) => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-deliveries-'));
    const authority = await TestAuthority.create(directory);
    const { certFile, keyFile } = await authority.certify('gateway', { ip: ['127.0.0.1'] });
    const listen = isSecure ? { port: 0, tls: { certFile, keyFile } } : { port: 0 };
    const front = await startGateway({ regions: regions({ east: bridge.url }), listen });
    bridge.handle = ({ url }, response) => {
      if (url.startsWith(POLL))
        response.writeHead(200, { 'causeway-delivery': String(bridge.requests.length) }).end('[]');
      else response.writeHead(204).end();
    };
    try {
      const count = 50;
      stopTimers();
      const work = keepBusy();
      const data: PollingData = {
        url: front.url,
        path: POLL,
        allowH2,
        ca: isSecure ? authority.cert : undefined,
        count,
      };
      const thread = new Worker(new URL('../../../test/harness/polling-thread.ts', import.meta.url), {
        workerData: data,
      });
      await once(thread, 'message');
      work.stop();
      const marks = confirmed().filter(([path]) => path === POLL);
      expect(marks).toHaveLength(count);
      expect(marks.filter(([, mark]) => mark === '0')).toHaveLength(1);
    } finally {
      await front.close();
      rmSync(directory, { recursive: true });
    }
  },
);

test('a client that does not ask again soon is confirmed by a request of the gateway', async () => {
  await ask(POLL);
  await until('the gateway confirms', () => bridge.requests.length === 2);
  expect(confirmed()[1]).toEqual([CONFIRMATION, '5']);
  // Once the bridge has acknowledged it, it is not confirmed again.
  await until('a poll confirms nothing', async () => {
    await ask(POLL);
    const [path, mark] = confirmed().at(-1) ?? [];
    return path === POLL && mark === '0';
  });
});

test('a request that overtakes a confirmation confirms, too: it may reach the bridge that takes the consumer over', async () => {
  stopTimers();
  delivery = '6;now';
  const { handle } = bridge;
  bridge.handle = (asked, response) => {
    // The confirmation stays without a response, as in a gateway that is stopping.
    if (asked.url !== CONFIRMATION) handle(asked, response);
  };
  await ask(POLL);
  await until('the gateway confirms', () => bridge.requests.length === 2);
  delivery = '7';
  await ask(POLL);
  await ask(POLL);
  expect(confirmed()).toEqual([
    [POLL, '0'],
    [CONFIRMATION, '6'],
    [POLL, '6'],
    [POLL, '7'],
  ]);
});

test('a confirmation that failed does not displace that of a newer answer', async () => {
  const refusals: (() => void)[] = [];
  const { handle } = bridge;
  bridge.handle = (asked, response) => {
    if (asked.url !== CONFIRMATION) handle(asked, response);
    else refusals.push(() => response.writeHead(503).end());
  };
  for (const mark of [6, 7]) {
    delivery = `${mark};now`;
    await ask(POLL);
    await until('the gateway confirms', () => refusals.length === mark - 5);
  }
  refusals[0]?.();
  delivery = '8';
  // The gateway has seen the refusal when it sends 7 again and not 6: until then each request carries the newest mark.
  await ask(`${CONSUMER}/positions`);
  expect(confirmed().at(-1)).toEqual([`${CONSUMER}/positions`, '7']);
  refusals[1]?.();
  await until('the newer one is sent again', () => refusals.length === 3);
  expect(confirmed().filter(([path]) => path === CONFIRMATION)).toEqual(
    ['6', '7', '7'].map((mark) => [CONFIRMATION, mark]),
  );
});

test('a confirmation that a gateway on the way refused is sent again', async () => {
  const { handle } = bridge;
  let refusedCount = 0;
  bridge.handle = (asked, response) => {
    if (asked.url !== CONFIRMATION || refusedCount === 2) {
      handle(asked, response);
      return;
    }
    refusedCount += 1;
    response.writeHead(503).end();
  };
  await ask(POLL);
  await until('the bridge has it', () => bridge.requests.length === 4);
  expect(confirmed().slice(1)).toEqual(Array.from({ length: 3 }, () => [CONFIRMATION, '5']));
});

test('a bridge that could not be reached gets its confirmation later', async () => {
  await ask(POLL);
  const startedAtMs = performance.now();
  await bridge.kill();
  await until('an attempt has failed', () => performance.now() - startedAtMs > 350);
  await bridge.revive();
  await until('the gateway confirms', () => confirmed().at(-1)?.[0] === CONFIRMATION);
  expect(confirmed().at(-1)).toEqual([CONFIRMATION, '5']);
});

test.each([
  ['by the bridge, as of a stranger', { 'causeway-bridge': 'east/bridge' }, 403],
  ['by a gateway on the way', {}, 401],
  ['by a gateway that is short of something', {}, 503],
])('a request that is refused %s takes no confirmation away', async (_, headers, status) => {
  stopTimers();
  const { handle } = bridge;
  await ask(POLL);
  bridge.handle = ({ url }, response) => {
    response.writeHead(url === CONFIRMATION ? 204 : status, { ...headers, 'causeway-fault': 'request' }).end();
  };
  await ask(`${CONSUMER}/positions`);
  await until('the gateway confirms', () => confirmed().at(-1)?.[0] === CONFIRMATION);
  bridge.handle = handle;
  expect(confirmed()).toEqual([
    [POLL, '0'],
    [`${CONSUMER}/positions`, '5'],
    [CONFIRMATION, '5'],
  ]);
});

test('an answer that a bridge waits for is confirmed at once', async () => {
  stopTimers();
  delivery = '6;now';
  await ask(POLL);
  await until('the gateway confirms', () => bridge.requests.length === 2);
  expect(confirmed()[1]).toEqual([CONFIRMATION, '6']);
});

test('a gateway that ends confirms what it has handed over', async () => {
  stopTimers();
  await ask(POLL);
  vi.useRealTimers();
  await gateway.close();
  expect(confirmed()).toEqual([
    [POLL, '0'],
    [CONFIRMATION, '5'],
  ]);
});

test('an answer that the client did not wait for is not confirmed', async () => {
  stopTimers();
  const answering = Promise.withResolvers<() => void>();
  bridge.handle = (_, response) => {
    answering.resolve(() => response.writeHead(200, { 'causeway-delivery': '7' }).end('[]'));
  };
  const { hostname, port } = new URL(gateway.url);
  const client = connect(Number(port), hostname);
  client.write(`GET ${POLL} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const answer = await answering.promise;
  // A reset, which the gateway sees at once; after an orderly end it first probes whether the client still reads.
  client.resetAndDestroy();
  await Promise.all([once(client, 'close'), bridge.requests[0]?.aborted]);
  answer();
  bridge.handle = (_, response) => response.writeHead(204).end();
  await ask(POLL);
  expect(confirmed().at(-1)).toEqual([POLL, '0']);
});

test('of requests that waited for a response that is stuck nothing stays', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const bodyBytes = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const { handle } = bridge;
  // More than the sockets on the way to the client take.
  const records = Buffer.alloc(33_554_432, ' ');
  bridge.handle = (asked, response) => {
    if (asked.url === POLL) response.writeHead(200, { 'causeway-delivery': delivery }).end(records);
    else handle(asked, response);
  };
  const front = await startGateway({ regions: regions({ east: bridge.url }), request: { pollMarginMs: 600_000 } });
  const { hostname, port } = new URL(front.url);
  const client = connect(Number(port), hostname);
  client.write(`GET ${POLL} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await once(client, 'readable');
  const before = bodyBytes();
  const body = Buffer.alloc(262_144, ' ');
  const count = 100;
  const send = () =>
    request(`${front.url}${CONSUMER}/offsets`, { method: 'POST', body }).then((answer) => answer.body.dump());
  await Promise.all(Array.from({ length: count }, send));
  expect(bridge.requests).toHaveLength(count + 1);
  await until('the bodies are gone', () => bodyBytes() - before < (count * body.length) / 4);
  client.destroy();
  await front.close();
});

test('what another gateway confirms is passed on, and its answers are for it to confirm', async () => {
  stopTimers();
  const headers = { 'causeway-gateway': 'tier1', ...PROOF, 'causeway-delivered': '4' };
  expect(await ask(POLL, { headers })).toMatchObject({ 'causeway-delivery': '5' });
  await ask(CONFIRMATION, { method: 'POST', headers: { ...headers, 'causeway-delivered': '5' } });
  await ask(POLL);
  expect(confirmed()).toEqual([
    [POLL, '4'],
    [CONFIRMATION, '5'],
    [POLL, '0'],
  ]);
});
