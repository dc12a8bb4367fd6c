import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import { HttpClient } from './client.ts';
import { Consumer, type Reading } from './consumer.ts';
import { Ledger } from './ledger.ts';
import { Producer, produceFailure } from './producer.ts';

/** A response: a status with a JSON body, or the end of the connection. */
type Reply = { status: number; body?: unknown } | 'hang up';

let server: Server;
let client: HttpClient;
let seen: string[];
/** Responses in turn by `METHOD path`; the last one repeats. */
let script: Record<string, Reply[]>;

beforeEach(async () => {
  seen = [];
  script = {};
  server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const key = `${request.method} ${request.url?.replace(/\?.*/, '')}`;
      seen.push(key);
      const replies = script[key] ?? [{ status: 500 }];
      const reply = (replies.length > 1 ? replies.shift() : replies[0]) ?? 'hang up';
      if (reply === 'hang up') return void request.socket.destroy();
      response.writeHead(reply.status).end(reply.body === undefined ? '' : JSON.stringify(reply.body));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await client.close();
  server.close();
});

const CREATE = 'POST /consumers/g';
const SUBSCRIBE = 'POST /consumers/g/instances/c/subscription';
const POLL = 'GET /consumers/g/instances/c/records';
const DELETE = 'DELETE /consumers/g/instances/c';

function newLedger(recordCount: number): Ledger {
  const ledger = new Ledger(() => performance.now());
  for (let record = 1; record <= recordCount; record += 1) ledger.nextRecord();
  return ledger;
}

function newConsumer(ledger: Ledger, reading?: Reading): Consumer {
  return new Consumer({ client, books: ledger, topic: 't', group: 'g', name: 'c', runId: 'r', reading });
}

/** The response to a poll with these records of the run, and one of another client. */
function records(...numbers: number[]): Reply {
  const values = [...numbers.map((n) => ({ n, run: 'r' })), { n: 1, run: 'another' }, 'text', null];
  return { status: 200, body: values.map((value) => ({ topic: 't', value })) };
}

test('a consumer creates itself, subscribes, counts the records of its run, and deletes itself', async () => {
  script = {
    [CREATE]: [{ status: 200, body: { instance_id: 'c' } }],
    [SUBSCRIBE]: [{ status: 204 }],
    [POLL]: [records(1, 2), records(3)],
    [DELETE]: [{ status: 204 }],
  };
  const ledger = newLedger(3);
  const consumer = newConsumer(ledger);
  consumer.start();
  await consumer.joined;
  await until('all are delivered', () => ledger.counts().delivered === 3);
  await consumer.stop();
  expect(seen.slice(0, 4)).toEqual([CREATE, SUBSCRIBE, POLL, POLL]);
  expect(seen.at(-1)).toBe(DELETE);
  expect(ledger.summarize()).toMatchObject({ clientErrors: 0, deliveredTo: { c: expect.any(Number) } });
});

test('an unknown consumer is an error of the client, which does not create it again', async () => {
  const unknown = { status: 404, body: { error_code: 404, message: 'not found' } };
  script = {
    [CREATE]: [{ status: 200 }],
    [SUBSCRIBE]: [{ status: 204 }],
    [POLL]: [records(1), unknown, records(2)],
    [DELETE]: [unknown],
  };
  const ledger = newLedger(2);
  const consumer = newConsumer(ledger);
  consumer.start();
  await until('all are delivered', () => ledger.counts().delivered === 2);
  await consumer.stop();
  expect(seen.filter((request) => request === CREATE)).toHaveLength(1);
  expect(ledger.summarize().errors).toEqual([
    { operation: 'poll', kind: 'HTTP 404', message: 'not found', count: 1 },
    { operation: 'deleteConsumer', kind: 'HTTP 404', message: 'not found', count: 1 },
  ]);
});

test('a consumer that creates itself again does so when it is unknown', async () => {
  const unknown = { status: 404, body: { error_code: 404, message: 'not found' } };
  script = {
    [CREATE]: [{ status: 200 }, { status: 409 }, { status: 200 }],
    [SUBSCRIBE]: [{ status: 204 }],
    [POLL]: [records(1), unknown, records(2)],
    [DELETE]: [{ status: 204 }],
  };
  const ledger = newLedger(2);
  const options = { client, books: ledger, topic: 't', group: 'g', name: 'c', runId: 'r', createsAgain: true };
  const consumer = new Consumer(options);
  consumer.start();
  await until('all are delivered', () => ledger.counts().delivered === 2);
  await consumer.stop();
  expect(seen.slice(0, 8)).toEqual([CREATE, SUBSCRIBE, POLL, POLL, CREATE, CREATE, SUBSCRIBE, POLL]);
});

test('a consumer that sends commits does so after each poll with records', async () => {
  const commit = 'POST /consumers/g/instances/c/offsets';
  script = {
    [CREATE]: [{ status: 200 }],
    [SUBSCRIBE]: [{ status: 204 }],
    [POLL]: [records(1), records(), records(2)],
    [commit]: [{ status: 204 }],
    [DELETE]: [{ status: 204 }],
  };
  const ledger = newLedger(2);
  const consumer = newConsumer(ledger, { kind: 'manualCommit' });
  consumer.start();
  await until('it has committed twice', () => seen.filter((request) => request === commit).length >= 2);
  await consumer.stop();
  expect(seen.slice(0, 7)).toEqual([CREATE, SUBSCRIBE, POLL, commit, POLL, POLL, commit]);
  expect(ledger.counts().clientErrors).toBe(0);
});

test('a consumer with assigned partitions assigns and seeks before it polls', async () => {
  const path = '/consumers/g/instances/c';
  script = {
    [CREATE]: [{ status: 200 }],
    [`POST ${path}/assignments`]: [{ status: 204 }],
    [`POST ${path}/positions/beginning`]: [{ status: 204 }],
    [POLL]: [records(1)],
    [DELETE]: [{ status: 204 }],
  };
  const ledger = newLedger(1);
  const consumer = newConsumer(ledger, { kind: 'assigned', partitions: [0, 1] });
  consumer.start();
  await consumer.joined;
  await consumer.stop();
  expect(seen.slice(0, 4)).toEqual([CREATE, `POST ${path}/assignments`, `POST ${path}/positions/beginning`, POLL]);
  expect(ledger.counts().clientErrors).toBe(0);
});

test('a client with two addresses uses the other one after a refused connection', async () => {
  script = { 'GET /': [{ status: 200 }] };
  const { port } = server.address() as AddressInfo;
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const gonePort = (gone.address() as AddressInfo).port;
  gone.close();
  await once(gone, 'close');
  const careful = new HttpClient([`http://127.0.0.1:${gonePort}`, `http://127.0.0.1:${port}`]);
  try {
    expect(await careful.send({ method: 'GET', path: '/' })).toMatchObject({ kind: 'answered', status: 200 });
    expect(await careful.send({ method: 'GET', path: '/' })).toMatchObject({ kind: 'answered', status: 200 });
  } finally {
    await careful.close();
  }
});

test('a failed poll is an error of the client, and the consumer polls again', async () => {
  script = {
    [CREATE]: [{ status: 503, body: { error_code: 503, message: 'no region' } }, { status: 200 }],
    [SUBSCRIBE]: [{ status: 204 }],
    [POLL]: ['hang up', { status: 502 }, records(1)],
    [DELETE]: [{ status: 204 }],
  };
  const ledger = newLedger(1);
  const consumer = newConsumer(ledger);
  consumer.start();
  await until('it is delivered', () => ledger.counts().delivered === 1);
  await consumer.stop();
  expect(ledger.summarize()).toMatchObject({
    consumerErrors: 3,
    produceErrors: 0,
    errors: [
      { operation: 'createConsumer', kind: 'HTTP 503', message: 'no region', count: 1 },
      { operation: 'poll', kind: 'connection lost', count: 1 },
      { operation: 'poll', kind: 'HTTP 502', count: 1 },
    ],
  });
});

test('a failed produce request is never repeated: its record stays unacknowledged and the next one follows', async () => {
  const stored = { status: 200, body: { offsets: [{ partition: 0, offset: 7 }] } };
  script = { 'POST /topics/t': [stored, { status: 503 }, 'hang up', stored] };
  const ledger = newLedger(0);
  const producer = new Producer({
    client,
    books: ledger,
    topic: 't',
    runId: 'r',
    recordsPerSecond: 100,
    maxInFlight: 1,
  });
  producer.start();
  await until('two are acknowledged', () => ledger.counts().acknowledged >= 2);
  await producer.stop();
  const { produced, acknowledged, errors } = ledger.summarize();
  expect(produced - acknowledged).toBe(2);
  expect(seen).toHaveLength(produced);
  expect(errors).toEqual([
    { operation: 'send', kind: 'HTTP 503', count: 1 },
    { operation: 'send', kind: 'connection lost', count: 1 },
  ]);
});

test.each([
  ['stored', { offsets: [{ partition: 0, offset: 7 }] }, undefined],
  [
    'refused by Kafka',
    { offsets: [{ error_code: 404, message: 'no topic' }] },
    { kind: 'record refused with 404', message: 'no topic' },
  ],
  ['no offset', { offsets: [] }, { kind: 'a response without an offset', message: undefined }],
  ['no JSON', 'hello', { kind: 'a response without an offset', message: undefined }],
])('an answer 200 to a produce request: %s', (_, body, failure) => {
  expect(produceFailure({ kind: 'answered', status: 200, body, text: '', isReplayed: false, latencyMs: 1 })).toEqual(
    failure,
  );
});
