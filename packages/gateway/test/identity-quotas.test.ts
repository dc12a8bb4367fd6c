/** Quotas of clients with credentials: failed authentications of an address, and open connections, at gateways over real sockets. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { request } from 'undici';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { valueIn } from '../../../test/harness/exposition.ts';
import { type ConfigOverrides, regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import { until } from '../../../test/harness/until.ts';
import { upstream } from './fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-identity-quotas-'));
afterAll(() => rmSync(directory, { recursive: true }));

const NAMES = ['alice', 'bob', 'carol'];
const keyOf = (name: string): string => `key-of-${name}-0123456789abcdef0123456789`;
const file = join(directory, 'keys.yaml');
const hashOf = (name: string): string => createHash('sha256').update(keyOf(name)).digest('hex');
writeFileSync(file, NAMES.map((name) => `- name: ${name}\n  key: sha256$${hashOf(name)}\n`).join(''), { mode: 0o600 });

/** A gateway without trusted peers, whose clock stops once it has started, and is set by the test. */
async function start(quotas: object, others: ConfigOverrides = {}) {
  const east = await upstream();
  const clock = { nowMs: 0, isSet: false };
  const gw = await startGateway(
    { regions: regions({ east: east.url }), auth: { apiKeys: { file } }, trust: {}, quotas, ...others },
    { now: () => (clock.isSet ? clock.nowMs : performance.now()) },
  );
  onTestFinished(gw.close);
  Object.assign(clock, { nowMs: performance.now(), isSet: true });
  return { gw, clock };
}

async function metric(gw: TestGateway, name: string, labels: Record<string, string>): Promise<number> {
  return valueIn(await (await request(`${gw.adminUrl}/metrics`)).body.text(), name, labels);
}

test('an address with too many wrong credentials gets 429 for all that are not known, and nothing is verified', async () => {
  const { gw, clock } = await start(
    { failedAuthentications: { perMinute: 10, burst: 3 } },
    { trust: { proxies: ['127.0.0.1'] } },
  );
  const ask = async (address: string, key: string | undefined): Promise<[number, unknown]> => {
    const headers: Record<string, string> = { 'x-forwarded-for': address };
    if (key !== undefined) headers['x-api-key'] = key;
    const response = await request(`${gw.url}/topics/t`, { headers });
    await response.body.dump();
    return [response.statusCode, response.headers['retry-after']];
  };
  const [nat, elsewhere] = ['192.0.2.1', '192.0.2.2'];
  expect(await ask(nat, keyOf('alice'))).toEqual([200, undefined]);
  // Without credentials there is nothing to guess.
  for (let count = 0; count < 5; count += 1) expect((await ask(nat, undefined))[0]).toBe(401);
  for (let count = 0; count < 3; count += 1) expect((await ask(nat, `wrong-${count}`))[0]).toBe(401);
  const failures = await metric(gw, 'causeway_authentications_total', { method: 'apiKey', outcome: 'failed' });
  for (let count = 0; count < 3; count += 1) expect(await ask(nat, `wrong-${count}`)).toEqual([429, '6']);
  expect(await metric(gw, 'causeway_authentications_total', { method: 'apiKey', outcome: 'failed' })).toBe(failures);
  expect(await metric(gw, 'causeway_quota_refused_total', { limit: 'failedAuthentications', principal: 'none' })).toBe(
    3,
  );
  // Clients with the right credentials, and others without any, share the address with the guesser and notice nothing.
  expect(await ask(nat, keyOf('alice'))).toEqual([200, undefined]);
  expect((await ask(nat, undefined))[0]).toBe(401);
  expect((await ask(elsewhere, 'wrong'))[0]).toBe(401);
  clock.nowMs += 6_000;
  expect((await ask(nat, 'wrong'))[0]).toBe(401);
  expect(await ask(nat, 'wrong')).toEqual([429, '6']);
});

/** A client with one connection. */
class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  socket: Socket | undefined;

  constructor({ url }: TestGateway) {
    this.#url = url;
    onTestFinished(() => this.#agent.destroy());
  }

  async ask(name?: string): Promise<number> {
    const headers = name === undefined ? {} : { 'x-api-key': keyOf(name) };
    const sent = requestHttp(`${this.#url}/topics/t`, { agent: this.#agent, headers });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    this.socket = response.socket;
    response.resume();
    await once(response, 'end');
    return response.statusCode ?? 0;
  }
}

test('connections beyond those of a principal get 429 and are closed; one that closes makes room', async () => {
  const { gw } = await start({ principals: [{ principals: ['alice'], maxConnections: 2 }] });
  const [one, two, three, others] = [new Client(gw), new Client(gw), new Client(gw), new Client(gw)];
  expect([await one.ask('alice'), await two.ask('alice')]).toEqual([200, 200]);
  expect([await three.ask('alice'), await others.ask('bob')]).toEqual([429, 200]);
  await until('it is closed', () => three.socket?.destroyed === true);
  expect(await metric(gw, 'causeway_quota_refused_total', { limit: 'maxConnections', principal: 'alice' })).toBe(1);
  // The connection of another principal is one, too, once alice uses it; those that she has stay.
  expect([await others.ask('alice'), await one.ask('alice')]).toEqual([429, 200]);
  // Another principal takes one over.
  expect([await two.ask('bob'), await three.ask('alice')]).toEqual([200, 200]);
  one.socket?.destroy();
  await until('there is room', async () => (await new Client(gw).ask('alice')) === 200);
});

test('over HTTP/2, the connection ends with the responses that are under way', async () => {
  const { gw } = await start(
    { principals: [{ principals: ['alice'], maxConnections: 1 }] },
    { listen: { port: 0, http2: { isEnabled: true } } },
  );
  expect(await new Client(gw).ask('alice')).toBe(200);
  const session = connectHttp2(gw.url);
  onTestFinished(() => session.destroy());
  const asked = { ':path': '/topics/t', 'x-api-key': keyOf('alice') };
  const closed = once(session, 'close');
  const answers = await Promise.all([fetchHttp2(session, asked), fetchHttp2(session, asked)]);
  expect(answers.map(({ status }) => status)).toEqual([429, 429]);
  expect(JSON.parse(answers[0]?.text ?? '').message).toBe('The quota maxConnections (1) is used up: retry after 1 s.');
  await closed;
});

test.each(['without', 'with'])(
  'connections of an address beyond its number are closed before their first byte, %s TLS',
  async (tls) => {
    const authority = await TestAuthority.create(directory);
    const { certFile, keyFile } = await authority.certify('gateway', { ip: ['127.0.0.1'] });
    const listen = { port: 0, ...(tls === 'with' ? { tls: { certFile, keyFile } } : {}) };
    const { gw } = await start({ default: { maxConnections: 2 } }, { listen });
    const { hostname: host, port } = new URL(gw.url);
    const open = (): Socket => {
      const options = { host, port: Number(port) };
      const socket = tls === 'with' ? connectTls({ ...options, ca: authority.cert }) : connect(options);
      socket.on('error', () => {});
      onTestFinished(() => {
        socket.destroy();
      });
      return socket;
    };
    const ready = async (socket: Socket): Promise<Socket> => {
      await once(socket, tls === 'with' ? 'secureConnect' : 'connect');
      return socket;
    };
    const ask = async (socket: Socket, name: string): Promise<string> => {
      socket.write(`GET /topics/t HTTP/1.1\r\nhost: a\r\nx-api-key: ${keyOf(name)}\r\n\r\n`);
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      return chunk.toString().split('\r\n', 1)[0] ?? '';
    };
    const [one, two] = [await ready(open()), await ready(open())];
    const three = open();
    await until('it is closed', () => three.closed);
    const labels = { listener: gw.gateway.config.listen?.name ?? '127.0.0.1:0', reason: 'addressQuota' };
    await until('it is counted', async () => (await metric(gw, 'causeway_connections_refused_total', labels)) === 1);
    const events = gw.gateway.events.recent().filter((event) => event.type === 'connectionsRefused');
    expect(events.map(({ reason }) => reason)).toEqual([
      '127.0.0.1 has 2 connections without an authenticated client (quotas.default.maxConnections)',
    ]);
    // A connection with an authenticated request is its principal's: the address has room again.
    expect(await ask(one, 'alice')).toContain('200');
    const four = await ready(open());
    expect([await ask(four, 'alice'), await ask(two, 'alice')]).toEqual([
      expect.stringContaining('200'),
      expect.stringContaining('429'),
    ]);
  },
);

test('the connections of a trusted proxy, which carry many clients, do not count', async () => {
  const { gw } = await start(
    { default: { maxConnections: 1 } },
    { trust: { proxies: ['127.0.0.1'] }, listen: { port: 0 } },
  );
  const clients = Array.from({ length: 5 }, () => new Client(gw));
  expect(await Promise.all(clients.map((client) => client.ask('alice')))).toEqual([200, 200, 200, 200, 200]);
});
