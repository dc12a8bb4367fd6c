/** Clients that stall: memory is bounded, they lose their share of it, and others are served. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { valueIn } from '../../../test/harness/exposition.ts';
import { regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../test/harness/upstream.ts';
import type { GatewayOptions } from '../src/gateway.ts';

const MIB = 1_048_576;
const BUDGET_BYTES = 8 * MIB;
/** What bodies and responses above 64 KiB may use. */
const LARGE_BYTES = BUDGET_BYTES * 0.75;
const CLIENTS = 24;

let upstream: Upstream;
let gw: TestGateway;
const clients: RawClient[] = [];

beforeEach(async () => {
  upstream = await startUpstream();
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await gw.close();
  await upstream.kill();
});

async function start(limits: object = {}, options: Partial<GatewayOptions> = {}): Promise<void> {
  const overrides = {
    regions: regions({ east: upstream.url }),
    limits: { maxInFlightBytes: BUDGET_BYTES, ...limits },
    request: { bufferBytes: MIB },
    response: { bufferBytes: MIB },
  };
  gw = await startGateway(overrides, options);
}

const held = (metrics: string): number => valueIn(metrics, 'causeway_held_bytes') ?? Number.NaN;
const overload = (metrics: string, outcome: string): number =>
  valueIn(metrics, 'causeway_overload_total', { outcome }) ?? Number.NaN;

async function metrics(): Promise<string> {
  return await (await request(`${gw.adminUrl}/metrics`)).body.text();
}

/** Writes the bytes of a test, and reads nothing until it has to. */
class RawClient {
  readonly socket: Socket;
  text = '';
  isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.once('close', () => {
      this.isClosed = true;
    });
    socket.pause();
  }

  static async open(): Promise<RawClient> {
    const { hostname, port } = new URL(gw.url);
    const client = new RawClient(connect(Number(port), hostname));
    clients.push(client);
    await once(client.socket, 'connect');
    return client;
  }

  read(): this {
    this.socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
    });
    this.socket.resume();
    return this;
  }

  get status(): number | undefined {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(this.text)?.[1];
    return status === undefined ? undefined : Number(status);
  }
}

/** A body of 1 MiB: all but the last byte. `head`: up to where it begins. */
async function stopWithin(head: string, bytes = MIB - 1): Promise<RawClient> {
  const client = (await RawClient.open()).read();
  client.socket.write(`POST /topics/t HTTP/1.1\r\nhost: h\r\n${head}`);
  client.socket.write(Buffer.alloc(bytes, 0x61));
  return client;
}

async function produce(body = '{"records":[]}'): Promise<number> {
  const answer = await request(`${gw.url}/topics/t`, { method: 'POST', body });
  await answer.body.dump();
  return answer.statusCode;
}

describe('clients that stop within a body', () => {
  test.each([
    ['of a declared length', `content-length: ${MIB}\r\n\r\n`],
    ['in chunks', `transfer-encoding: chunked\r\n\r\n${MIB.toString(16)}\r\n`],
  ])('%s make room for others, who are all served', async (_, head) => {
    await start();
    const stopped: RawClient[] = [];
    for (let index = 0; index < CLIENTS; index += 1) {
      stopped.push(await stopWithin(head));
      // As it goes, memory stays within the budget, and a good client is served.
      expect(await produce()).toBe(200);
      expect(held(await metrics())).toBeLessThanOrEqual(BUDGET_BYTES);
    }
    // A second after the first ones stalled, they make room for large bodies.
    await until('one that gave its room up has its answer', async () => {
      const large = [1, 2, 3].map(() => produce('x'.repeat(MIB)));
      expect(await Promise.all(large)).toEqual([200, 200, 200]);
      return stopped.some(({ status }) => status === 503);
    });
    for (const client of stopped.filter(({ status }) => status !== undefined)) {
      expect(client.status).toBe(503);
      expect(client.text.toLowerCase()).toContain('retry-after: 1');
    }
    for (const { socket } of stopped) socket.destroy();
    await until('all is given back', async () => held(await metrics()) === 0);
  });

  test('a slow body is not cut while the room that the largest gives back is enough', async () => {
    // Above the default: a machine that stalls for a moment must not make a client stall.
    let clockMs = 1_000;
    await start({ maxInFlightBytes: 2 * MIB }, { now: () => clockMs });
    const declared = `content-length: ${MIB}\r\n\r\n`;
    const slow = await stopWithin(declared, MIB / 4);
    const stopped = await stopWithin(declared, MIB / 2);
    const untilHeld = (bytes: number): Promise<void> =>
      until(`${bytes} bytes have come`, async () => held(await metrics()) === bytes);
    await untilHeld((MIB * 3) / 4);
    let sentBytes = MIB / 4;
    for (let step = 0; step < 10; step += 1) {
      clockMs += 300;
      slow.socket.write('a');
      sentBytes += 1;
      await untilHeld(MIB / 2 + sentBytes);
    }
    expect(await produce('x'.repeat(MIB))).toBe(200);
    await until('the other one has its answer', () => stopped.status !== undefined);
    expect([stopped.status, slow.status, slow.isClosed]).toEqual([503, undefined, false]);
    slow.socket.write(Buffer.alloc(MIB - sentBytes));
    await until('it is answered', () => slow.status !== undefined);
    expect(slow.status).toBe(200);
  });
});

describe('clients below the minimum rate', () => {
  /** Bytes of each client's body; then so many more each step. */
  test.each([
    { name: 'a byte', heldBytes: MIB - 2_000, dripBytes: 1 },
    { name: 'a byte, of bodies just above the small ones', heldBytes: 70_000, dripBytes: 1 },
    { name: '500 bytes', heldBytes: MIB - 8_000, dripBytes: 500 },
  ])('make room, though each sends $name every 400 ms', async ({ heldBytes, dripBytes }) => {
    // Above the default: a machine that stalls for a moment must not make a client slow.
    let clockMs = 1_000;
    const clientCount = Math.floor(LARGE_BYTES / heldBytes);
    await start({}, { now: () => clockMs });
    const slow: RawClient[] = [];
    for (let index = 0; index < clientCount; index += 1) {
      slow.push(await stopWithin(`content-length: ${MIB}\r\n\r\n`, heldBytes));
    }
    let sentBytes = clientCount * heldBytes;
    const untilSent = (): Promise<void> => until('all of it has come', async () => held(await metrics()) === sentBytes);
    await untilSent();
    for (let step = 0; step < 6; step += 1) {
      clockMs += 400;
      for (const { socket } of slow) socket.write(Buffer.alloc(dripBytes, 0x61));
      sentBytes += clientCount * dripBytes;
      await untilSent();
    }
    // While there is room, no client is harmed.
    expect(overload(await metrics(), 'evicted')).toBe(0);
    clockMs += 100;
    for (let index = 0; index < 20; index += 1) expect(await produce('x'.repeat(100_000))).toBe(200);
    const evicted = overload(await metrics(), 'evicted');
    expect(evicted).toBeGreaterThan(0);
    expect(evicted).toBeLessThanOrEqual(heldBytes > 100_000 ? 1 : 2);
    await until('those have their answers', () => slow.filter(({ status }) => status === 503).length === evicted);
  });

  test('but not one above it', async () => {
    let clockMs = 1_000;
    await start({ maxInFlightBytes: 2 * MIB }, { now: () => clockMs });
    const steady = await stopWithin(`content-length: ${MIB}\r\n\r\n`, MIB / 2);
    let sentBytes = MIB / 2;
    await until('it has come', async () => held(await metrics()) === sentBytes);
    for (let step = 0; step < 10; step += 1) {
      clockMs += 400;
      steady.socket.write(Buffer.alloc(8_000, 0x61));
      sentBytes += 8_000;
      await until('more has come', async () => held(await metrics()) === sentBytes);
    }
    // The other body is streamed, without room.
    expect(await produce('x'.repeat(MIB))).toBe(200);
    expect([overload(await metrics(), 'evicted'), held(await metrics())]).toEqual([0, sentBytes]);
    steady.socket.write(Buffer.alloc(MIB - sentBytes, 0x61));
    await until('it is answered', () => steady.status !== undefined);
    expect(steady.status).toBe(200);
  });

  test('a body without a length that outgrew what is kept holds nothing once its target has it', async () => {
    await start({ maxInFlightBytes: 2 * MIB });
    const client = (await RawClient.open()).read();
    client.socket.write('POST /topics/t HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n');
    client.socket.write(`${(2 * MIB).toString(16)}\r\n`);
    client.socket.write(Buffer.alloc(MIB + 100_000, 0x61));
    await until('it is on its way', async () => {
      const text = await metrics();
      return client.socket.bytesWritten > MIB && held(text) === 0;
    });
    expect(await produce('x'.repeat(MIB))).toBe(200);
    expect(client.status).toBeUndefined();
  });
});

describe('while large bodies use up what they may', () => {
  const HALF = MIB / 2;
  /** The clock is stopped: no client becomes slow. */
  async function fill(): Promise<RawClient[]> {
    await start({ maxInFlightBytes: 4 * MIB }, { now: () => 1_000 });
    const stopped: RawClient[] = [];
    for (let index = 0; index < 3; index += 1) stopped.push(await stopWithin(`content-length: ${MIB}\r\n\r\n`));
    await until('they hold it', async () => held(await metrics()) === 3 * (MIB - 1));
    return stopped;
  }

  test.each([
    ['of a declared length', `content-length: ${MIB}\r\n\r\n`, ''],
    ['in chunks', `transfer-encoding: chunked\r\n\r\n${MIB.toString(16)}\r\n`, '\r\n0\r\n\r\n'],
  ])('another one %s is streamed, and arrives whole', async (_, head, end) => {
    await fill();
    const client = await stopWithin(head, HALF);
    await until('its target has what there is', async () => held(await metrics()) === 3 * (MIB - 1));
    client.socket.write(Buffer.alloc(HALF, 0x61));
    client.socket.write(end);
    await until('it is answered', () => client.status !== undefined);
    expect(client.status).toBe(200);
    expect(upstream.requests.map(({ body }) => body)).toEqual(['a'.repeat(MIB)]);
    expect([overload(await metrics(), 'evicted'), overload(await metrics(), 'refused')]).toEqual([0, 0]);
  });

  test('a response waits for room, and is then held: its target may still die', async () => {
    const [leaving] = await fill();
    const answers: ServerResponse[] = [];
    upstream.handle = (_, response) => {
      answers.push(response);
      response.writeHead(200, { 'content-length': MIB }).write(Buffer.alloc(HALF));
    };
    const client = (await RawClient.open()).read();
    client.socket.write('GET /large HTTP/1.1\r\nhost: h\r\n\r\n');
    await until('half of it is on its way', () => answers.length === 1);
    leaving?.socket.destroy();
    await until('there is room for the whole', async () => held(await metrics()) === 2 * (MIB - 1) + MIB);
    expect(client.text).toBe('');
    answers[0]?.destroy();
    // The client has nothing of it: an error can say so.
    await until('it is answered', () => client.status !== undefined);
    expect(client.status).toBe(502);
    await until('its room is given back', async () => held(await metrics()) === 2 * (MIB - 1));
  });
});

describe('clients that never read', () => {
  beforeEach(() => {
    const body = Buffer.alloc(MIB - 1_000, 0x62);
    upstream.handle = ({ url }, response) => {
      const bytes = url === '/large' ? body : Buffer.from('{}');
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    };
  });

  /** Asks until more is on its way than the system's own buffers take. */
  async function neverRead(): Promise<RawClient> {
    const client = await RawClient.open();
    client.socket.write('GET /large HTTP/1.1\r\nhost: h\r\n\r\n'.repeat(12));
    return client;
  }

  test('lose their connection in time, and what they held is given back', async () => {
    await start({ answerTimeoutMs: 2_000 });
    const client = await neverRead();
    await until('it holds an answer', async () => held(await metrics()) > 0);
    await until('its connection is cut', async () => overload(await metrics(), 'unread') === 1);
    await until('it is given back', async () => held(await metrics()) === 0);
    client.read();
    await until('it sees the end', () => client.isClosed);
  });

  test('make room for others', async () => {
    await start();
    for (let index = 0; index < CLIENTS; index += 1) await neverRead();
    // With less, the large body below might be served beside them.
    await until('there is no room for a large one', async () => held(await metrics()) > LARGE_BYTES - MIB);
    expect(held(await metrics())).toBeLessThanOrEqual(BUDGET_BYTES);
    expect(await produce()).toBe(200);
    await until('they make room for large bodies', async () => {
      expect(await produce('x'.repeat(MIB))).toBe(200);
      return overload(await metrics(), 'evicted') > 0;
    });
    expect(overload(await metrics(), 'unread')).toBe(0);
  });

  test.each(['with a length', 'without'])('or hardly, make room for others: of a streamed answer %s', async (kind) => {
    let clockMs = 1_000;
    const body = Buffer.alloc(16 * MIB, 0x62);
    upstream.handle = ({ url }, response) => {
      if (url !== '/large') response.writeHead(200, { 'content-length': 2 }).end('{}');
      else response.writeHead(200, kind === 'without' ? {} : { 'content-length': body.length }).end(body);
    };
    await start({ maxInFlightBytes: 2 * MIB }, { now: () => clockMs });
    const readers: RawClient[] = [];
    for (let index = 0; index < 4; index += 1) {
      const client = await RawClient.open();
      readers.push(client);
      client.socket.write('GET /large HTTP/1.1\r\nhost: h\r\n\r\n');
    }
    await until('their answers are on their way', () => upstream.requests.length === 4);
    await until('there is room for a large body', async () => {
      clockMs += 400;
      for (const { socket } of readers) socket.read(1);
      expect(await produce('x'.repeat(MIB))).toBe(200);
      return held(await metrics()) <= 2 * MIB * 0.75 - MIB;
    });
  });

  test('but a slow reader gets all of its answer', async () => {
    await start({ answerTimeoutMs: 1_500 });
    const client = await neverRead();
    await until('it holds an answer', async () => held(await metrics()) > 0);
    let readBytes = 0;
    // A piece each 100 ms: longer than the time limit in all.
    const reading = setInterval(() => {
      const piece = client.socket.read(400_000) ?? client.socket.read();
      readBytes += piece?.length ?? 0;
    }, 100);
    client.socket.on('readable', () => {});
    await until('it has all', () => readBytes > 12 * (MIB - 1_000));
    clearInterval(reading);
    expect([client.isClosed, overload(await metrics(), 'unread')]).toEqual([false, 0]);
  });
});
