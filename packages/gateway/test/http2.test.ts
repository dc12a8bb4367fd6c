/** HTTP/2 for clients, beside HTTP/1.1 on one port: by ALPN with TLS, by prior knowledge without. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { type ConfigOverrides, regions, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import { ERROR, FRAME, FrameClient, get, PREFACE } from '../../../test/harness/http2-frames.ts';
import { answersOf, HOST, raw } from '../../../test/harness/raw.ts';
import { until } from '../../../test/harness/until.ts';
import type { Upstream } from '../../../test/harness/upstream.ts';
import { gateway, never, upstream } from './fixture.ts';

async function start(listen: object, others: ConfigOverrides = {}): Promise<{ gw: TestGateway; east: Upstream }> {
  const east = await upstream();
  const gw = await gateway({ regions: regions({ east: east.url }), listen: { port: 0, ...listen }, ...others });
  return { gw, east };
}

function session(url: string, ca?: string): ClientHttp2Session {
  const client = connect(url, ca === undefined ? {} : { ca });
  client.on('error', () => {});
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}

test('requests of HTTP/2 with prior knowledge and of HTTP/1.1 arrive at one port, and reach targets alike', async () => {
  const { gw, east } = await start({ http2: { isEnabled: true } });
  const body = '{"records":[{"value":"v"}]}';
  const post = { ':method': 'POST', ':path': '/topics/t?x=y' };
  const { status, headers, text } = await fetchHttp2(session(gw.url), post, body);
  const { statusCode } = await request(`${gw.url}/topics/t?x=y`, { method: 'POST', body });
  expect([status, statusCode, text]).toEqual([200, 200, '{}']);
  expect(headers.via).toBe('1.1 gateway');
  const [first, second] = east.requests;
  expect(first).toMatchObject({ method: 'POST', url: '/topics/t?x=y', body });
  expect(first?.headers['content-length']).toBe(String(body.length));
  expect(first?.headers.via).toMatch(/^2\.0 gateway\./);
  const { via: _, ...rest } = second?.headers ?? {};
  expect(first?.headers).toMatchObject(rest);
});

test.each([
  ['a byte at a time', 1],
  ['in pieces that end within the preface', 13],
])('a preface that arrives %s is understood, and so is a request that begins like it', async (_, bytes) => {
  const { gw } = await start({ http2: { isEnabled: true } });
  const client = FrameClient.of(connectTo(gw.url));
  const text = Buffer.concat([Buffer.from(PREFACE, 'latin1'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), get(1)]);
  for (let index = 0; index < text.length; index += bytes) {
    client.write(text.subarray(index, index + bytes));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('it is answered', () => client.isAnswered(1));
  client.socket.destroy();
  const answer = await raw(Number(new URL(gw.url).port), `PRI /x HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`);
  expect(answersOf(answer).map(({ status }) => status)).toEqual([400]);
});

test('a plain listener without it refuses the preface, and one with it serves several requests of HTTP/1.1', async () => {
  const { gw } = await start({});
  const port = Number(new URL(gw.url).port);
  expect(answersOf(await raw(port, PREFACE)).map(({ status }) => status)).toEqual([505]);
  const { gw: other } = await start({ http2: { isEnabled: true } });
  const text = `GET /topics HTTP/1.1\r\n${HOST}\r\n`;
  const answers = await raw(
    Number(new URL(other.url).port),
    text + text.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'),
  );
  expect(answersOf(answers).map(({ status }) => status)).toEqual([200, 200]);
});

describe('with TLS', () => {
  async function startTls(others: object = {}) {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-http2-'));
    onTestFinished(async () => rmSync(directory, { recursive: true }));
    const authority = await TestAuthority.create(directory);
    const { certFile, keyFile } = await authority.certify('server', { ip: ['127.0.0.1'] });
    const ca = readFileSync(authority.certFile, 'utf8');
    return { ...(await start({ tls: { certFile, keyFile }, ...others })), ca };
  }

  /** What the handshake negotiates, and the first bytes of the response to a request of HTTP/1.1. */
  async function negotiate(url: string, ca: string, protocols?: string[]): Promise<[string | false | null, string]> {
    const { hostname, port } = new URL(url);
    const socket: TLSSocket = connectTls({
      host: hostname,
      port: Number(port),
      ca,
      ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
    });
    onTestFinished(() => {
      socket.destroy();
    });
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    socket.write(`GET /topics HTTP/1.1\r\n${HOST}\r\n`);
    const [bytes] = await new Promise<[Buffer]>((resolve) => socket.once('data', (chunk: Buffer) => resolve([chunk])));
    return [socket.alpnProtocol, bytes.subarray(0, 12).toString('latin1')];
  }

  test('ALPN decides, HTTP/2 first; clients without ALPN speak HTTP/1.1', async () => {
    const { gw, ca, east } = await startTls();
    expect(await negotiate(gw.url, ca)).toEqual([false, 'HTTP/1.1 200']);
    expect(await negotiate(gw.url, ca, ['http/1.1'])).toEqual(['http/1.1', 'HTTP/1.1 200']);
    const client = session(gw.url, ca);
    expect((await fetchHttp2(client, { ':path': '/topics' })).status).toBe(200);
    expect(client.alpnProtocol).toBe('h2');
    expect(east.requests.at(-1)?.headers).toMatchObject({ 'x-forwarded-proto': 'https' });
    await expect(negotiate(gw.url, ca, ['spdy/3'])).rejects.toThrow('alert');
  });

  test('it can be turned off, and then ALPN has HTTP/1.1 alone', async () => {
    const { gw, ca } = await startTls({ http2: { isEnabled: false } });
    expect(await negotiate(gw.url, ca, ['h2', 'http/1.1'])).toEqual(['http/1.1', 'HTTP/1.1 200']);
  });

  test('large bodies and responses pass, also those that a client reads slowly', async () => {
    const { gw, ca, east } = await startTls();
    const body = Buffer.alloc(3_000_000, 'abcdefghij');
    east.handle = (received, response) => response.writeHead(200).end(received.body);
    const post = { ':method': 'POST', ':path': '/topics/t' };
    const client = session(gw.url, ca);
    const texts = await Promise.all([1, 2, 3].map(() => fetchHttp2(client, post, body)));
    expect(texts.map(({ text }) => text === body.toString())).toEqual([true, true, true]);
  });
});

function connectTo(url: string) {
  const { hostname, port } = new URL(url);
  return connectTcp(Number(port), hostname);
}

test('a connection has as many streams as configured, and others are served beside it', async () => {
  const settings = { http2: { isEnabled: true, maxConcurrentStreams: 150 } };
  // The targets share this process.
  const { gw, east } = await start(settings, { upstream: { connectTimeoutMs: 60_000 } });
  east.handle = never;
  const many = await FrameClient.open(gw.url);
  onTestFinished(() => {
    many.socket.destroy();
  });
  await until('its settings are there', () => many.frames.length > 0);
  expect(many.frames[0]?.payload.toString('hex')).toContain('000300000096');
  many.write(...Array.from({ length: 160 }, (_, index) => get(index * 2 + 1)));
  await until('as many wait at the target', () => east.requests.length === 150);
  await until('the others are refused', () => many.resetCode(319) !== undefined);
  const refused = many.frames.filter(({ type }) => type === FRAME.rstStream);
  expect(refused.map(({ payload }) => payload.readUInt32BE(0))).toEqual(Array(10).fill(ERROR.refusedStream));
  expect((await fetchHttp2(session(gw.url), { ':path': '/healthy' })).status).toBe(200);
});

test('the access log names the protocol', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-http2-'));
  onTestFinished(async () => rmSync(directory, { recursive: true }));
  const file = join(directory, 'access.log');
  const { gw } = await start({ http2: { isEnabled: true } }, { accessLog: { file } });
  await fetchHttp2(session(gw.url), { ':path': '/topics' });
  await (await request(`${gw.url}/topics`)).body.dump();
  await gw.close();
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { protocol: string }).protocol).sort()).toEqual([
    'HTTP/1.1',
    'HTTP/2.0',
  ]);
});
