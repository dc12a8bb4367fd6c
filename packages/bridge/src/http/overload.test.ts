import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, inject, test } from 'vitest';
import { kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { HOST, raw } from '../../../../test/harness/raw.ts';
import { until } from '../../../../test/harness/until.ts';

const OVERLOADED = '{"error_code":503,"message":"Bridge is overloaded, please retry later"}';
const JSON_TYPE = 'content-type: application/vnd.kafka.json.v2+json\r\n';
const MEBIBYTE = 1_048_576;

const kafka = await kafkaOfFile();
let bridge: TestBridge;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await bridge.close();
});

async function start(overrides: Record<string, object>, bootstrap = inject('kafkaBootstrap')): Promise<void> {
  bridge = await TestBridge.start(bootstrap, overrides);
}

function open(request: string): Socket {
  const socket = connect(bridge.bridge.port, '127.0.0.1').on('error', () => {});
  sockets.push(socket);
  socket.write(request);
  return socket;
}

async function metric(name: string): Promise<number> {
  const { text } = await bridge.get('/metrics');
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );
}

test('requests beyond the limit are refused, health is not, and later ones are served', async () => {
  await start({ limits: { maxInFlightRequests: 5 } });
  const consumers = await Promise.all(
    Array.from({ length: 5 }, async (_, index) => bridge.consumer(unique('group'), `c${index}`, [await kafka.topic()])),
  );
  const polls = consumers.map(({ path }) => open(`GET ${path}/records?timeout=20000 HTTP/1.1\r\n${HOST}\r\n`));
  await until('they wait', async () => (await metric('causeway_bridge_in_flight_requests')) === 6);
  const answers = await Promise.all(Array.from({ length: 20 }, () => bridge.get('/topics')));
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 503, text: OVERLOADED });
    expect(answer.headers.get('retry-after')).toBe('1');
  }
  expect((await bridge.get('/healthy')).status).toBe(200);
  await until('it is ready', async () => (await bridge.get('/ready')).status === 200);
  polls[0]?.destroy();
  await until('there is room again', async () => (await bridge.get('/topics')).status === 200);
});

test('bodies that are too large together are refused, by their length or while they arrive', async () => {
  await start({ limits: { maxBodyBytes: 2 * MEBIBYTE, maxInFlightBytes: 3 * MEBIBYTE } });
  const head = (length: string) => `POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}${length}\r\n\r\n`;
  const half = open(head(`content-length: ${2 * MEBIBYTE}`));
  half.write('a'.repeat(2 * MEBIBYTE - 10));
  await until('it is held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 2 * MEBIBYTE - 10);
  // A client that continues does not make room.
  half.write('a');
  const refused = await raw(bridge.bridge.port, `${head('content-length: 1500000\r\nconnection: close')}`);
  expect(refused).toMatch(/^HTTP\/1\.1 503 /);
  expect(refused).toMatch(/retry-after: 1/);
  expect(refused).toContain(OVERLOADED);
  const chunk = `100000\r\n${'a'.repeat(MEBIBYTE)}\r\n`;
  const onItsWay = open(head('transfer-encoding: chunked'));
  half.write('a');
  onItsWay.write(`${chunk}${chunk}`);
  const [answer] = await once(onItsWay, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 503 /);
  // Small bodies find room, and clients that are gone make room.
  expect((await bridge.post('/consumers/g', {})).status).toBe(200);
  half.destroy();
  onItsWay.destroy();
  await until('no bytes are held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 0);
});

test.each([
  ['with a length', `content-length: ${2 * MEBIBYTE}`, ''],
  ['in chunks', 'transfer-encoding: chunked', '1fffff\r\n'],
])('bodies %s that stall make room for others, and their clients get a reason', async (_, length, chunk) => {
  await start({ limits: { maxBodyBytes: 2 * MEBIBYTE, maxInFlightBytes: 3 * MEBIBYTE } });
  const stopped = open(`POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}${length}\r\n\r\n${chunk}`);
  stopped.write('a'.repeat(2 * MEBIBYTE - 10));
  await until('it is held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 2 * MEBIBYTE - 10);
  const answer = once(stopped, 'data');
  const topic = await kafka.topic();
  const body = { records: Array.from({ length: 15 }, () => ({ value: 'x'.repeat(100_000) })) };
  await until('another one is served', async () => {
    const { status, headers } = await bridge.produce(topic, body);
    if (status === 503) expect(headers.get('retry-after')).toBe('1');
    return status === 200;
  });
  const text = String((await answer)[0]);
  expect(text).toMatch(/^HTTP\/1\.1 503 /);
  expect(text).toMatch(/retry-after: 1\r\n/);
  expect(text).toContain('The request body arrived too slowly while the bridge was short of memory');
  await until('no bytes are held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 0);
});

/** Requests whose responses exceed the buffers of both systems together; the client reads none of them. */
function neverRead(request: string, count = 400): Socket {
  return open(request.repeat(count)).pause();
}

test.each([
  ['GET', `GET /openapi HTTP/1.1\r\n${HOST}\r\n`],
  ['HEAD and GET', `HEAD /openapi HTTP/1.1\r\n${HOST}\r\nGET /openapi HTTP/1.1\r\n${HOST}\r\n`],
])('a client that reads no response to %s is counted, and loses its connection in time', async (_, request) => {
  await start({ limits: { answerTimeoutMs: 2_000 } });
  neverRead(request);
  await until('it is counted', async () => (await metric('causeway_bridge_in_flight_bytes')) > 0);
  await until('its connection is cut', async () => (await metric('causeway_bridge_in_flight_requests')) === 1);
  expect(await metric('causeway_bridge_in_flight_bytes')).toBe(0);
});

test('a response to a produce request that is not read makes room for others', async () => {
  await start({ limits: { maxBodyBytes: 2 * MEBIBYTE, maxInFlightBytes: 2 * MEBIBYTE, answerTimeoutMs: 600_000 } });
  const topic = await kafka.topic();
  const body = JSON.stringify({ records: Array.from({ length: 40_000 }, () => ({ value: 'x' })) });
  const head = `POST /topics/${topic} HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: ${body.length}\r\n\r\n`;
  neverRead(head + body, 8);
  const answerBytes = 1_000_000;
  await until('a response waits', async () => (await metric('causeway_bridge_in_flight_bytes')) > answerBytes);
  const large = { records: Array.from({ length: 15 }, () => ({ value: 'x'.repeat(100_000) })) };
  await until('another one is served', async () => (await bridge.produce(topic, large)).status === 200);
  await until('no bytes are held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 0);
});

test('a burst of clients with large bodies does not make memory grow beyond the limit', async () => {
  const limitBytes = 16 * MEBIBYTE;
  // Without Kafka, each body is held until its topic is not found in time.
  await start(
    { limits: { maxBodyBytes: 8 * MEBIBYTE, maxInFlightBytes: limitBytes }, producer: { maxBlockMs: 1000 } },
    '127.0.0.1:1',
  );
  const body = JSON.stringify({ records: [{ value: 'x'.repeat(7 * MEBIBYTE) }] });
  const request = `POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  const peak = { heldBytes: 0 };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      peak.heldBytes = Math.max(peak.heldBytes, await metric('causeway_bridge_in_flight_bytes'));
      await delay(20);
    }
  })();
  try {
    const answers = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const socket = open(request);
        // All arrive at once, without their last byte: 420 MiB without a limit.
        socket.write(body.slice(0, -1));
        const first = await Promise.race([once(socket, 'data'), once(socket, 'drain').then(() => undefined)]);
        if (first !== undefined) return String(first[0]);
        socket.write(body.slice(-1));
        return String((await once(socket, 'data'))[0]);
      }),
    );
    const statuses = answers.map((answer) => answer.slice(9, 12));
    expect(new Set(statuses)).toEqual(new Set(['200', '503']));
    expect(statuses.filter((status) => status === '503').length).toBeGreaterThan(20);
  } finally {
    isOver = true;
    await watching;
  }
  expect(peak.heldBytes).toBeGreaterThan(0);
  expect(peak.heldBytes).toBeLessThanOrEqual(limitBytes);
});

test('a client that never reads its records loses its connection in time, and the next poll returns them', async () => {
  await start({
    limits: { answerTimeoutMs: 3000 },
    consumers: { fetchMaxBytes: 16_000_000, partitionFetchMaxBytes: 16_000_000 },
  });
  const topic = await kafka.topic();
  const large = JSON.stringify('x'.repeat(900_000));
  for (let index = 0; index < 12; index += 1) await kafka.write(topic, [{ value: large }]);
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  await consumer.poll('timeout=20000&max_bytes=1000000');
  const socket = open(`GET ${consumer.path}/records?timeout=20000 HTTP/1.1\r\n${HOST}\r\n`);
  await once(socket, 'readable');
  expect(await metric('causeway_bridge_in_flight_bytes')).toBeGreaterThan(5_000_000);
  const again = await consumer.poll('timeout=20000&max_bytes=1000000');
  expect(again.body).toMatchObject([{ offset: 1 }]);
  await until('no bytes are held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 0);
});

test('clients that go away leave no request, bytes or timer behind', async () => {
  // A fetch that brokers hold outlives its client, and serves the next poll.
  await start({ consumers: { fetchMaxWaitMs: 1000 } });
  const topic = await kafka.topic();
  const consumers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => bridge.consumer(unique('group'), `c${index}`, [topic])),
  );
  await Promise.all(consumers.map((consumer) => consumer.poll('timeout=500')));
  const timersNow = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const timersBefore = timersNow();
  const listenersBefore = process.listenerCount('warning');
  for (let round = 0; round < 3; round += 1) {
    const gone = [
      ...consumers.map(({ path }) => open(`GET ${path}/records?timeout=60000 HTTP/1.1\r\n${HOST}\r\n`)),
      ...consumers.map(() => open(`POST /topics/${topic} HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: 99\r\n\r\n{`)),
      ...consumers.map(() => open('GET / HTT')),
      // Several on one connection, which serves one at a time.
      open(consumers.map(({ path }) => `GET ${path}/records?timeout=60000 HTTP/1.1\r\n${HOST}\r\n`).join('')),
    ];
    await until('they wait', async () => (await metric('causeway_bridge_in_flight_requests')) === 22);
    for (const socket of gone) socket.destroy();
    await until('nothing is in flight', async () => (await metric('causeway_bridge_in_flight_requests')) === 1);
  }
  expect(await metric('causeway_bridge_in_flight_bytes')).toBe(0);
  expect(await metric('causeway_bridge_sessions{state="subscribed"}')).toBe(10);
  await until('no timer is left', () => timersNow() <= timersBefore);
  expect(process.listenerCount('warning')).toBe(listenersBefore);
  await kafka.write(topic, [{ value: '1' }]);
  // Every consumer is free and has lost no record.
  for (const consumer of consumers) expect(await consumer.take(1)).toMatchObject([{ value: 1, offset: 0 }]);
});
