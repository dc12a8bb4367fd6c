/** Floods of HTTP/2 frames: the connection ends, and a good client beside it is served. */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { regions, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import {
  FLAG,
  FRAME,
  FrameClient,
  frame,
  get,
  PREFACE,
  requestBlock,
  settings,
  uint32,
} from '../../../test/harness/http2-frames.ts';
import { until } from '../../../test/harness/until.ts';
import type { Upstream } from '../../../test/harness/upstream.ts';
import { gateway, never, upstream } from './fixture.ts';

const MAX_STREAMS = 16;

async function start(request: object = {}): Promise<{ gw: TestGateway; east: Upstream }> {
  const east = await upstream();
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2: { isEnabled: true, maxConcurrentStreams: MAX_STREAMS } },
    request,
  });
  return { gw, east };
}

async function open(gw: TestGateway, values?: Record<number, number>): Promise<FrameClient> {
  const client = await FrameClient.open(gw.url, values);
  onTestFinished(() => {
    client.socket.destroy();
  });
  return client;
}

async function isServed(gw: TestGateway): Promise<boolean> {
  const client = connectHttp2(gw.url);
  try {
    return (await fetchHttp2(client, { ':path': '/topics' })).status === 200;
  } finally {
    client.destroy();
  }
}

/** Client streams have odd numbers. */
const streamId = (index: number): number => index * 2 + 1;
const openBlock = requestBlock('POST', '/topics/t');
/** More than any limit lets pass: 8 MiB of the smallest frames. */
const MOST_FRAMES = 600_000;

interface Flood {
  name: string;
  /** Before the flood. */
  first?: Buffer;
  /** The frames of a piece. */
  piece: (index: number) => Buffer;
}

const floods: Flood[] = [
  {
    name: 'streams that are reset at once (CVE-2023-44487)',
    piece: (index) => Buffer.concat([get(streamId(index)), frame(FRAME.rstStream, 0, streamId(index), uint32(8))]),
  },
  {
    name: 'CONTINUATION frames without an end (CVE-2024-27983)',
    first: frame(FRAME.headers, FLAG.endStream, 1, requestBlock('GET', '/topics')),
    piece: (index) => frame(FRAME.continuation, 0, 1, requestBlock('GET', '/', [[`x-${index}`, 'v']]).subarray(30)),
  },
  { name: 'SETTINGS', piece: () => settings({ 4: 65_535 }) },
  { name: 'PING', piece: () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)) },
  { name: 'acknowledged PING', piece: () => frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)) },
  { name: 'PRIORITY', piece: () => frame(FRAME.priority, 0, 1, Buffer.alloc(5, 1)) },
  { name: 'frames of an unknown type', piece: () => frame(0xfa, 0, 0, Buffer.alloc(8)) },
  {
    name: 'WINDOW_UPDATE that add nothing to speak of',
    first: settings({ 4: 1 }),
    piece: () => frame(FRAME.windowUpdate, 0, 0, uint32(1)),
  },
  {
    name: 'empty DATA',
    first: frame(FRAME.headers, FLAG.endHeaders, 1, openBlock),
    piece: () => frame(FRAME.data, 0, 1),
  },
  {
    name: 'streams beyond the limit',
    piece: (index) => frame(FRAME.headers, FLAG.endHeaders, streamId(index), openBlock),
  },
  { name: 'frames that are malformed', piece: () => frame(FRAME.windowUpdate, 0, 0, uint32(0)) },
];

describe('floods', () => {
  test.each(floods)('of $name end the connection', async ({ first, piece }) => {
    const { gw, east } = await start();
    const client = await open(gw);
    await until('the server is ready', () => client.frames.length > 0);
    if (first !== undefined) client.write(first);
    const pieces: Buffer[] = [];
    for (let index = 0; index < MOST_FRAMES && !client.isClosed; index += 1) {
      pieces.push(piece(index));
      if (pieces.length < 200) continue;
      if (!client.write(...pieces.splice(0))) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('the connection has ended', () => client.isClosed);
    expect(await isServed(gw)).toBe(true);
    expect(east.requests.length).toBeLessThan(1_500);
  });
});

describe('a client that says nothing', () => {
  test.each([
    ['not even a byte', ''],
    ['half a preface', PREFACE.slice(0, 10)],
    ['a preface without settings', PREFACE],
  ])('loses its connection in time: %s', async (_, text) => {
    const { gw } = await start({ headersTimeoutMs: 300 });
    const { hostname, port } = new URL(gw.url);
    const client = FrameClient.of(connect(Number(port), hostname));
    client.socket.write(text);
    await until('it is closed', () => client.isClosed || client.socket.readableEnded);
    expect(await isServed(gw)).toBe(true);
  });
});

test('a client whose windows are closed holds its responses only, and others are served', async () => {
  const { gw, east } = await start();
  const body = Buffer.alloc(100_000, 0x61);
  east.handle = (_, response) => response.writeHead(200, { 'content-length': body.length }).end(body);
  const client = await open(gw, { 4: 0 });
  for (let index = 0; index < MAX_STREAMS; index += 1) client.write(get(streamId(index)));
  await until('all have the heads of their responses', () =>
    Array.from({ length: MAX_STREAMS }, (_, index) => client.of(streamId(index), FRAME.headers).length).every(
      (count) => count === 1,
    ),
  );
  expect(client.frames.some(({ type }) => type === FRAME.data)).toBe(false);
  expect(await isServed(gw)).toBe(true);
  client.write(...Array.from({ length: MAX_STREAMS }, (_, index) => get(streamId(index + MAX_STREAMS))));
  await until('further streams are refused', () => client.resetCode(streamId(MAX_STREAMS)) !== undefined);
  expect(client.resetCode(streamId(MAX_STREAMS))).toBe(7);
});

test('streams that a client resets free their attempts', async () => {
  // Longer than the test: no time limit frees them.
  const { gw, east } = await start({ pollMarginMs: 3_600_000 });
  east.handle = never;
  const client = await open(gw);
  client.write(get(1, '/consumers/g/instances/i/records'));
  await until('the poll waits at its target', () => east.requests.length === 1);
  client.write(frame(FRAME.rstStream, 0, 1, uint32(8)));
  await east.requests[0]?.aborted;
  east.handle = (_, response) => response.writeHead(200, { 'content-length': 2 }).end('{}');
  client.write(get(3));
  await until('the connection serves others', () => client.isAnswered(3));
});
