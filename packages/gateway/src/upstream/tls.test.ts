/** TLS to targets: verified names, renewed certificates, and responses that a cut connection truncates. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, createServer as createTlsServer, type SecureContext, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/harness/certificates.ts';
import {
  type Answered,
  type Listening,
  listen,
  pattern,
  poolOf,
  send,
  textOf,
} from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';

let authority: TestAuthority;
let trusting: SecureContext;

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-upstream-'));
  authority = await TestAuthority.create(directory);
  trusting = createSecureContext({ ca: authority.cert });
  return () => rmSync(directory, { recursive: true });
});

const echo: RequestListener = (incoming, response) => incoming.pipe(response);

async function serve(names: { dns?: string[]; ip?: string[] }, host: string): Promise<Listening> {
  return await listen(createHttpsServer(await authority.certify(`target-${host}`, names), echo), 'https', host);
}

test('bodies of every size arrive, from a target whose certificate has its name or address', async () => {
  for (const [host, names] of [
    ['localhost', { dns: ['localhost'] }],
    ['127.0.0.1', { ip: ['127.0.0.1'] }],
  ] as const) {
    const server = await serve({ ...names } as { dns?: string[] }, host);
    const pool = poolOf(server.url, {}, { secureContext: () => trusting });
    for (const length of [0, 5, 70_000, 1_000_003]) {
      const body = pattern(length);
      const answer = await send(pool, { method: 'POST', body }).answered;
      expect(answer.error).toBeUndefined();
      expect(answer.body.equals(body)).toBe(true);
    }
    expect(server.connectionCount).toBe(1);
  }
});

test('an IPv6 address is looked for among the addresses of the certificate, and a name without its last dot', async () => {
  const own = await serve({ ip: ['::1'] }, '::1');
  const other = await serve({ ip: ['::2'] }, '::1');
  const ask = (url: string): Promise<Answered> =>
    send(poolOf(url.replace('//::1', '//[::1]'), {}, { secureContext: () => trusting })).answered;
  expect(await ask(own.url)).toMatchObject({ status: 200, error: undefined });
  expect(await ask(other.url)).toMatchObject({ error: { code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: '::1' } });
  const serverNames: unknown[] = [];
  const named = await listen(
    createHttpsServer(await authority.certify('named', { dns: ['localhost'] }), (incoming, response) => {
      serverNames.push((incoming.socket as TLSSocket).servername);
      response.end();
    }),
    'https',
    'localhost',
  );
  const pool = poolOf(named.url, { serverName: 'localhost.' }, { secureContext: () => trusting });
  expect((await send(pool).answered).error).toBeUndefined();
  expect(serverNames).toEqual(['localhost']);
});

test('a target with a certificate for another name, or of an unknown authority, gets no request', async () => {
  const other = await serve({ dns: ['other.example'] }, 'localhost');
  const pool = poolOf(other.url, {}, { secureContext: () => trusting });
  expect(await send(pool).answered).toMatchObject({
    hasStarted: false,
    error: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  });
  const unknown = await send(poolOf((await serve({ dns: ['localhost'] }, 'localhost')).url)).answered;
  expect(unknown).toMatchObject({ hasStarted: false, error: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } });
});

test('each new connection asks for the current certificates', async () => {
  const server = await serve({ dns: ['localhost'] }, 'localhost');
  let context: SecureContext | undefined;
  const pool = poolOf(server.url, {}, { secureContext: () => context });
  expect((await send(pool).answered).error).toBeDefined();
  context = trusting;
  expect((await send(pool).answered).error).toBeUndefined();
});

test('certificates that are not available fail the request, and leave no connection', async () => {
  const server = await serve({ dns: ['localhost'] }, 'localhost');
  const secureContext = (): SecureContext => {
    throw new Error('the key does not fit the certificate');
  };
  const pool = poolOf(server.url, {}, { secureContext });
  expect(await send(pool).answered).toMatchObject({
    hasStarted: false,
    error: { message: 'the key does not fit the certificate' },
  });
  await pool.close();
});

test('a target that closes during the handshake gets no request', async () => {
  const leaving = await listen(
    createTcpServer((socket) => socket.once('data', () => socket.end())),
    'http',
    'localhost',
  );
  const left = await send(poolOf(leaving.url.replace('http:', 'https:'))).answered;
  expect(left).toMatchObject({ hasStarted: false, status: 0, error: { code: 'HANDSHAKE_CLOSED' } });
});

test('handshakes that fail, by the hundred, leave no connection behind', async () => {
  const failing = [
    await serve({ dns: ['other.example'] }, 'localhost'),
    await listen(
      createHttpsServer({ ...(await authority.certify('demanding', { dns: ['localhost'] })), requestCert: true }),
      'https',
      'localhost',
    ),
    await listen(
      createTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
      'http',
      'localhost',
    ),
    await listen(
      createTcpServer((socket) => socket.resume()),
      'http',
      'localhost',
    ),
  ];
  const pools = failing.map(({ url }) =>
    poolOf(url.replace('http:', 'https:'), { connectTimeoutMs: 500 }, { secureContext: () => trusting }),
  );
  const requests = pools.flatMap((pool) => Array.from({ length: 100 }, () => send(pool).answered));
  const answers = await Promise.all(requests);
  expect(answers.filter(({ error }) => error === undefined)).toEqual([]);
  // Resolves when no connection is left.
  await Promise.all(pools.map((pool) => pool.close()));
  for (const server of failing) await until('the target has no connection', () => server.sockets.size === 0);
});

interface Relayed {
  url: string;
  /** Ends the TCP connection to the client, without a close_notify of TLS. */
  cut: () => void;
  /** Keeps what the target sends until `release`. */
  hold: () => { release: () => void; isHeld: () => boolean };
}

/** A real TLS server behind a relay of TCP. */
async function behindRelay(onConnection: (socket: TLSSocket) => void): Promise<Relayed> {
  const options = await authority.certify('target-relay', { dns: ['localhost'] });
  const server = await listen(createTlsServer(options, onConnection), 'https', 'localhost');
  let client: Socket | undefined;
  let held: Buffer[] | undefined;
  const relay = await listen(
    createTcpServer((socket) => {
      client = socket;
      const onward = connect(Number(new URL(server.url).port), '127.0.0.1');
      onTestFinished(() => {
        onward.destroy();
      });
      onward.on('error', () => {});
      socket.pipe(onward, { end: false });
      onward.on('data', (bytes: Buffer) => {
        if (held === undefined) socket.write(bytes);
        else held.push(bytes);
      });
      onward.on('end', () => socket.end());
    }),
    'http',
    'localhost',
  );
  return {
    url: relay.url.replace('http:', 'https:'),
    cut: () => client?.end(),
    hold: () => {
      const bytes: Buffer[] = [];
      held = bytes;
      const release = (): void => {
        held = undefined;
        client?.write(Buffer.concat(bytes));
      };
      return { release, isHeld: () => bytes.length > 0 };
    },
  };
}

describe('an unsolicited response on an idle connection', () => {
  const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  const EVIL = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';

  test.each([
    ['just before', true],
    ['just after', false],
  ])('that the event loop sees %s the next request is no response to it', async (_, isFirst) => {
    const targets: TLSSocket[] = [];
    const { url, hold } = await behindRelay((socket) => {
      targets.push(socket);
      socket.on('data', () => socket.write(OK));
    });
    const pool = poolOf(url, {}, { secureContext: () => trusting });
    expect(await textOf(pool)).toBe('ok');
    const { release, isHeld } = hold();
    targets[0]?.write(EVIL);
    await until('its bytes are in the relay', isHeld);
    // The request is sent in the turn in which a plain connection reads.
    const bell = await listen(createTcpServer());
    const client = connect(Number(new URL(bell.url).port), '127.0.0.1');
    onTestFinished(() => {
      client.destroy();
    });
    await until('the bell is connected', () => bell.sockets.size === 1);
    const answer = once(client, 'data').then(() => send(pool).answered);
    const ring = (): void => {
      for (const socket of bell.sockets) socket.write('now');
    };
    if (!isFirst) ring();
    release();
    if (isFirst) ring();
    const { error, body } = await answer;
    expect([error, body.toString(), targets.length]).toEqual([undefined, 'ok', 2]);
  });
});

describe('a response delimited only by the end of its TLS connection', () => {
  const UNDELIMITED = 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nthe first half';

  const answering = (onRequest: (socket: TLSSocket) => void): Promise<Relayed> =>
    behindRelay((socket) => socket.once('data', () => onRequest(socket)));

  test('is truncated when TCP ends without close_notify', async () => {
    const { url, cut } = await answering((socket) => socket.write(UNDELIMITED));
    const sent = send(poolOf(url, {}, { secureContext: () => trusting }));
    await until('half of it has arrived', () => sent.soFar.body.length > 0);
    cut();
    expect(await sent.answered).toMatchObject({ status: 200, error: { code: 'ECONNRESET' } });
  });

  test('is truncated with close_notify too, because Node reports both ends alike', async () => {
    const { url } = await answering((socket) => socket.end(UNDELIMITED));
    const answer = await send(poolOf(url, {}, { secureContext: () => trusting })).answered;
    expect(answer).toMatchObject({ status: 200, error: { code: 'ECONNRESET' } });
    expect(answer.body.toString()).toBe('the first half');
  });

  test('is complete if a length or chunks delimit it', async () => {
    for (const text of [
      'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nwhole',
      'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n',
    ]) {
      const { url } = await answering((socket) => socket.end(text));
      expect(await textOf(poolOf(url, {}, { secureContext: () => trusting }))).toBe('whole');
    }
  });
});
