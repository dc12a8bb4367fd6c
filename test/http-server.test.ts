/** The HTTP server that bridge, gateway and admin port share. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestBridge } from './harness/bridge.ts';
import { regions, startGateway } from './harness/gateway.ts';
import { answersOf, raw } from './harness/raw.ts';
import { until } from './harness/until.ts';
import { startUpstream } from './harness/upstream.ts';

/** Longer than a test: a server that stops earlier has drained. */
const GRACE = { shutdown: { graceMs: 120_000 } };
/** A path that the admin port serves. */
const HOST = 'host: 127.0.0.1\r\n';
const CLOSE = 'connection: close\r\n';
const JSON_TYPE = 'content-type: application/vnd.kafka.json.v2+json\r\n';

interface Program {
  port: number;
  close(): Promise<void>;
}

async function startBridge(): Promise<Program> {
  // Without a Kafka.
  const server = await TestBridge.start('127.0.0.1:1', GRACE);
  return { port: server.bridge.port, close: () => server.close() };
}

async function startGatewayOnly(): Promise<{ client: Program; admin: Program }> {
  const upstream = await startUpstream();
  const gateway = await startGateway({ regions: regions({ east: upstream.url }), ...GRACE });
  const close = async (): Promise<void> => {
    await gateway.close();
    await upstream.kill();
  };
  const [client, admin] = [gateway.url, gateway.adminUrl].map((url) => ({ port: Number(new URL(url).port), close }));
  return { client: client as Program, admin: admin as Program };
}

const PROGRAMS = {
  bridge: startBridge,
  gateway: async () => (await startGatewayOnly()).client,
  'admin port': async () => (await startGatewayOnly()).admin,
};

async function start(program: keyof typeof PROGRAMS): Promise<Program> {
  const running = await PROGRAMS[program]();
  onTestFinished(() => running.close());
  return running;
}

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

describe.each(['bridge', 'gateway', 'admin port'] as const)('%s', (program) => {
  test.each([
    ['no HTTP', 'HELLO\r\n\r\n', 400],
    ['two hosts', `GET /healthy HTTP/1.1\r\n${HOST}${HOST}${CLOSE}\r\n`, 400],
    ['a method that HTTP does not have', `FOO /healthy HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['a tunnel', `CONNECT h:80 HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['a URL beyond the limit', `GET /${'a'.repeat(17_000)} HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 414],
    ['headers beyond the limit', `GET / HTTP/1.1\r\n${HOST}x: ${'a'.repeat(60_000)}\r\n\r\n`, 431],
  ])('refuses %s with an error of the API', async (_, request, status) => {
    const { port } = await start(program);
    const [answer, ...others] = answersOf(await raw(port, request));
    expect(others).toEqual([]);
    expect(JSON.parse(answer?.body ?? '')).toEqual({ error_code: status, message: expect.stringMatching(/\.$/) });
    expect(answer).toMatchObject({ status, headers: { connection: 'close' } });
  });

  test('serves pipelined requests in order', async () => {
    const { port } = await start(program);
    const one = `GET /healthy HTTP/1.1\r\n${HOST}\r\n`;
    const answers = answersOf(await raw(port, `${one}${one}GET /healthy HTTP/1.1\r\n${HOST}${CLOSE}\r\n`));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe.each(['bridge', 'gateway'] as const)('%s, at its stop,', (program) => {
  test('serves one more request on a connection that was idle, closes it in order, and does not wait for the others', async () => {
    const { port, close } = await start(program);
    const [used, idle, unused] = await Promise.all([open(port), open(port), open(port)]);
    for (const { socket } of [used, idle]) socket.write(`GET /healthy HTTP/1.1\r\n${HOST}\r\n`);
    await until('both are idle', () => [used, idle].every(({ received }) => answersOf(received()).length === 1));
    const closed = close();
    await until('no connection is accepted', () => isRefused(port));
    used.socket.write(`GET /healthy HTTP/1.1\r\n${HOST}\r\n`);
    await Promise.all([closed, ...[used, idle, unused].map(({ socket }) => once(socket, 'close'))]);
    expect(answersOf(used.received()).map(({ headers }) => headers['connection']?.toLowerCase())).toEqual([
      'keep-alive',
      'close',
    ]);
  });

  test('completes a request whose body is still arriving', async () => {
    const { port, close } = await start(program);
    const { socket, received } = await open(port);
    socket.write(`POST /consumers/g HTTP/1.1\r\n${HOST}${JSON_TYPE}expect: 100-continue\r\ncontent-length: 4\r\n\r\n{`);
    await until('it is in progress', () => received() !== '');
    const closed = close();
    await until('no connection is accepted', () => isRefused(port));
    socket.write('}  ');
    await Promise.all([closed, once(socket, 'close')]);
    expect(received()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 \d{3} .*connection: close\r\n/is);
  });
});

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isConnected = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return !isConnected;
}
