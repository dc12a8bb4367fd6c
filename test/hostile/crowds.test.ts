/**
 * Hundreds of clients that are slow, or stop in the middle, beside a good client: its requests take as long as without them, and
 * nothing of the crowd stays. The floods of single connections are in packages/gateway/test/http2-floods.test.ts.
 */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, inject, test } from 'vitest';
import { GoodClient } from '../harness/good-client.ts';
import { FLAG, FRAME, frame, headerBlock, settings } from '../harness/http2-frames.ts';
import { until } from '../harness/until.ts';
import { type Open, openTcp } from './attacker.ts';
import { H2Client, requestFrames } from './h2-client.ts';
import { HOST, JSON_TYPE } from './hostile-case.ts';
import { HostileSystem } from './system.ts';

const CROWD = 200;
const STREAMS = 50;
/** Requests of the good client that are measured beside each crowd. */
const SAMPLES = 60;
/** Between two bytes of a slow client. */
const DRIP_MS = 100;
/** The median beside a crowd, as a multiple of the median without one: the crowd costs a share of the two processors, too. */
const MOST_RATIO = 8;
const MAX_GROWTH_BYTES = 16 * 2 ** 20;

const system = await HostileSystem.start(inject('kafkaBootstrap'));
const good = new GoodClient(`http://127.0.0.1:${system.ports.tier1}`, `/topics/${system.goodTopic}`);
afterAll(async () => {
  await good.close();
  await system.close();
});

interface Member {
  /** Sends a little more. */
  drip?: (() => void) | undefined;
  close(): void;
}

interface Crowd {
  name: string;
  count: number;
  join: () => Member;
}

/** Opens a connection, sends the beginning, and then a byte at a time. */
function slow(open: Open, beginning: string | Buffer, drop = ''): Member {
  const socket = open();
  socket.on('error', () => {});
  socket.resume();
  socket.write(beginning, 'latin1');
  return { drip: drop === '' ? undefined : () => writeTo(socket, drop), close: () => socket.destroy() };
}

function writeTo(socket: Duplex, text: string): void {
  if (!socket.destroyed && !socket.writableEnded) socket.write(text, 'latin1');
}

/** A connection of HTTP/2 with many streams, whose bodies arrive a byte at a time, or whose responses are not read. */
function streams(kind: 'slow bodies' | 'unread responses'): Member {
  const { topic } = system;
  const client = new H2Client(system.open('tier1', 'h2')());
  const ids = Array.from({ length: STREAMS }, (_, index) => 1 + index * 2);
  if (kind === 'unread responses') {
    // Every stream has a window of 0 bytes.
    client.write(settings({ 4: 0 }));
    for (const id of ids) client.write(requestFrames(id, fields('GET', '/openapi')));
  } else {
    const head = headerBlock([
      ...fields('POST', `/topics/${topic}`),
      ['content-type', 'application/vnd.kafka.json.v2+json'],
    ]);
    for (const id of ids) client.write(frame(FRAME.headers, FLAG.endHeaders, id, head));
  }
  return {
    drip: kind === 'slow bodies' ? () => client.write(...ids.map((id) => frame(FRAME.data, 0, id, ' '))) : undefined,
    close: () => client.close(),
  };
}

function fields(method: string, path: string): [string, string][] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'h'],
    [':path', path],
  ];
}

const plain = openTcp(system.ports.tier1);
const CROWDS: readonly Crowd[] = [
  { name: 'slow heads', count: CROWD, join: () => slow(plain, `GET /topics HTTP/1.1\r\n${HOST}x: `, 'a') },
  {
    name: 'slow bodies',
    count: CROWD,
    join: () => slow(plain, `POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: 9999\r\n\r\n`, ' '),
  },
  {
    name: 'slow chunks',
    count: CROWD,
    join: () =>
      slow(plain, `POST /topics/t HTTP/1.1\r\n${HOST}${JSON_TYPE}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'),
  },
  {
    name: 'TLS handshakes that stop',
    count: CROWD,
    join: () => slow(openTcp(system.tlsPort), '\x16\x03\x01\x02\x00\x01\x00'),
  },
  { name: 'connections that send nothing', count: CROWD, join: () => slow(plain, '') },
  { name: 'streams with slow bodies', count: 4, join: () => streams('slow bodies') },
  { name: 'streams whose responses are not read', count: 4, join: () => streams('unread responses') },
];

/** The median of the good client's requests, in milliseconds. */
async function medianMs(): Promise<number> {
  await good.restart();
  await until('the good client has enough responses', async () => (await good.report()).durationsMs.length >= SAMPLES);
  const { durationsMs, failures } = await good.report();
  expect(failures).toEqual([]);
  return durationsMs.sort((one, other) => one - other)[Math.floor(durationsMs.length / 2)] as number;
}

let first: number | undefined;

test.each(CROWDS)('$count clients, $name: the good client does not notice', async ({ count, join }) => {
  const alone = await medianMs();
  const members = Array.from({ length: count }, join);
  let isOver = false;
  const dripping = (async () => {
    while (!isOver) {
      for (const member of members) member.drip?.();
      await delay(DRIP_MS);
    }
  })();
  try {
    const beside = await medianMs();
    expect(beside / alone).toBeLessThan(MOST_RATIO);
  } finally {
    isOver = true;
    await dripping;
    for (const member of members) member.close();
  }
  expect(system.damage()).toEqual([]);
  const { heapBytes } = await system.programs.tier1.vitals();
  first ??= heapBytes;
});

test('nothing of the crowds stays', async () => {
  await good.close();
  await system.untilIdle();
  const { heapBytes } = await system.programs.tier1.vitals();
  expect(heapBytes - (first ?? 0)).toBeLessThan(MAX_GROWTH_BYTES);
});
