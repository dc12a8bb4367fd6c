/** Bodies and responses over HTTP/2: flow control both ways, clients that stop, and resets. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { valueIn } from '../../../test/harness/exposition.ts';
import { type ConfigOverrides, regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import {
  ERROR,
  FLAG,
  FRAME,
  FrameClient,
  frame,
  get,
  requestBlock,
  uint32,
} from '../../../test/harness/http2-frames.ts';
import { until } from '../../../test/harness/until.ts';
import type { Upstream } from '../../../test/harness/upstream.ts';
import type { GatewayOptions } from '../src/gateway.ts';
import { never, upstream } from './fixture.ts';

const MIB = 1_048_576;
const POLL = '/consumers/g/instances/i/records';

async function start(overrides: ConfigOverrides = {}, options: Partial<GatewayOptions> = {}) {
  const east = await upstream();
  const gw = await startGateway(
    {
      regions: regions({ east: east.url }),
      listen: { port: 0, http2: { isEnabled: true } },
      request: { bufferBytes: MIB },
      response: { bufferBytes: MIB },
      ...overrides,
    },
    options,
  );
  onTestFinished(gw.close);
  return { east, gw };
}

function client(gw: TestGateway): ClientHttp2Session {
  const session = connect(gw.url);
  session.on('error', () => {});
  onTestFinished(() => {
    session.destroy();
  });
  return session;
}

async function frameClient(gw: TestGateway, values?: Record<number, number>): Promise<FrameClient> {
  const opened = await FrameClient.open(gw.url, values);
  onTestFinished(() => {
    opened.socket.destroy();
  });
  return opened;
}

async function metric(gw: TestGateway, name: string, labels: Record<string, string> = {}): Promise<number> {
  return valueIn(await (await request(`${gw.adminUrl}/metrics`)).body.text(), name, labels);
}

function answerBody(east: Upstream, body: Buffer): void {
  east.handle = ({ url }, response) => {
    const bytes = url === '/large' ? body : Buffer.from('{}');
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  };
}

describe('a body', () => {
  test.each([
    ['that is kept', MIB - 10],
    ['that is streamed', 3 * MIB],
  ])('%s arrives as it was sent, whether or not its length is declared', async (_, length) => {
    const { east, gw } = await start();
    const body = Buffer.alloc(length, 'abcdefghij');
    const session = client(gw);
    const post = { ':method': 'POST', ':path': '/topics/t' };
    await fetchHttp2(session, { ...post, 'content-length': length }, body);
    await fetchHttp2(session, post, body);
    expect(east.requests.map((received) => received.body === body.toString())).toEqual([true, true]);
  });

  test('that stalls gets 408 in time, and other streams of its connection are served', async () => {
    const { east, gw } = await start({ request: { bodyTimeoutMs: 300 } });
    const opened = await frameClient(gw);
    const block = requestBlock('POST', '/topics/t', [['content-length', '10']]);
    opened.write(frame(FRAME.headers, FLAG.endHeaders, 1, block), frame(FRAME.data, 0, 1, '{}'));
    opened.write(
      frame(FRAME.headers, FLAG.endHeaders, 3, requestBlock('POST', '/topics/t')),
      frame(FRAME.data, 0, 3, '{}'),
    );
    await until('both are answered', () => opened.isAnswered(1) && opened.isAnswered(3));
    expect(opened.of(1, FRAME.data)[0]?.payload.toString()).toContain('"error_code":408');
    await until('they are reset', () => opened.resetCode(1) !== undefined && opened.resetCode(3) !== undefined);
    expect([opened.resetCode(1), opened.resetCode(3)]).toEqual([ERROR.noError, ERROR.noError]);
    opened.write(get(5));
    await until('the connection is used on', () => opened.isAnswered(5));
    expect(east.requests.map(({ url }) => url)).toEqual(['/topics']);
  });

  test('whose client resets the stream frees its attempt', async () => {
    const { east, gw } = await start();
    const session = client(gw);
    const stream = session.request({ ':method': 'POST', ':path': '/topics/t', 'content-length': 8 * MIB });
    stream.on('error', () => {});
    stream.write(Buffer.alloc(2 * MIB));
    await until('it is on its way', async () => (await inFlightOf(gw)) === 1);
    stream.close(8);
    await until('the attempt has ended', async () => (await inFlightOf(gw)) === 0);
    expect(east.requests).toEqual([]);
    expect((await fetchHttp2(session, { ':path': '/topics' })).status).toBe(200);
  });
});

async function inFlightOf(gw: TestGateway): Promise<number> {
  const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
    regions: { targets: { inFlight: number }[] }[];
  };
  return topology.regions.flatMap(({ targets }) => targets).reduce((sum, { inFlight }) => sum + inFlight, 0);
}

describe('a response', () => {
  test.each([
    ['that is held', MIB - 10],
    ['that is streamed', 3 * MIB],
  ])('%s arrives whole', async (_, length) => {
    const { east, gw } = await start();
    answerBody(east, Buffer.alloc(length, 'abcdefghij'));
    const session = client(gw);
    const texts = await Promise.all([1, 2, 3].map(() => fetchHttp2(session, { ':path': '/large' })));
    expect(texts.map(({ text }) => text === Buffer.alloc(length, 'abcdefghij').toString())).toEqual([true, true, true]);
  });

  test('that is streamed stops at its target while the client reads nothing', async () => {
    const { east, gw } = await start();
    let sentBytes = 0;
    east.handle = (_, response) => {
      response.writeHead(200, { 'content-length': 64 * MIB });
      const chunk = Buffer.alloc(65_536);
      const send = (): void => {
        while (sentBytes < 64 * MIB) {
          sentBytes += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', send);
        }
        response.end();
      };
      send();
    };
    const session = client(gw);
    const stream = session.request({ ':path': '/large' });
    await new Promise<void>((resolve) => stream.once('response', () => resolve()));
    // More than the buffers of both connections; other streams are served meanwhile.
    let before = -1;
    await until('the target sends no more', async () => {
      await fetchHttp2(session, { ':path': '/healthy' });
      const isStill = before === sentBytes;
      before = sentBytes;
      return isStill && sentBytes > 0;
    });
    expect(sentBytes).toBeLessThan(32 * MIB);
    let receivedBytes = 0;
    for await (const chunk of stream) receivedBytes += (chunk as Buffer).length;
    expect(receivedBytes).toBe(64 * MIB);
  });

  test.each(['with a length', 'without'])('%s that breaks at its target is reset, and has no end', async (kind) => {
    const { east, gw } = await start();
    let breakOff = (): void => {};
    east.handle = (_, response) => {
      response.writeHead(200, kind === 'without' ? {} : { 'content-length': 3 * MIB }).write(Buffer.alloc(2 * MIB));
      breakOff = () => response.destroy();
    };
    const opened = await frameClient(gw, { 4: 8 * MIB });
    opened.write(frame(FRAME.windowUpdate, 0, 0, uint32(8 * MIB)), get(1, '/large'));
    const received = () => opened.of(1, FRAME.data).reduce((sum, { payload }) => sum + payload.length, 0);
    // Nothing waits that could delay the end.
    await until('the client has what there is', () => received() === 2 * MIB);
    breakOff();
    await until('it is reset', () => opened.resetCode(1) !== undefined);
    expect([opened.resetCode(1), opened.isAnswered(1)]).toEqual([ERROR.internalError, false]);
    expect(opened.isClosed).toBe(false);
  });

  test('that the client does not read is reset in time, and its bytes are given back', async () => {
    const { east, gw } = await start({ limits: { answerTimeoutMs: 1_500 } });
    answerBody(east, Buffer.alloc(MIB - 1_000));
    const opened = await frameClient(gw, { 4: 0 });
    opened.write(get(1, '/large'));
    await until('it is held', async () => (await metric(gw, 'causeway_held_bytes')) > 0);
    await until('it is reset', () => opened.resetCode(1) !== undefined);
    expect(await metric(gw, 'causeway_overload_total', { outcome: 'unread' })).toBe(1);
    await until('its bytes are given back', async () => (await metric(gw, 'causeway_held_bytes')) === 0);
    expect(opened.isClosed).toBe(false);
  });

  test.each([
    ['that is held and that the client reads slowly arrives whole', { limits: { answerTimeoutMs: 1_500 } }],
    [
      'that is streamed and that the client reads slowly arrives whole',
      { limits: { answerTimeoutMs: 1_500 }, response: { bufferBytes: 290_000 } },
    ],
    [
      'that the client reads slowly may take longer than a target may be silent',
      { request: { attemptTimeoutMs: 1_000 }, response: { bufferBytes: 290_000 } },
    ],
  ])('%s', async (_, overrides) => {
    const { east, gw } = await start(overrides);
    // Without a length, so that a streamed one has been held up to its limit.
    east.handle = (_received, response) => response.writeHead(200).end(Buffer.alloc(300_000));
    const opened = await frameClient(gw, { 4: 0 });
    opened.write(get(1, '/large'));
    await until('its head is there', () => opened.of(1, FRAME.headers).length === 1);
    const received = () => opened.of(1, FRAME.data).reduce((sum, { payload }) => sum + payload.length, 0);
    // A piece each 100 ms: longer than the time limit in all.
    for (let step = 1; step <= 30; step += 1) {
      opened.write(frame(FRAME.windowUpdate, 0, 1, uint32(10_000)), frame(FRAME.windowUpdate, 0, 0, uint32(10_000)));
      await until('the piece is there', () => received() === step * 10_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await until('it is complete', () => opened.isAnswered(1));
    expect(opened.resetCode(1)).toBeUndefined();
  });

  test('that is hardly read makes room for others: its stream is reset', async () => {
    let clockMs = 1_000;
    const { east, gw } = await start({ limits: { maxInFlightBytes: 2 * MIB } }, { now: () => clockMs });
    answerBody(east, Buffer.alloc(MIB - 1_000));
    const opened = await frameClient(gw, { 4: 0 });
    opened.write(get(1, '/large'));
    await until('it is held', async () => (await metric(gw, 'causeway_held_bytes')) > MIB / 2);
    clockMs += 2_000;
    const { statusCode } = await request(`${gw.url}/topics/t`, { method: 'POST', body: 'x'.repeat(MIB) });
    expect(statusCode).toBe(200);
    await until('it is reset', () => opened.resetCode(1) !== undefined);
    expect(opened.isClosed).toBe(false);
    expect(await metric(gw, 'causeway_overload_total', { outcome: 'evicted' })).toBe(1);
  });
});

test('an upload stops at the client while its target reads nothing', async () => {
  const silent = createServer((received, response) => {
    if (received.url === '/ready') response.end();
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(async () => {
    silent.closeAllConnections();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const { gw } = await start({ regions: regions({ east: `http://127.0.0.1:${port}` }) });
  const session = client(gw);
  const stream = session.request({ ':method': 'POST', ':path': '/topics/t', 'content-length': 64 * MIB });
  stream.on('error', () => {});
  let sentBytes = 0;
  const send = (): void => {
    sentBytes += 65_536;
    if (sentBytes < 64 * MIB) stream.write(Buffer.alloc(65_536), send);
  };
  send();
  let before = -1;
  await until('the client sends no more', async () => {
    await fetchHttp2(session, { ':path': '/healthy' });
    const isStill = before === sentBytes;
    before = sentBytes;
    return isStill && sentBytes > MIB;
  });
  expect(sentBytes).toBeLessThan(32 * MIB);
});

test('a client that reads nothing of its connection loses it, with what it holds', async () => {
  const { east, gw } = await start({ limits: { answerTimeoutMs: 1_500 } });
  answerBody(east, Buffer.alloc(MIB - 1_000));
  const opened = await frameClient(gw, { 4: 2 ** 31 - 1 });
  opened.write(frame(FRAME.windowUpdate, 0, 0, uint32(2 ** 30)));
  await until('its settings are acknowledged', () => opened.frames.length > 1);
  opened.socket.pause();
  for (let index = 0; index < 16; index += 1) opened.write(get(index * 2 + 1, '/large'));
  await until('responses are held', async () => (await metric(gw, 'causeway_held_bytes')) > 0);
  await until('they are given back', async () => (await metric(gw, 'causeway_held_bytes')) === 0);
  await until('it is gone', async () => (await metric(gw, 'causeway_client_connections')) === 0);
});

test('a status that HTTP/2 cannot carry resets its stream alone', async () => {
  const { east, gw } = await start();
  east.handle = ({ url }, response) => response.writeHead(url === '/topics' ? 200 : 799).end();
  const session = client(gw);
  await expect(fetchHttp2(session, { ':path': '/odd' })).rejects.toThrow('INTERNAL_ERROR');
  expect((await fetchHttp2(session, { ':path': '/topics' })).status).toBe(200);
});

describe('records of a poll', () => {
  /** Longer than the test: no time limit ends an attempt. */
  const PATIENT = { request: { pollMarginMs: 3_600_000 } };
  const CONFIRMATION = '/consumers/g/instances/i/causeway-delivered';

  test('are confirmed once the client has them', async () => {
    const { east, gw } = await start();
    east.handle = ({ url }, response) => {
      if (url === POLL) response.writeHead(200, { 'causeway-delivery': '5;now' }).end('[]');
      else response.writeHead(204).end();
    };
    const session = client(gw);
    expect((await fetchHttp2(session, { ':path': POLL })).text).toBe('[]');
    await until('they are confirmed', () => east.requests.some(({ url }) => url === CONFIRMATION));
  });

  test.each([
    ['resets the stream', (stream: ClientHttp2Stream) => stream.close(8)],
    ['is gone', (stream: ClientHttp2Stream) => stream.session?.socket.destroy()],
  ])('are not while they wait for a client that %s, and its attempt ends', async (_, leave) => {
    const { east, gw } = await start(PATIENT);
    east.handle = never;
    const session = client(gw);
    const stream = session.request({ ':path': POLL });
    stream.on('error', () => {});
    await until('it waits', () => east.requests.length === 1);
    leave(stream);
    await east.requests[0]?.aborted;
    expect(east.requests.length).toBe(1);
  });

  test('are not while the client has not read them', async () => {
    const { east, gw } = await start({ limits: { answerTimeoutMs: 1_000 } });
    east.handle = ({ url }, response) => {
      if (url === POLL) response.writeHead(200, { 'causeway-delivery': '5;now' }).end('[]');
      else response.writeHead(204).end();
    };
    const opened = await frameClient(gw, { 4: 0 });
    opened.write(get(1, POLL));
    await until('the client may not read it', () => opened.resetCode(1) !== undefined);
    expect(east.requests.map(({ url }) => url)).toEqual([POLL]);
  });

  test('go to a client that has ended its side no more: over HTTP/2 it has left', async () => {
    const { east, gw } = await start(PATIENT);
    east.handle = never;
    const opened = await frameClient(gw);
    opened.write(get(1, POLL));
    await until('it waits', () => east.requests.length === 1);
    opened.socket.end();
    await east.requests[0]?.aborted;
  });
});
