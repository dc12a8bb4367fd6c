/** What a bridge's access log says of requests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { HOST, raw } from '../../../../test/harness/raw.ts';
import { PROOF } from '../../../../test/harness/trust.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-bridge-watch-'));
afterAll(() => rmSync(directory, { recursive: true }));
const kafka = await kafkaOfFile();

const secret = 'hunter2';

test('each request has a line with records and bytes, without keys, values and headers', async () => {
  const file = join(directory, 'access.log');
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), { accessLog: { file } });
  const topic = await kafka.topic();
  const group = unique('group');
  const body = JSON.stringify({ records: [{ value: secret }, { value: secret }] });
  await bridge.request('POST', `/topics/${topic}`, {
    headers: {
      'content-type': 'application/vnd.kafka.json.v2+json',
      'x-request-id': 'mine-1',
      'x-forwarded-for': '6.6.6.6, 192.0.2.7',
      authorization: `Bearer ${secret}`,
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    },
    body,
  });
  const consumer = await bridge.consumer(group, 'c', [topic]);
  const records = await bridge.get(`${consumer.path}/records?timeout=10000&token=${secret}`, {
    accept: 'application/vnd.kafka.json.v2+json',
  });
  await bridge.get('/topics/there-is-no-such-topic');
  await bridge.get('/ready');
  await bridge.close();

  const text = readFileSync(file, 'utf8');
  expect(text).not.toContain(secret);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ operation, status, outcome }) => ({ operation, status, outcome }))).toEqual([
    { operation: 'send', status: 200, outcome: '2xx' },
    { operation: 'createConsumer', status: 200, outcome: '2xx' },
    { operation: 'subscribe', status: 204, outcome: '2xx' },
    { operation: 'poll', status: 200, outcome: '2xx' },
    { operation: 'getTopic', status: 404, outcome: '4xx' },
  ]);
  expect(lines[0]).toEqual({
    at: expect.stringMatching(/Z$/),
    requestId: 'mine-1',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    client: '192.0.2.7',
    forwardedFor: '6.6.6.6, 192.0.2.7',
    method: 'POST',
    operation: 'send',
    path: `/topics/${topic}`,
    status: 200,
    outcome: '2xx',
    producedRecords: 2,
    failedRecords: 0,
    receivedBytes: body.length,
    sentBytes: expect.any(Number),
    durationMs: expect.any(Number),
  });
  expect(records.body).toHaveLength(2);
  expect(lines[3]).toMatchObject({ polledRecords: 2, receivedBytes: 0, sentBytes: records.text.length });
});

test('a request that is refused before its operation has a line, too', async () => {
  const file = join(directory, 'refused.log');
  const bridge = await TestBridge.start('127.0.0.1:1', { accessLog: { file }, limits: { maxHeaderBytes: 1024 } });
  const end = 'connection: close\r\n\r\n';
  await raw(bridge.bridge.port, `GET /topics HTTP/1.1\r\n${HOST}${HOST}${end}`);
  await raw(bridge.bridge.port, `GET /consumers/g HTTP/1.1\r\n${HOST}x: ${'y'.repeat(2000)}\r\n${end}`);
  const coded = `POST /topics/t HTTP/1.1\r\n${HOST}transfer-encoding: gzip, chunked\r\ncauseway-principal: Zo%C3%AB\r\n`;
  await raw(bridge.bridge.port, `${coded}${end}`);
  const proof = Object.entries({ ...PROOF, 'causeway-gateway': 'tier1' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  await raw(bridge.bridge.port, `${coded}${proof.join('')}${end}`);
  await bridge.close();
  const lines = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ operation, status }) => [operation, status])).toEqual([
    ['listTopics', 400],
    ['unknown', 431],
    ['send', 501],
    ['send', 501],
  ]);
  // A client cannot name a principal, a gateway can.
  expect(lines.map(({ principal }) => principal)).toEqual([undefined, undefined, undefined, 'Zoë']);
  expect(lines[0]).toMatchObject({ client: '127.0.0.1', path: '/topics', sentBytes: expect.any(Number) });
  expect(lines[0].sentBytes).toBeGreaterThan(0);
});

test('without tracing records get no header', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'));
  const topic = await kafka.topic();
  expect((await bridge.produce(topic, { records: [{ value: 'v' }] })).body.offsets).toMatchObject([{ offset: 0 }]);
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  const [record] = await consumer.take(1);
  await bridge.close();
  expect(record).toMatchObject({ value: 'v' });
  expect(record).not.toHaveProperty('headers');
});
