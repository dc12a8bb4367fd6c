/** Clients with keys, against a server whose responses the test decides. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { HttpClient } from '../traffic/client.ts';
import { KeyedHistory } from './history.ts';
import { faultsOfHistory } from './history-check.ts';
import { KeyedSender } from './keyed-sender.ts';

/** A status, or the end of the connection. */
type Reply = number | 'hang up';

interface Seen {
  key: string | undefined;
  body: string;
}

const ANSWER = { offsets: [{ partition: 0, offset: 5 }] };

/** Replies in turn; the last one repeats. The answer is that of record 7 at offset 5. */
async function serve(replies: Reply[]): Promise<{ client: () => HttpClient; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const key = request.headers['idempotency-key'];
      seen.push({ key: typeof key === 'string' ? key : undefined, body });
      const reply = (replies.length > 1 ? replies.shift() : replies[0]) ?? 'hang up';
      if (reply === 'hang up') return void request.socket.destroy();
      const headers = seen.length > 1 && reply === 200 ? { 'idempotency-replayed': 'true' } : {};
      response.writeHead(reply, headers).end(JSON.stringify(reply === 200 ? ANSWER : { error_code: reply }));
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = (): HttpClient => {
    const made = new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => made.close());
    return made;
  };
  return { client, seen };
}

const REQUEST = {
  method: 'POST' as const,
  path: '/topics/t',
  body: { records: [{ key: 'order-7', value: { n: 7, run: 'r' } }] },
};
const STORED = new Map([[7, [{ partition: 0, offset: 5 }]]]);

function newHistory(): KeyedHistory {
  return new KeyedHistory(() => performance.now());
}

test('a client that does not repeat sends a request once, with a key of its own', async () => {
  const { client, seen } = await serve(['hang up', 200]);
  const history = newHistory();
  const sender = new KeyedSender({ client: client(), history, name: 'c' });
  expect(await sender.send(REQUEST, [7])).toMatchObject({ kind: 'failed' });
  expect(await sender.send(REQUEST, [8])).toMatchObject({ kind: 'answered', status: 200 });
  expect(seen.map(({ key }) => key)).toEqual(['c-1', 'c-2']);
  expect(history.requests.map(({ key, records, answer }) => [key, records, answer?.status])).toEqual([
    ['c-1', [7], undefined],
    ['c-2', [8], 200],
  ]);
});

test('a client that repeats does so until it has an answer, with the same key and body', async () => {
  const { client, seen } = await serve(['hang up', 503, 409, 200]);
  const history = newHistory();
  const sender = new KeyedSender({ client: client(), history, name: 'c', isRepeating: true });
  expect(await sender.send(REQUEST, [7])).toMatchObject({ kind: 'answered', status: 200, isReplayed: true });
  expect(new Set(seen.map(({ key, body }) => `${key} ${body}`)).size).toBe(1);
  expect(history.requests.map(({ answer }) => answer?.status)).toEqual([undefined, 503, 409, 200]);
  expect(faultsOfHistory(history.requests, STORED)).toEqual([]);
});

test('now and then it asks for an answer again, and uses a key for other records, which must be refused', async () => {
  const { client, seen } = await serve([200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 422]);
  const history = newHistory();
  const sender = new KeyedSender({ client: client(), history, name: 'c', isRepeating: true });
  for (let record = 1; record <= 8; record += 1) await sender.send(REQUEST, [record]);
  expect(seen.map(({ key }) => key)).toEqual([1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 8].map((count) => `c-${count}`));
  expect(history.requests.at(-1)).toMatchObject({ records: [-8], answer: { status: 422 } });
  expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual({ records: [{ key: 'order-7', value: { n: -8, run: 'r' } }] });
});

test('twins send each request twice, and both need an answer', async () => {
  const { client, seen } = await serve([200, 409, 200]);
  const history = newHistory();
  const sender = new KeyedSender({ client: client(), twin: client(), history, name: 'c' });
  expect(await sender.send(REQUEST, [7])).toMatchObject({ kind: 'answered', status: 200 });
  expect(seen).toHaveLength(3);
  expect(new Set(history.requests.map((request) => request.client))).toEqual(new Set(['c', 'c (twin)']));
  expect(faultsOfHistory(history.requests, STORED)).toEqual([]);
});

test('a client that gives up repeats nothing any more', async () => {
  const { client } = await serve([503]);
  const sender = new KeyedSender({ client: client(), history: newHistory(), name: 'c', isRepeating: true });
  const sending = sender.send(REQUEST, [7]);
  sender.giveUp();
  expect(await sending).toMatchObject({ status: 503 });
});
