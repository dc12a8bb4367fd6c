import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type HeaderPackets, startBalancer } from '../../../test/harness/balancer.ts';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { hasDebianTool } from '../../../test/harness/debian-tool.ts';
import { answersOf, HOST } from '../../../test/harness/raw.ts';
import { until } from '../../../test/harness/until.ts';
import { Certificates } from './certificates.ts';
import { type Drop, Entrance } from './entrance.ts';
import { headChecks } from './head.ts';
import type { Http2Arrival } from './http2/connection.ts';
import type { Peer } from './peer.ts';
import { HttpServer, type HttpServerOptions } from './server.ts';
import type { Arrival } from './turns.ts';

const LIMITS = {
  maxUrlBytes: 1_000,
  maxHeaderBytes: 10_000,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  responseTimeoutMs: () => 60_000,
};
/** Far beyond the length of a test. */
const LONG_MS = 120_000;
const BODY_BYTES = 300_000;
const ANNOUNCED = 'PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n';
const REQUEST = `GET / HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`;
/** `LOCAL` of version 2, with addresses to ignore. */
const LOCAL = Buffer.from('0d0a0d0a000d0a515549540a2011000ccb0071090a000001dc0401bb', 'hex');

const hasCurl = hasDebianTool('curl', '--version');
const directory = mkdtempSync(join(tmpdir(), 'causeway-entrance-'));
let certificates: Certificates;
beforeAll(async () => {
  const authority = await TestAuthority.create(directory);
  const { certFile, keyFile } = await authority.certify('server', { dns: ['localhost'], ip: ['127.0.0.1'] });
  certificates = new Certificates(
    { certFile, keyFile, minVersion: 'TLSv1.2' },
    { place: 'listen.tls', onChange: () => {}, onHandshakeFailure: () => {} },
  );
  writeFileSync(join(directory, 'body'), Buffer.alloc(BODY_BYTES, 'x'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Responds with what the server knows of the client, and the length of the body. */
function describeClient({ request, response, peer }: Arrival | Http2Arrival): void {
  let bytes = 0;
  const respond = (): void => {
    const { address, port, scheme, protocol, isOfUnknownClient } = peer as Peer;
    const text = JSON.stringify({ address, port, scheme, protocol, isOfUnknownClient, bytes });
    response.writeHead(200, ['content-length', String(text.length)] as never);
    response.end(Buffer.from(text) as never);
  };
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  if (request.method === 'GET') respond();
  else request.on('end', respond);
}

interface Started {
  server: HttpServer;
  port: number;
  drops: Drop[];
}

async function start(options: Partial<HttpServerOptions> = {}): Promise<Started> {
  const drops: Drop[] = [];
  const serve = describeClient;
  const server = new HttpServer({
    limits: LIMITS,
    checks: headChecks(LIMITS),
    serve,
    http2: { maxConcurrentStreams: 10, checks: [], serve, refuse: ({ response }) => response.end() },
    ...options,
    entrance: {
      isProxySender: (address) => address === '127.0.0.1',
      onDropped: (drop) => drops.push(drop),
      ...options.entrance,
    },
  });
  onTestFinished(() => server.close());
  const host = options.addressesOf === undefined ? '127.0.0.1' : 'name.example';
  return { server, port: (await server.listen({ host, port: 0 })).port, drops };
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once('close', () => resolve()));
}

/** All that a connection gets until the server closes it. */
async function exchange(port: number, bytes: Buffer | string, localAddress = '127.0.0.1'): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await closed(socket);
  return text;
}

/** A connection that says nothing. */
async function silent(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

describe('the PROXY header', () => {
  const OPTIONS: Record<string, string[]> = {
    'http http/1.1': [],
    'http h2': ['--http2-prior-knowledge'],
    'https http/1.1': ['--insecure', '--http1.1'],
    'https h2': ['--insecure', '--http2'],
  };
  const cases = Object.keys(OPTIONS).flatMap((kind) =>
    (['together', 'alone', 'bytewise'] as const).map((packets): [string, HeaderPackets] => [kind, packets]),
  );

  test.skipIf(!hasCurl).each(cases)(
    '%s, %s: names the client, and takes no byte of its request',
    async (kind, packets) => {
      const [scheme = '', protocol] = kind.split(' ');
      const { port, drops } = await start(scheme === 'https' ? { certificates } : {});
      const balancer = await startBalancer(port, { header: ANNOUNCED, packets });
      onTestFinished(() => balancer.close());
      const url = `${scheme}://127.0.0.1:${balancer.port}/`;
      const body = ['--data-binary', `@${join(directory, 'body')}`, '-H', 'expect:'];
      // The second request uses the connection again, which curl 7.88 cannot with h2c, not even of Node's bare server.
      const urls = kind === 'http h2' ? [url] : [url, url];
      const { stdout } = await promisify(execFile)('curl', ['-sS', ...(OPTIONS[kind] ?? []), ...body, ...urls]);
      const client = { address: '2001:db8::9', port: 56_324, scheme, protocol, isOfUnknownClient: false };
      const expected = JSON.stringify({ ...client, bytes: BODY_BYTES });
      expect(stdout).toBe(urls.map(() => expected).join(''));
      expect(drops).toEqual([]);
    },
  );

  test.each<[string, Buffer | string]>([
    ['UNKNOWN', 'PROXY UNKNOWN\r\n'],
    ['LOCAL', LOCAL],
  ])('with %s the connection keeps its own address, and the server knows that it says nothing', async (_, header) => {
    const { port } = await start();
    const [answer] = answersOf(await exchange(port, Buffer.concat([Buffer.from(header), Buffer.from(REQUEST)])));
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ address: '127.0.0.1', isOfUnknownClient: true });
  });

  test('it is not read from other addresses', async () => {
    const { port, drops } = await start();
    const [plain] = answersOf(await exchange(port, REQUEST, '127.0.0.2'));
    expect(JSON.parse(plain?.body ?? '')).toMatchObject({ address: '127.0.0.2', isOfUnknownClient: false });
    const [announced] = answersOf(await exchange(port, ANNOUNCED + REQUEST, '127.0.0.2'));
    expect(announced?.status).toBe(400);
    expect(drops).toEqual([]);
  });

  test('without a valid one, a connection that must have it is closed without a response, and counted', async () => {
    const { server, port, drops } = await start();
    const inputs = [REQUEST, 'PROXY TCP4 1.2.3.4\r\n', `PROXY ${'x'.repeat(200)}`, Buffer.from([0x16, 3, 1, 0, 0xf8])];
    for (const input of inputs) expect(await exchange(port, input)).toBe('');
    expect(drops.map(({ reason, address }) => `${reason} ${address}`)).toEqual(
      inputs.map(() => 'proxyHeader 127.0.0.1'),
    );
    expect(server.entrance.dropCounts).toEqual({
      maxConnections: 0,
      addressQuota: 0,
      unfinished: 0,
      proxyHeader: inputs.length,
    });
  });

  test('one that does not arrive in time, or ends in the middle, is counted; a probe that sends nothing is not', async () => {
    const { port, drops } = await start({ limits: { ...LIMITS, headersTimeoutMs: 200 } });
    await exchange(port, 'PROXY TCP4');
    const ended = connect(port, '127.0.0.1');
    ended.resume().end('PROXY TCP4');
    await closed(ended);
    const probe = connect(port, '127.0.0.1').resume();
    probe.end();
    await closed(probe);
    expect(drops.map(({ detail }) => detail)).toEqual([
      'its PROXY header did not arrive in time',
      'it ended within its PROXY header',
    ]);
  });

  test('any bytes close at most their own connection', async () => {
    const { port } = await start();
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    const begins = fc.constantFrom(
      '',
      'PROXY ',
      'PROXY TCP4 ',
      '\r\n\r\n\0\r\nQUIT\n',
      '\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c',
    );
    const property = fc.asyncProperty(begins, bytes, async (begin, rest) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume().end(Buffer.concat([Buffer.from(begin, 'latin1'), rest]));
      await closed(socket);
    });
    await fc.assert(property, { numRuns: 150, seed: 15 });
    const [answer] = answersOf(await exchange(port, ANNOUNCED + REQUEST));
    expect(answer?.status).toBe(200);
  });
});

describe('bounds', () => {
  test('connections beyond maxConnections are closed at once, until others end', async () => {
    const { server, port, drops } = await start({ entrance: { maxConnections: 3 } });
    const [first] = await Promise.all([silent(port), silent(port), silent(port)]);
    expect(await exchange(port, REQUEST, '127.0.0.2')).toBe('');
    expect(drops).toEqual([
      { reason: 'maxConnections', address: '127.0.0.2', detail: '3 connections are open (maxConnections)' },
    ]);
    expect(server.entrance.dropCounts.maxConnections).toBe(1);
    first?.destroy();
    await until('there is room', async () => (await exchange(port, REQUEST, '127.0.0.2')) !== '');
  });

  test('a bound that the addresses of a name share is divided among them', async () => {
    const addresses = ['127.0.0.1', '127.0.0.2'];
    const { server, port, drops } = await start({
      addressesOf: async () => addresses,
      entrance: { maxConnections: 4, isMaxShared: true, isProxySender: undefined },
    });
    const open = (host: string): Socket => {
      const socket = connect(port, host);
      onTestFinished(() => void socket.destroy());
      return socket.on('error', () => {});
    };
    for (const host of addresses) for (let count = 0; count < 3; count += 1) open(host);
    await until('each address refuses its third', () => server.entrance.dropCounts.maxConnections === 2);
    expect(drops[0]?.detail).toBe('2 connections are open (maxConnections)');
  });

  test.each([
    [50_000, 8_192],
    [1_000, 750],
    [1, 1],
    [undefined, 8_192],
  ])(
    'of %j connections, %i may be unfinished: all clients of a region that dies come at once',
    (maxConnections, expected) => {
      expect(new Entrance({ maxConnections, headerTimeoutMs: 1 }).maxUnfinished).toBe(expected);
    },
  );

  test.skipIf(!hasCurl)(
    'of too many unfinished handshakes the oldest go, so that a flood of them keeps no client out',
    async () => {
      const { server, port, drops } = await start({ certificates, entrance: { maxConnections: 13 } });
      const crowd: Socket[] = [];
      for (let count = 0; count < 30; count += 1) crowd.push(await silent(port));
      await until('the oldest are closed', () => crowd.slice(0, 20).every(({ closed }) => closed));
      expect(server.entrance.unfinishedCount).toBe(10);
      const { stdout } = await promisify(execFile)('curl', [
        '-sSk',
        '--interface',
        '127.0.0.2',
        `https://127.0.0.1:${port}/`,
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ address: '127.0.0.2', scheme: 'https' });
      expect(drops.map(({ reason }) => reason)).toEqual(Array(21).fill('unfinished'));
    },
  );
});

test('a TLS handshake that takes longer than headersTimeoutMs ends, however often its client sends a byte', async () => {
  const { server, port } = await start({ certificates, limits: { ...LIMITS, headersTimeoutMs: 300 } });
  const [quiet, dribbling] = await Promise.all([silent(port), silent(port)]);
  // The begin of a ClientHello, whose length says that more of it follows.
  const bytes = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
  const timer = setInterval(() => dribbling.writable && dribbling.write(Buffer.from([bytes.shift() ?? 0])), 20);
  onTestFinished(() => clearInterval(timer));
  await Promise.all([closed(quiet), closed(dribbling)]);
  await until('nothing is left', () => server.entrance.unfinishedCount === 0);
});

describe('the end', () => {
  test('close() breaks connections in a TLS handshake, and those without their PROXY header', async () => {
    const { server, port } = await start({ certificates });
    const handshake = await silent(port);
    const header = connect(port, '127.0.0.1').resume();
    header.write('PROXY');
    await until('both have arrived', () => server.entrance.unfinishedCount === 2);
    server.close();
    await Promise.all([closed(handshake), closed(header), server.drained()]);
  });

  test('a drain does not wait for a handshake that does not end', async () => {
    const { server, port } = await start({ certificates });
    await silent(port);
    await until('it has arrived', () => server.entrance.unfinishedCount === 1);
    await server.stop(LONG_MS);
  });
});
