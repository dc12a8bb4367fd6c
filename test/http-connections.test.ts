/** Connections as bytes, to a bridge and to a gateway in front of it: pipelining, early responses, junk, silence. */
import { connect } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { bridgeOfFile } from './harness/bridge.ts';
import { regions, startGateway } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';
import { answersOf, HOST, raw, rawBlocking, rawHalfClosed } from './harness/raw.ts';
import { until } from './harness/until.ts';
import { startUpstream } from './harness/upstream.ts';

const bridge = await bridgeOfFile({ limits: { headersTimeoutMs: 2_000, requestTimeoutMs: 2_000 } });
const gateway = await startGateway({
  regions: regions({ east: bridge.url }),
  request: { headersTimeoutMs: 2_000, bodyTimeoutMs: 1_000, bufferBytes: 100_000, maxBodyBytes: 10_000_000 },
});
afterAll(() => gateway.close());

const PORTS = { bridge: bridge.bridge.port, gateway: Number(new URL(gateway.url).port) };
const CLOSE = 'connection: close\r\n';
const JSON_TYPE = 'content-type: application/vnd.kafka.json.v2+json\r\n';

/** The pieces of a body, and its framing header. */
function large(byteCount: number, isChunked: boolean): { header: string; pieces: (string | Buffer)[] } {
  const piece = Buffer.alloc(100_000, 'x');
  const count = byteCount / piece.length;
  if (!isChunked) return { header: `content-length: ${byteCount}\r\n`, pieces: Array(count).fill(piece) };
  const chunks = Array.from({ length: count }, () => [`${piece.length.toString(16)}\r\n`, piece, '\r\n']).flat();
  return { header: 'transfer-encoding: chunked\r\n', pieces: [...chunks, '0\r\n\r\n'] };
}

describe.each(['bridge', 'gateway'] as const)('%s', (program) => {
  const port = PORTS[program];

  test('pipelined requests get their responses in order', async () => {
    const asks = Array.from({ length: 1_500 }, (_, index) => (index * 7919) % 5);
    const statuses = [200, 404, 405, 400, 404];
    const requests = [
      'GET /healthy',
      'GET /nothing',
      'PUT /topics/t',
      'GET /?%zz',
      'GET /consumers/g/instances/unknown/positions',
    ];
    const text = asks.map((ask) => `${requests[ask]} HTTP/1.1\r\n${HOST}\r\n`).join('');
    const answers = answersOf(await raw(port, `${text}GET /healthy HTTP/1.1\r\n${HOST}${CLOSE}\r\n`));
    expect(answers.map(({ status }) => status)).toEqual([...asks.map((ask) => statuses[ask]), 200]);
  });

  test('a pipelined body belongs to its request', async () => {
    const post = (name: string): string => {
      const body = JSON.stringify({ name, format: 'json' });
      return `POST /consumers/pipelined-${program} HTTP/1.1\r\n${HOST}content-type: application/vnd.kafka.v2+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    };
    const text = Array.from({ length: 20 }, (_, index) => post(`c${index}`)).join('');
    const answers = answersOf(await raw(port, `${text}GET /healthy HTTP/1.1\r\n${HOST}${CLOSE}\r\n`));
    const names = answers.slice(0, -1).map(({ body }) => JSON.parse(body).instance_id);
    expect(names).toEqual(Array.from({ length: 20 }, (_, index) => `c${index}`));
  });

  test.each<[string, string]>([
    ['junk', 'HELLO\r\n\r\n'],
    ['binary bytes', '\0\x01\xff\r\n\r\n'],
    ['an unknown method', `FOO / HTTP/1.1\r\n${HOST}\r\n`],
    ['a tunnel', `CONNECT h:1 HTTP/1.1\r\n${HOST}\r\n`],
    ['another version', 'GET / HTTP/3.0\r\n\r\n'],
  ])('%s after requests is refused after their responses', async (_, junk) => {
    const valid = `GET /topics HTTP/1.1\r\n${HOST}\r\nGET /nothing HTTP/1.1\r\n${HOST}\r\n`;
    const [first, second, refused, ...others] = answersOf(await raw(port, valid + junk));
    expect([first?.status, second?.status]).toEqual([200, 404]);
    expect(refused?.status).toBeGreaterThanOrEqual(400);
    expect(JSON.parse(refused?.body ?? '')).toMatchObject({ error_code: refused?.status });
    expect(others).toEqual([]);
  });

  describe.each([false, true])('a client that sends all of its body before it reads (chunked: %s)', (isChunked) => {
    test.each<[string, string, number]>([
      ['nowhere', 'POST /nope', 404],
      ['with a wrong method', 'PUT /topics/t', 405],
      ['to a bad URL', 'POST /topics/t?%zz', 400],
      ['beyond the limit', 'POST /topics/t', 413],
      ['to an unknown consumer', 'POST /consumers/g/instances/unknown/offsets', 413],
    ])('%s reads the response', async (_, ask, status) => {
      const { header, pieces } = large(20_000_000, isChunked);
      const head = `${ask} HTTP/1.1\r\n${HOST}${JSON_TYPE}${header}\r\n`;
      const [answer, ...others] = answersOf(await rawBlocking(port, [head, ...pieces]));
      expect(others).toEqual([]);
      // A gateway refuses a body that is too long before it looks at the path.
      expect(program === 'gateway' && status === 404 ? [404, 413] : [status]).toContain(answer?.status);
      expect(answer?.headers['connection']?.toLowerCase()).toBe('close');
      expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error_code: answer?.status });
    });
  });

  test('a client that sends Expect: 100-continue is refused before its body', async () => {
    const head = `POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}expect: 100-continue\r\ncontent-length: 20000000\r\n\r\n`;
    const [answer] = answersOf(await rawHalfClosed(port, head));
    expect(answer).toMatchObject({ status: 413, headers: { connection: expect.stringMatching(/close/i) } });
  });

  // Each waits for a timeout, so they run concurrently.
  test.concurrent.each([
    ['all of its body', 'content-length: 1000\r\n\r\n'],
    ['the rest of its body', 'content-length: 1000\r\n\r\n{"rec'],
    ['all of its chunks', 'transfer-encoding: chunked\r\n\r\n'],
    ['the rest of a chunk', 'transfer-encoding: chunked\r\n\r\n5\r\nab'],
    ['the last chunk', 'transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n'],
    ['the rest of a body that is streamed', `content-length: 200000\r\n\r\n${'x'.repeat(1000)}`],
    ['the rest of its headers', 'x: y\r\nz'],
  ])('a client that withholds %s is refused with 408', async (_, rest) => {
    const [answer] = answersOf(await raw(port, `POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}${rest}`));
    expect(answer).toMatchObject({ status: 408 });
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error_code: 408 });
  });

  test('a poll whose client is gone consumes no records', async () => {
    const topic = unique('gone');
    await bridge.post('/admin/topics', { topic_name: topic, partitions_count: 1, replication_factor: 1 });
    const consumer = await bridge.consumer(topic, 'c', [topic]);
    await bridge.produce(topic, { records: [{ value: 'first' }] });
    expect(await consumer.take(1)).toMatchObject([{ value: 'first' }]);
    const metric = async (): Promise<number> =>
      Number(/^causeway_bridge_in_flight_requests (\d+)/m.exec((await bridge.get('/metrics')).text)?.[1]);
    const before = await metric();
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${consumer.path}/records?timeout=60000 HTTP/1.1\r\n${HOST}\r\n`);
    await until('the poll waits', async () => (await metric()) > before);
    socket.destroy();
    await bridge.produce(topic, { records: [{ value: 'second' }] });
    expect(await consumer.take(1)).toMatchObject([{ value: 'second' }]);
  });
});

test('a gateway sends one request of a connection at a time, and serves other connections meanwhile', async () => {
  let most = 0;
  let current = 0;
  const upstream = await startUpstream((request, response) => {
    if (request.url === '/topics/other') {
      response.end('other');
      return;
    }
    current += 1;
    most = Math.max(most, current);
    setImmediate(() => {
      current -= 1;
      response.end(request.url);
    });
  });
  const own = await startGateway({ regions: regions({ east: upstream.url }) });
  const port = Number(new URL(own.url).port);
  try {
    const targets = Array.from({ length: 4_000 }, (_, index) => `/topics/t${index}`);
    const text = targets.map((target) => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`).join('');
    let isDone = false;
    const pipelined = raw(port, `${text}GET /healthy HTTP/1.1\r\n${HOST}${CLOSE}\r\n`).finally(() => {
      isDone = true;
    });
    await until('the first requests have arrived', () => upstream.requests.length > 10);
    for (let index = 0; index < 20; index += 1) {
      const other = await raw(port, `GET /topics/other HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
      expect(other).toContain('other');
    }
    expect(isDone).toBe(false);
    await pipelined;
    expect(most).toBe(1);
    expect(upstream.requests.map(({ url }) => url).filter((url) => url !== '/topics/other')).toEqual(targets);
  } finally {
    await own.close();
    await upstream.kill();
  }
});
