import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { answersOf, HOST, raw } from '../../../test/harness/raw.ts';
import { until } from '../../../test/harness/until.ts';
import type { Check } from './admission.ts';
import { Certificates } from './certificates.ts';
import { headChecks, transferCoding } from './head.ts';
import type { Peer } from './peer.ts';
import { HttpServer, type HttpServerOptions } from './server.ts';

const LIMITS = {
  maxUrlBytes: 1_000,
  maxHeaderBytes: 10_000,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  responseTimeoutMs: () => 60_000,
};
const CLOSE = 'connection: close\r\n';
const ANY = { host: '127.0.0.1', port: 0 };
/** Far beyond the length of a test: it ends when the drain does, or fails. */
const LONG_MS = 120_000;

async function start(options: Partial<HttpServerOptions>): Promise<{ server: HttpServer; port: number }> {
  const server = new HttpServer({
    limits: LIMITS,
    checks: headChecks(LIMITS),
    serve: ({ response }) => response.end(),
    ...options,
  });
  onTestFinished(() => server.close());
  return { server, port: (await server.listen(ANY)).port };
}

function get(target: string, headers = HOST): string {
  return `GET ${target} HTTP/1.1\r\n${headers}\r\n`;
}

/** An open connection, and all that has arrived on it. */
async function open(port: number): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'connect');
  return { socket, received: () => text };
}

test('all requests of a connection have one peer: its address, port and scheme', async () => {
  const peers: Peer[] = [];
  const { port } = await start({
    serve: ({ response, peer }) => {
      peers.push(peer);
      response.end();
    },
  });
  const { socket, received } = await open(port);
  socket.write(get('/a') + get('/b'));
  await until('both have their response', () => answersOf(received()).length === 2);
  expect(peers[0]).toEqual({
    address: '127.0.0.1',
    port: socket.localPort,
    scheme: 'http',
    protocol: 'http/1.1',
    alpnProtocol: undefined,
    identity: undefined,
    isOfUnknownClient: false,
  });
  expect(peers[1]).toBe(peers[0]);
});

test('a program keeps what it likes for each connection', async () => {
  interface Numbered extends Peer {
    readonly number: number;
  }
  let connectionCount = 0;
  const numbers: number[] = [];
  const server = new HttpServer<Numbered>({
    limits: LIMITS,
    checks: [],
    meet: (peer) => ({ ...peer, number: ++connectionCount }),
    serve: ({ response, peer }) => {
      numbers.push(peer.number);
      response.end();
    },
  });
  onTestFinished(() => server.close());
  const { port } = await server.listen(ANY);
  await raw(port, get('/') + get('/', HOST + CLOSE));
  await raw(port, get('/', HOST + CLOSE));
  expect(numbers).toEqual([1, 1, 2]);
  await until('both are gone', () => server.connections.count === 0);
  expect(server.connections.totals().receivedBytes).toBe(2 * get('/', HOST + CLOSE).length + get('/').length);
});

test('a request passes the checks in order, and the first refusal is its response', async () => {
  const seen: string[] = [];
  const check =
    (name: string): Check =>
    ({ url = '' }, { address }) => {
      seen.push(`${name} ${address}`);
      return url === `/${name}`
        ? { code: 'overloaded', message: `Refused by ${name}.`, retryAfterSeconds: 3 }
        : undefined;
    };
  const served: string[] = [];
  const { port } = await start({
    checks: [...headChecks(LIMITS), transferCoding, check('first'), check('second')],
    serve: ({ request, response }) => {
      served.push(request.url ?? '');
      response.end();
    },
  });
  const [refused, served2, malformed] = answersOf(
    await raw(port, get('/first') + get('/third') + get('/%zz', HOST + CLOSE)),
  );
  expect(refused).toMatchObject({
    status: 503,
    headers: { 'retry-after': '3' },
    body: '{"error_code":503,"message":"Refused by first."}',
  });
  expect([served2?.status, served]).toEqual([200, ['/third']]);
  expect(malformed?.status).toBe(400);
  // The second is not asked after a refusal, and none after one of the head.
  expect(seen).toEqual(['first', 'first', 'second'].map((name) => `${name} 127.0.0.1`));
});

test.each([
  ['xchunked', 400],
  ['chunked, identity', 400],
  ['gzip, chunked', 501],
])('the transfer coding %j is refused with %i', async (coding, status) => {
  const { port } = await start({ checks: [...headChecks(LIMITS), transferCoding] });
  const [answer, ...others] = answersOf(
    await raw(port, `POST / HTTP/1.1\r\n${HOST}transfer-encoding: ${coding}\r\n\r\n0\r\n\r\n`),
  );
  expect([answer?.status, others]).toEqual([status, []]);
});

test('a name means all of its addresses, with one port; a port that is taken is an error', async () => {
  const { server, port } = await start({});
  const named = new HttpServer({ limits: LIMITS, checks: [], serve: ({ response }) => response.end() });
  onTestFinished(() => named.close());
  const bound = await named.listen({ host: 'localhost', port: 0 });
  for (const host of ['localhost', '127.0.0.1']) {
    const response = await fetch(`http://${host}:${bound.port}/`);
    expect(response.status).toBe(200);
  }
  const late = new HttpServer({ limits: LIMITS, checks: [], serve: () => {} });
  await expect(late.listen({ host: '127.0.0.1', port })).rejects.toThrow(/EADDRINUSE/);
  late.close();
  expect(server.isDraining).toBe(false);
});

test('a port that the system chose and that is taken at another address of the name is chosen again', async () => {
  const named = new HttpServer({
    limits: LIMITS,
    checks: [],
    serve: ({ response }) => response.end(),
    addressesOf: async () => ['127.0.0.1', '127.0.0.2'],
  });
  const other = createServer();
  onTestFinished(() => {
    named.close();
    other.close();
  });
  // Just before the server listens at its second address.
  named.node.once('listening', () => {
    other.listen((named.node.address() as AddressInfo).port, '127.0.0.2');
  });
  const bound = await named.listen({ host: 'both.example', port: 0 });
  const { port: taken } = other.address() as AddressInfo;
  expect(bound.port).not.toBe(taken);
  for (const host of ['127.0.0.1', '127.0.0.2'])
    expect((await fetch(`http://${host}:${bound.port}/`)).status).toBe(200);
});

test('a response in progress when the server drains is completed, and its connection closed', async () => {
  const responses: ServerResponse[] = [];
  const { server, port } = await start({
    serve: ({ request, response }) => {
      responses.push(response);
      if (request.url === '/begun') response.write('a');
    },
  });
  const [begun, waiting, unused] = await Promise.all([open(port), open(port), open(port)]);
  begun.socket.write(get('/begun'));
  waiting.socket.write(get('/waiting'));
  await until('both are in progress', () => responses.length === 2 && begun.received().includes('\r\na'));
  const stopped = server.stop(LONG_MS);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  await once(unused.socket, 'close');
  for (const response of responses) response.end('z');
  await Promise.all([stopped, ...[begun, waiting].map(({ socket }) => once(socket, 'close'))]);
  expect(begun.received()).toContain('1\r\nz\r\n0\r\n');
  expect(answersOf(waiting.received())).toMatchObject([{ status: 200, headers: { connection: 'close' }, body: 'z' }]);
});

test('a client that reads slowly gets all of its response while the server drains', async () => {
  const lengthBytes = 8_000_000;
  const { server, port } = await start({
    serve: ({ response }) => {
      response.writeHead(200, { 'content-length': lengthBytes });
      response.end(Buffer.alloc(lengthBytes));
    },
  });
  const [slow, idle] = await Promise.all([open(port), open(port)]);
  slow.socket.pause();
  slow.socket.write(get('/'));
  await until('the response waits for its client', () => server.connections.totals().sentBytes > lengthBytes / 2);
  const stopped = server.stop(LONG_MS);
  // Idle connections close after several sweeps, or with the last response; none of them cuts that off.
  await Promise.race([once(idle.socket, 'close'), delay(700)]);
  slow.socket.resume();
  await Promise.all([stopped, once(slow.socket, 'close')]);
  expect(slow.received().length - slow.received().indexOf('\r\n\r\n') - 4).toBe(lengthBytes);
});

describe('a drain does not wait for a client that', () => {
  test.each([
    ['sends half a head', `GET / HTTP/1.1\r\n${HOST}`, false],
    [
      'sends a body that was refused, and nothing more',
      `POST / HTTP/1.1\r\n${HOST}content-length: 1000\r\n\r\nx`,
      false,
    ],
    ['continues to send a body that was refused', `POST / HTTP/1.1\r\n${HOST}content-length: 1000\r\n\r\nx`, true],
  ])('%s', async (_, text, isDripping) => {
    const { server, port } = await start({ serve: ({ response }) => response.writeHead(413).end() });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {}).resume();
    socket.write(text);
    await until('the server has it', () => server.connections.totals().receivedBytes >= text.length);
    const timer = isDripping ? setInterval(() => socket.write('x'), 100) : undefined;
    onTestFinished(() => clearInterval(timer));
    const isOver = Promise.withResolvers<'late'>();
    const late = setTimeout(() => isOver.resolve('late'), 4_500);
    server.stopAccepting();
    expect(await Promise.race([server.drained().then(() => 'drained'), isOver.promise])).toBe('drained');
    clearTimeout(late);
  });
});

test('a request that arrives on an idle connection while the server drains is served', async () => {
  const { server, port } = await start({});
  const { socket, received } = await open(port);
  socket.write(get('/'));
  await until('the first has its response', () => answersOf(received()).length === 1);
  const stopped = server.stop(LONG_MS);
  socket.write(get('/'));
  await Promise.all([stopped, once(socket, 'close')]);
  expect(answersOf(received()).map(({ headers }) => headers['connection'])).toEqual(['keep-alive', 'close']);
});

test('a stop breaks what is left at its deadline', async () => {
  const { server, port } = await start({ serve: () => {} });
  const { socket, received } = await open(port);
  socket.write(get('/'));
  await until('it is in progress', () => server.connections.totals().receivedBytes > 0);
  socket.on('error', () => {});
  await Promise.all([server.stop(10), once(socket, 'close')]);
  expect(received()).toBe('');
  await until('no connection is left', () => server.connections.count === 0);
});

test('a TLS listener shows a certificate that was replaced to new connections, and open ones continue', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-https-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const authority = await TestAuthority.create(directory);
  const [first, second] = [
    await authority.certify('first', { ip: ['127.0.0.1'] }),
    await authority.certify('second', { ip: ['127.0.0.1'] }),
  ];
  const files = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
  const install = ({ cert, key }: { cert: string; key: string }): void => {
    writeFileSync(join(directory, 'next'), cert);
    renameSync(join(directory, 'next'), files.certFile);
    writeFileSync(files.keyFile, key);
  };
  install(first);
  const reasons: string[] = [];
  const certificates = new Certificates(
    { ...files, minVersion: 'TLSv1.2' },
    {
      place: 'listen.tls',
      onChange: ({ problem }) => void (problem === undefined || reasons.push(problem)),
      onHandshakeFailure: () => {},
    },
  );
  onTestFinished(() => certificates.close());
  certificates.start();
  const { server, port } = await start({
    certificates,
    serve: ({ response, peer }) => response.end(`${peer.scheme} ${peer.alpnProtocol}`),
  });
  expect(server.scheme).toBe('https');
  const dial = async (): Promise<{ socket: TLSSocket; name: unknown }> => {
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert, ALPNProtocols: ['http/1.1'] });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    return { socket, name: socket.getPeerCertificate().subject.CN };
  };
  const { socket, name } = await dial();
  expect(name).toBe('first');
  install(second);
  await until('a new connection is shown the second', async () => (await dial()).name === 'second');
  writeFileSync(files.keyFile, 'no key');
  await until('the third is refused', () => certificates.reloadCounts.refused === 1);
  expect(reasons).toEqual([expect.stringMatching(/.+/)]);
  expect((await dial()).name).toBe('second');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(get('/', HOST + CLOSE));
  await once(socket, 'end');
  expect(text).toContain('https http/1.1');
});
