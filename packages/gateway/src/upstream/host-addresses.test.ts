/** Connections follow the addresses of a host, which a real DNS server changes while requests flow. */

import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/harness/certificates.ts';
import { DnsServer } from '../../../../test/harness/dns-server.ts';
import { listen, poolOf, send, textOf } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import type { ConnectionPool } from './connection-pool.ts';
import { HostAddresses, type HostLookup } from './host-addresses.ts';
import type { TransportDefaults } from './transport.ts';

const NAME = 'lb.east.example';
const QUICK_MS = 20;
const NEVER_MS = 3_600_000;

async function dns(addresses: readonly string[]): Promise<DnsServer> {
  const server = await DnsServer.start();
  onTestFinished(() => server.close());
  server.set(NAME, addresses);
  return server;
}

function lookupAt(server: DnsServer): HostLookup {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([server.address]);
  onTestFinished(() => resolver.cancel());
  return async (host) => {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [v6, v4].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length === 0) throw (v4 as PromiseRejectedResult).reason;
    return found;
  };
}

interface Followed {
  hosts: HostAddresses;
  problems: (string | undefined)[];
  pool(url: string, defaults?: TransportDefaults): ConnectionPool;
}

function follow(server: DnsServer, refreshMs = QUICK_MS): Followed {
  const problems: (string | undefined)[] = [];
  const hosts = new HostAddresses({
    lookup: lookupAt(server),
    refreshMs: () => refreshMs,
    onProblem: ({ problem }) => problems.push(problem),
    random: Math.random,
    now: () => performance.now(),
  });
  return { hosts, problems, pool: (url, defaults) => poolOf(url, {}, { ...defaults, hosts }) };
}

interface Place {
  server: Server;
  sockets: Set<Socket>;
  requestCount: number;
}

/** Servers at several addresses with one port, which the first one gets from the system. Each responds with its address. */
async function places(
  addresses: readonly string[],
  create: (listener: RequestListener) => Server = (listener) => createServer({ keepAliveTimeout: 60_000 }, listener),
): Promise<{ port: number; at: Record<string, Place> }> {
  for (;;) {
    const at: Record<string, Place> = {};
    let port = 0;
    try {
      for (const address of addresses) {
        const place: Place = { server: create((_, response) => answer(response)), sockets: new Set(), requestCount: 0 };
        const answer = (response: Parameters<RequestListener>[1]): void => {
          place.requestCount += 1;
          response.end(address);
        };
        at[address] = place;
        place.server.on('connection', (socket: Socket) => {
          place.sockets.add(socket);
          socket.on('error', () => {});
          socket.on('close', () => place.sockets.delete(socket));
        });
        place.server.listen(port, address);
        await once(place.server, 'listening');
        port = (place.server.address() as AddressInfo).port;
      }
      onTestFinished(() => Promise.all(Object.values(at).map(stop)).then(() => {}));
      return { port, at };
    } catch (error) {
      await Promise.all(Object.values(at).map(stop));
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

async function stop({ server, sockets }: Place): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

/** A certificate for the name, and a context that trusts it. */
async function certified(): Promise<{ cert: string; key: string; context: SecureContext }> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-moved-'));
  const authority = await TestAuthority.create(directory);
  const { cert, key } = await authority.certify('target', { dns: [NAME] });
  rmSync(directory, { recursive: true });
  return { cert, key, context: createSecureContext({ ca: authority.cert }) };
}

/** Sends requests on four connections until `isOver`. Every one must succeed; returns who responded. */
async function traffic(pool: ConnectionPool, isOver: () => boolean): Promise<string[]> {
  const texts: string[] = [];
  const client = async (): Promise<void> => {
    while (!isOver()) texts.push(await textOf(pool));
  };
  await Promise.all([client(), client(), client(), client()]);
  return texts;
}

const [OLD, NEW] = ['127.0.0.1', '127.0.0.2'];

describe('a host that moves while the old address still answers', () => {
  test('takes all traffic along, and no request fails', async () => {
    const server = await dns([OLD]);
    const { port, at } = await places([OLD, NEW]);
    const pool = follow(server).pool(`http://${NAME}:${port}`);
    let isOver = false;
    const texts = traffic(pool, () => isOver);
    await until('the old address has the traffic', () => (at[OLD]?.requestCount ?? 0) > 20);
    server.set(NAME, [NEW]);
    await until('the new address has it', () => (at[NEW]?.requestCount ?? 0) > 20);
    await until('the old connections are closed', () => at[OLD]?.sockets.size === 0);
    const oldCount = at[OLD]?.requestCount;
    const newCount = at[NEW]?.requestCount ?? 0;
    await until('the traffic continues', () => (at[NEW]?.requestCount ?? 0) > newCount + 20);
    isOver = true;
    expect(new Set(await texts)).toEqual(new Set([OLD, NEW]));
    expect(at[OLD]?.requestCount).toBe(oldCount);
  });

  test('lets a request in flight end where it is, and then its connection', async () => {
    const server = await dns([OLD]);
    const held: Parameters<RequestListener>[1][] = [];
    const { port, at } = await places([OLD, NEW], (listener) =>
      createServer((incoming, response) => {
        if (incoming.url === '/poll') held.push(response);
        else listener(incoming, response);
      }),
    );
    const pool = follow(server).pool(`http://${NAME}:${port}`);
    const poll = send(pool, { path: '/poll' });
    await until('the poll is there', () => held.length === 1);
    server.set(NAME, [NEW]);
    await until('others go to the new address', async () => (await textOf(pool)) === NEW);
    expect(at[OLD]?.sockets.size).toBe(1);
    held[0]?.end('records');
    const { error, body } = await poll.answered;
    expect([error, body.toString()]).toEqual([undefined, 'records']);
    await until('its connection is closed', () => at[OLD]?.sockets.size === 0);
  });

  test('lets a connection that is still opening carry its request, and no other one', async () => {
    const { cert, key, context } = await certified();
    const server = await dns([OLD]);
    const secure = createSecureServer({ cert, key, keepAliveTimeout: 60_000 }, (_, response) => response.end('here'));
    const held: Socket[] = [];
    const listening = await listen(createTcpServer((socket) => held.push(socket)));
    const { hosts, pool: poolAt } = follow(server);
    const pool = poolAt(`https://${NAME}:${new URL(listening.url).port}`, { secureContext: () => context });
    const answer = textOf(pool);
    await until('the handshake waits', () => held.length === 1);
    server.set(NAME, [NEW]);
    await until('the host has moved', () => hosts.known[0]?.addresses.includes(NEW) === true);
    secure.emit('connection', held[0]);
    expect(await answer).toBe('here');
    await until('the connection is closed', () => listening.sockets.size === 0);
  });

  test('keeps its name in TLS and in Host', async () => {
    const { cert, key, context } = await certified();
    const names: unknown[] = [];
    const server = await dns([OLD]);
    const { port } = await places([OLD, NEW], (listener) =>
      createSecureServer({ cert, key }, (incoming, response) => {
        names.push([(incoming.socket as TLSSocket).servername, incoming.headers.host]);
        listener(incoming, response);
      }),
    );
    const pool = follow(server).pool(`https://${NAME}:${port}`, { secureContext: () => context });
    expect(await textOf(pool)).toBe(OLD);
    server.set(NAME, [NEW]);
    await until('the new address serves', async () => (await textOf(pool)) === NEW);
    expect(new Set(names.map((pair) => JSON.stringify(pair)))).toEqual(
      new Set([JSON.stringify([NAME, `${NAME}:${port}`])]),
    );
  });
});

test('a connection that fails has its host looked up again at once', async () => {
  const server = await dns([OLD]);
  const { port, at } = await places([OLD, NEW]);
  const pool = follow(server, NEVER_MS).pool(`http://${NAME}:${port}`);
  expect(await textOf(pool)).toBe(OLD);
  server.set(NAME, [NEW]);
  await stop(at[OLD] as Place);
  await until('requests go to the new address', async () => {
    const { error, body } = await send(pool).answered;
    return error === undefined && body.toString() === NEW;
  });
});

describe('a host that stops resolving', () => {
  test.each([
    ['with NXDOMAIN', (server: DnsServer) => server.remove(NAME)],
    ['with SERVFAIL', (server: DnsServer) => server.fail(NAME, 'SERVFAIL')],
    ['without any answer', (server: DnsServer) => server.fail(NAME, 'SILENT')],
  ])('%s keeps its address, and is reported once', async (_, fail) => {
    const server = await dns([OLD]);
    const { port, at } = await places([OLD]);
    const { pool: poolAt, problems, hosts } = follow(server);
    const pool = poolAt(`http://${NAME}:${port}`);
    expect(await textOf(pool)).toBe(OLD);
    fail(server);
    await until('it is reported', () => problems.length === 1);
    const { failed } = hosts.known[0]?.counts ?? { failed: 0 };
    // New connections do not wait for the server.
    const answers = await Promise.all(Array.from({ length: 20 }, () => textOf(pool)));
    expect(new Set(answers)).toEqual(new Set([OLD]));
    expect(at[OLD]?.sockets.size).toBe(20);
    await until('it was asked for again', () => (hosts.known[0]?.counts.failed ?? 0) > failed);
    expect(problems).toEqual([expect.any(String)]);
    expect(hosts.known).toMatchObject([{ name: NAME, addresses: [OLD], problem: expect.any(String) }]);
    server.set(NAME, [OLD]);
    await until('its return is reported', () => problems.length === 2);
    expect(problems[1]).toBeUndefined();
  });
});

describe('before the first answer', () => {
  test('all connections wait for one lookup', async () => {
    const server = await dns([OLD]);
    const { port } = await places([OLD]);
    const pool = follow(server, NEVER_MS).pool(`http://${NAME}:${port}`);
    const texts = await Promise.all(Array.from({ length: 20 }, () => textOf(pool)));
    expect(new Set(texts)).toEqual(new Set([OLD]));
    expect(server.countOf(NAME, 'A')).toBe(1);
  });

  test('a connection to an unknown name fails without that name in the message, and the name is used once it exists', async () => {
    const server = await dns([OLD]);
    server.remove(NAME);
    const { port } = await places([OLD]);
    const pool = follow(server).pool(`http://${NAME}:${port}`);
    expect(await send(pool).answered).toMatchObject({
      hasStarted: false,
      error: { code: 'ENOTFOUND', message: 'host name not found' },
    });
    server.set(NAME, [OLD]);
    await until('it is used', async () => (await send(pool).answered).error === undefined);
  });

  test('a DNS server that does not answer takes no longer than a connection may', async () => {
    const server = await dns([OLD]);
    server.fail(NAME, 'SILENT');
    const { hosts } = follow(server);
    const pool = poolOf(`http://${NAME}:9`, { connectTimeoutMs: 50 }, { hosts });
    expect(await send(pool).answered).toMatchObject({ hasStarted: false, error: { code: 'ETIMEDOUT' } });
  });
});

describe('a host with several addresses', () => {
  test('gets connections to each of them in turn', async () => {
    const server = await dns([OLD, NEW]);
    const { port, at } = await places([OLD, NEW]);
    const pool = follow(server).pool(`http://${NAME}:${port}`);
    await Promise.all(Array.from({ length: 10 }, () => textOf(pool)));
    expect([at[OLD]?.sockets.size, at[NEW]?.sockets.size]).toEqual([5, 5]);
  });

  test.each([
    ['of which one refuses connections', [OLD, NEW]],
    ['of which that of IPv6 refuses connections', ['::1', OLD]],
  ])('%s is reached at the other one', async (_, addresses) => {
    const server = await dns(addresses);
    const { port } = await places([OLD]);
    const pool = follow(server).pool(`http://${NAME}:${port}`);
    const texts = await Promise.all(Array.from({ length: 6 }, () => textOf(pool)));
    expect(new Set(texts)).toEqual(new Set([OLD]));
  });

  test('loses only the connections to an address that goes', async () => {
    const server = await dns([OLD, NEW]);
    const { port, at } = await places([OLD, NEW]);
    const { pool: poolAt } = follow(server);
    const pool = poolAt(`http://${NAME}:${port}`);
    await Promise.all(Array.from({ length: 10 }, () => textOf(pool)));
    server.set(NAME, [NEW]);
    await until('connections to it are closed', () => at[OLD]?.sockets.size === 0);
    expect(at[NEW]?.sockets.size).toBe(5);
  });
});

test('a host is looked up once for all transports to it, and no more when they are closed', async () => {
  const server = await dns([OLD]);
  const { port } = await places([OLD]);
  const { hosts, pool: poolAt } = follow(server, NEVER_MS);
  const pools = [
    poolAt(`http://${NAME}:${port}`),
    poolAt(`http://${NAME}:${port}`),
    poolAt(`http://127.0.0.1:${port}`),
  ];
  await Promise.all(pools.map((pool) => textOf(pool)));
  expect(server.countOf(NAME, 'A')).toBe(1);
  await pools[0]?.close();
  expect(hosts.known).toHaveLength(1);
  await pools[1]?.close();
  expect(hosts.known).toEqual([]);
});
