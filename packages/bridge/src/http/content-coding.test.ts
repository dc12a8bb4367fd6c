/** Content codings: request bodies are decoded within limits, responses are encoded for clients that accept it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import {
  brotliCompressSync,
  brotliDecompressSync,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { request } from 'undici';
import { beforeAll, describe, expect, test } from 'vitest';
import { bridgeOfFile, bridgeOfTest, kafkaOfFile, type TestBridge } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { HOST, raw } from '../../../../test/harness/raw.ts';
import { until } from '../../../../test/harness/until.ts';

const MAX_BODY_BYTES = 1_000_000;
const CODINGS = 'zstd, gzip, br, deflate';
const V2 = 'application/vnd.kafka.v2+json';
const JSON_V2 = 'application/vnd.kafka.json.v2+json';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile({ limits: { maxBodyBytes: MAX_BODY_BYTES } });

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
}

/** The response as its bytes: `fetch` would decode it. */
async function ask(target: TestBridge, path: string, init: Parameters<typeof request>[1] = {}): Promise<Answer> {
  const { statusCode, headers, body } = await request(`${target.url}${path}`, init);
  const bytes = Buffer.from(await body.arrayBuffer());
  return { status: statusCode, headers, bytes, text: bytes.toString() };
}

function post(path: string, body: Buffer, coding: string, type = JSON_V2): Promise<Answer> {
  const headers = { 'content-type': type, 'content-encoding': coding };
  return ask(bridge, path, { method: 'POST', headers, body });
}

const twice = (body: Buffer): Buffer => brotliCompressSync(gzipSync(body));

describe('a request body', () => {
  test.each<[string, (body: Buffer) => Buffer]>([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['gzip, br', twice],
    [' gzip ,, identity, br,', twice],
    ['br, zstd, gzip', (body) => gzipSync(zstdCompressSync(brotliCompressSync(body)))],
    ['gzip', (body) => Buffer.concat([gzipSync(body.subarray(0, 9)), gzipSync(body.subarray(9))])],
    ['identity', (body) => body],
    ['', (body) => body],
  ])('with the content coding %j is decoded', async (coding, encode) => {
    const topic = await kafka.topic();
    const value = 'é'.repeat(100_000);
    const answer = await post(
      `/topics/${topic}`,
      encode(Buffer.from(JSON.stringify({ records: [{ value }] }))),
      coding,
    );
    expect({ status: answer.status, text: answer.text }).toEqual({
      status: 200,
      text: '{"offsets":[{"partition":0,"offset":0}]}',
    });
    expect((await kafka.read(topic, 1))[0]?.value?.toString()).toBe(JSON.stringify(value));
  });

  test('of every operation that has one is decoded', async () => {
    const [topic, group] = [await kafka.topic(), unique('group')];
    const place = { topic, partition: 0 };
    const consumer = `/consumers/${group}/instances/c`;
    const other = `/consumers/${group}/instances/d`;
    for (const [path, body, status, type] of [
      ['/admin/topics', { topic_name: unique('made') }, 201, JSON_V2],
      [`/topics/${topic}`, { records: [{ value: 'x' }] }, 200, JSON_V2],
      [`/topics/${topic}/partitions/0`, { records: [{ value: 'x' }] }, 200, JSON_V2],
      [`/consumers/${group}`, { name: 'c', format: 'json' }, 200, V2],
      [`/consumers/${group}`, { name: 'd', format: 'json' }, 200, V2],
      [`${other}/subscription`, { topics: [topic] }, 204, V2],
      [`${consumer}/assignments`, { partitions: [place] }, 204, V2],
      [`${consumer}/positions`, { offsets: [{ ...place, offset: 1 }] }, 204, V2],
      [`${consumer}/positions/beginning`, { partitions: [place] }, 204, V2],
      [`${consumer}/positions/end`, { partitions: [place] }, 204, V2],
      [`${consumer}/offsets`, { offsets: [{ ...place, offset: 1 }] }, 204, V2],
    ] as const) {
      const answer = await post(path, gzipSync(JSON.stringify(body)), 'gzip', type);
      expect({ path, status: answer.status, text: answer.text }).toMatchObject({ path, status });
    }
  });

  test.each(['compress', 'sdch', 'gzip, foo', 'gzip;q=1', '*', 'gzip, gzip, gzip, gzip', 'x'.repeat(1000)])(
    'with the content coding %j is refused: 415',
    async (coding) => {
      const answer = await post('/topics/t', gzipSync('{"records":[]}'), coding);
      expect(answer).toMatchObject({ status: 415, headers: { 'accept-encoding': CODINGS, 'content-type': V2 } });
      expect(JSON.parse(answer.text)).toEqual({
        error_code: 415,
        message: expect.stringContaining(`not supported: use one of ${CODINGS}, or none`),
      });
    },
  );

  const whole = Buffer.from('{"records":[]}');
  const damaged = (bytes: Buffer): Buffer[] => [
    bytes.subarray(0, -3),
    Buffer.concat([bytes, Buffer.from('junk')]),
    Buffer.from(bytes.map((byte, index) => (index === bytes.length >> 1 ? byte ^ 0xff : byte))),
    whole,
  ];
  test.each([
    ['gzip', damaged(gzipSync(whole))],
    ['deflate', damaged(deflateSync(whole))],
    ['br', damaged(brotliCompressSync(whole)).slice(0, 2)],
    ['zstd', damaged(zstdCompressSync(whole)).slice(0, 2)],
    ['gzip', [deflateSync(whole), brotliCompressSync(whole), zstdCompressSync(whole)]],
  ])('that is not valid %s is refused: 400', async (coding, bodies) => {
    for (const body of bodies) {
      const answer = await post('/topics/t', body, coding);
      expect({ status: answer.status, json: JSON.parse(answer.text) }).toEqual({
        status: 400,
        json: {
          error_code: 400,
          message: `Validation error on: The request body can't be decoded: it is not valid ${coding}, which its Content-Encoding names`,
        },
      });
    }
  });
});

describe('a body that grows too large', () => {
  const zeros = Buffer.alloc(64 * MAX_BODY_BYTES, ' ');
  const bombs = [
    ['gzip', gzipSync(zeros)],
    ['deflate', deflateSync(zeros)],
    ['br', brotliCompressSync(zeros)],
    ['zstd', zstdCompressSync(zeros)],
    ['gzip, gzip', gzipSync(gzipSync(zeros))],
    ['gzip, gzip, gzip', gzipSync(gzipSync(gzipSync(zeros)))],
    ['zstd, br', brotliCompressSync(zstdCompressSync(zeros))],
  ] as const;

  test.each(bombs)('is refused while it grows: %s', async (coding, body) => {
    expect(body.length).toBeLessThan(MAX_BODY_BYTES);
    const answer = await post('/topics/t', body, coding);
    expect(JSON.parse(answer.text)).toEqual({
      error_code: 413,
      message: expect.stringMatching(/^The request body is larger than the limit of 1000000 bytes when it is decoded/),
    });
  });

  test('one byte beyond the limit is too large, at the limit it is not', async () => {
    const topic = await kafka.topic();
    const body = (bytes: number): Buffer => {
      const head = '{"records":[{"value":"';
      return gzipSync(`${head}${'x'.repeat(bytes - head.length - 4)}"}]}`);
    };
    expect((await post(`/topics/${topic}`, body(MAX_BODY_BYTES), 'gzip')).status).toBe(200);
    expect((await post(`/topics/${topic}`, body(MAX_BODY_BYTES + 1), 'gzip')).status).toBe(413);
  });

  test('in many requests at a time is refused by the bytes that all of them hold, and all memory is released', async () => {
    const small = await bridgeOfTest({
      bridge: { name: 'small-bridge' },
      limits: { maxBodyBytes: MAX_BODY_BYTES, maxInFlightBytes: MAX_BODY_BYTES + 100_000 },
    });
    const body = gzipSync(Buffer.alloc(MAX_BODY_BYTES - 1, ' '));
    const headers = { 'content-type': JSON_V2, 'content-encoding': 'gzip' };
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => ask(small, '/topics/t', { method: 'POST', headers, body })),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses.difference(new Set([400, 503]))).toEqual(new Set());
    expect(statuses).toContain(503);
    await until('nothing is held', async () =>
      /^causeway_bridge_in_flight_bytes 0$/m.test((await small.get('/metrics')).text),
    );
    // Health and the next request are served.
    expect((await ask(small, '/topics/t', { method: 'POST', headers, body })).status).toBe(400);
  });
});

describe('clients that go away while their bodies are decoded', () => {
  const CLIENT_COUNT = 12;
  const content = Buffer.alloc(8 * MAX_BODY_BYTES, ' ');
  // Beyond the limit are the headers of blocks that `level: 0` stores.
  const maxBodyBytes = 9 * MAX_BODY_BYTES;
  let target: TestBridge;

  beforeAll(async () => {
    const limits = { maxBodyBytes, maxInFlightBytes: 2 * CLIENT_COUNT * maxBodyBytes };
    target = await bridgeOfFile({ bridge: { name: 'left' }, limits });
  });

  function send(coding: string, body: Buffer): Socket {
    const socket = connect(target.bridge.port, '127.0.0.1').on('error', () => {});
    const fields = `content-type: ${JSON_V2}\r\ncontent-encoding: ${coding}\r\ncontent-length: ${body.length}`;
    socket.write(`POST /topics/t HTTP/1.1\r\n${HOST}${fields}\r\n\r\n`);
    socket.write(body);
    return socket;
  }

  async function durationMs(work: () => Promise<unknown>): Promise<number> {
    const startedAtMs = performance.now();
    await work();
    return performance.now() - startedAtMs;
  }

  async function answered(socket: Socket): Promise<void> {
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  }

  async function metric(name: string): Promise<number> {
    const { text } = await target.get('/metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  }

  test.each<[string, Buffer]>([
    ['gzip', gzipSync(content)],
    ['deflate', deflateSync(content)],
    ['br', brotliCompressSync(content)],
    ['zstd', zstdCompressSync(content)],
    ['gzip, br', brotliCompressSync(gzipSync(content, { level: 0 }))],
  ])('release their bytes and decoders: %s', async (coding, body) => {
    const sendAll = (): Socket[] => Array.from({ length: CLIENT_COUNT }, () => send(coding, body));
    const allMs = await durationMs(() => Promise.all(sendAll().map(answered)));
    await until('nothing is held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 0);
    // There are fewer decoders than bodies: some are decoded, others wait.
    const sockets = sendAll();
    await until('bodies are held', async () => (await metric('causeway_bridge_in_flight_bytes')) > 0);
    for (const socket of sockets) socket.resetAndDestroy();
    const nextMs = await durationMs(() => answered(send('gzip', gzipSync('no JSON'))));
    expect(nextMs).toBeLessThan(allMs);
    await until('nothing is in flight', async () => (await metric('causeway_bridge_in_flight_requests')) === 1);
    await until('nothing is held', async () => (await metric('causeway_bridge_in_flight_bytes')) === 0, {
      timeoutMs: 10_000,
    });
  });
});

describe('a response', () => {
  const decoders = {
    gzip: gunzipSync,
    deflate: inflateSync,
    br: brotliDecompressSync,
    zstd: zstdDecompressSync,
  };

  function plain({ headers, bytes }: Answer): string {
    const coding = headers['content-encoding'];
    expect(headers['content-length']).toBe(String(bytes.length));
    return (coding === undefined ? bytes : decoders[coding as keyof typeof decoders](bytes)).toString();
  }

  test('with records is encoded as the client accepts it, and names the coding', async () => {
    const topic = await kafka.topic();
    const value = 'é'.repeat(2000);
    await bridge.produce(topic, { records: [{ value }] });
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    await bridge.post(`${consumer.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
    for (const [header, coding] of [
      [undefined, undefined],
      ['identity', undefined],
      ['compress', undefined],
      ['gzip', 'gzip'],
      ['deflate', 'deflate'],
      ['br', 'br'],
      ['zstd', 'zstd'],
      ['gzip;q=0.5, br;q=0.7', 'br'],
      ['*', 'gzip'],
    ] as const) {
      await bridge.post(`${consumer.path}/positions/beginning`, { partitions: [] });
      const headers = header === undefined ? {} : { 'accept-encoding': header };
      const answer = await ask(bridge, `${consumer.path}/records?timeout=10000`, { headers });
      expect({ header, coding: answer.headers['content-encoding'] }).toEqual({ header, coding });
      expect(answer).toMatchObject({ status: 200, headers: { vary: 'accept-encoding', 'content-type': JSON_V2 } });
      expect(JSON.parse(plain(answer))).toMatchObject([{ topic, value }]);
    }
  });

  test('that is short is encoded only for a client that accepts nothing else', async () => {
    for (const [header, coding] of [
      ['gzip', undefined],
      ['identity;q=0', undefined],
      ['identity;q=0, gzip', 'gzip'],
      ['*;q=0, br', 'br'],
    ] as const) {
      const topic = await kafka.topic();
      const answer = await ask(bridge, `/topics/${topic}/partitions`, { headers: { 'accept-encoding': header } });
      expect({ header, coding: answer.headers['content-encoding'] }).toEqual({ header, coding });
      expect(answer.headers['vary']).toBe(coding === undefined ? undefined : 'accept-encoding');
      expect(JSON.parse(plain(answer))).toHaveLength(1);
    }
  });

  test.each(['/openapi', '/openapi/v3', '/metrics'])('of %s is encoded', async (path) => {
    const answer = await ask(bridge, path, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-encoding': 'gzip' } });
    expect(answer.bytes.length).toBeLessThan(plain(answer).length / 2);
  });

  test('is not encoded where compression is off, and keeps the headers for origins', async () => {
    const off = await bridgeOfTest({ bridge: { name: 'off' }, compression: { isEnabled: false } });
    const cors = await bridgeOfTest({
      bridge: { name: 'cors' },
      cors: { isEnabled: true, allowedOrigins: ['https://a.example'] },
    });
    const headers = { 'accept-encoding': 'gzip, identity;q=0', origin: 'https://a.example' };
    expect((await ask(off, '/openapi', { headers })).headers).toMatchObject({ 'content-type': 'application/json' });
    expect((await ask(off, '/openapi', { headers })).headers).not.toHaveProperty('content-encoding');
    expect((await ask(off, '/openapi', { headers })).headers).not.toHaveProperty('vary');
    expect((await ask(cors, '/openapi', { headers })).headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'origin, accept-encoding',
    });
  });
});

test.each(['gzip, chunked', 'GZIP,chunked', 'deflate, chunked', 'identity, chunked'])(
  'the transfer coding %j is refused: 501',
  async (coding) => {
    for (const line of ['POST /topics/t', 'POST /consumers/g', 'GET /topics', 'DELETE /consumers/g/instances/c']) {
      const request = `${line} HTTP/1.1\r\n${HOST}content-type: ${JSON_V2}\r\ntransfer-encoding: ${coding}\r\nconnection: close\r\n\r\n0\r\n\r\n`;
      expect({ line, answer: await raw(bridge.bridge.port, request) }).toEqual({
        line,
        answer: expect.stringMatching(/^HTTP\/1\.1 501 [\s\S]*"error_code":501,"message":"The only transfer coding/),
      });
    }
  },
);

test('a large body is decoded and a long response encoded without delaying other requests', async () => {
  const pause = promisify(setImmediate);
  let turns = 0;
  let isOver = false;
  const body = gzipSync(Buffer.alloc(MAX_BODY_BYTES, ' '));
  const answered = post('/topics/t', body, 'gzip').finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await pause();
    turns += 1;
  }
  expect((await answered).status).toBe(400);
  expect(turns).toBeGreaterThan(10);
});
