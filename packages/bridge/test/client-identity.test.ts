/** Requests that use Kafka as their clients (`kafka.identity: client`), on a Kafka that knows clients by SASL and has ACLs. */
import { generateKeyPairSync } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { queryObjects } from 'node:v8';
import { BridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { Connection, ConnectionPool } from '@platformatic/kafka';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { watchPools } from '../../../test/harness/connection-pools.ts';
import { parseExposition, valueIn } from '../../../test/harness/exposition.ts';
import { regions, startGateway } from '../../../test/harness/gateway.ts';
import { basic, bearer, IdentityClient } from '../../../test/harness/identity-client.ts';
import {
  BRIDGE_USER,
  IdentityKafka,
  type IdentityListener,
  PLAIN_CLIENT,
} from '../../../test/harness/identity-kafka.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { unsecuredToken } from '../../../test/harness/token-endpoint.ts';
import { PROOF, TEST_TRUST } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { Bridge } from '../src/app.ts';
import { ACCEPTANCE_MS, MAX_VERIFYING } from '../src/kafka/accounts/accounts.ts';
import { Cluster } from '../src/kafka/client/cluster.ts';
import { within } from '../src/kafka/client/limits.ts';
import { KafkaSecurity } from '../src/kafka/client/security.ts';
import { Batcher } from '../src/producer/batcher.ts';

let kafka: IdentityKafka;
let shared: TestBridge;

beforeAll(async () => {
  kafka = await IdentityKafka.start();
  shared = await startBridge();
}, 240_000);

afterAll(async () => {
  await shared?.close();
  await kafka?.close();
});

function identityConfig(listener: IdentityListener): BridgeConfig {
  const file = {
    bridge: { name: unique('b'), region: 'east' },
    listen: { port: 0 },
    trust: TEST_TRUST,
    kafka: { bootstrapServers: [kafka.address(listener)], sasl: BRIDGE_USER, identity: 'client' },
  };
  return parseConfig('test', JSON.stringify(file), { schema: BridgeConfig, env: {} });
}

interface BridgeOptions {
  listener?: IdentityListener;
  clients?: object;
  name?: string;
}

async function startBridge({ listener = 'sasl', clients = {}, name = unique('b') }: BridgeOptions = {}) {
  const bridge = await TestBridge.start(kafka.address(listener), {
    bridge: { name },
    // A member outlives the stalls of a busy machine.
    kafka: { sasl: BRIDGE_USER, identity: 'client', clients, sessionTimeoutMs: 60_000 },
  });
  await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
  return bridge;
}

/** A bridge for one test. */
async function ownBridge(options: BridgeOptions): Promise<TestBridge> {
  const bridge = await startBridge(options);
  onTestFinished(() => bridge.close());
  return bridge;
}

interface Tenant {
  user: string;
  headers: Record<string, string>;
  topic: string;
  group: string;
}

/** A user of SCRAM, or the subject of tokens, with the rights on one topic and one group, and no others. */
async function tenant({ password = 'secret:1,=2' } = {}): Promise<Tenant> {
  const [user, topic, group] = [unique('user'), await kafka.view.topic(), unique('group')];
  await kafka.setPassword(user, password);
  await kafka.allow(user, 'TOPIC', topic, ['READ', 'WRITE', 'DESCRIBE_CONFIGS']);
  await kafka.allow(user, 'GROUP', group, ['READ']);
  return { user, headers: basic(user, password), topic, group };
}

const TOPIC_REFUSAL = /Not authorized to access topics/;

describe("Kafka's ACLs decide what a client may do", () => {
  test('with SCRAM', async () => {
    const { headers, topic, group } = await tenant();
    const other = await tenant();
    const client = new IdentityClient(shared, headers);
    const path = await client.consumer(group, 'c', [topic]);
    expect((await client.produce(topic, 'mine')).body).toEqual({ offsets: [{ partition: 0, offset: 0 }] });
    expect(await client.take(path)).toEqual(['mine']);
    expect((await client.post(`${path}/offsets`, { offsets: [{ topic, partition: 0, offset: 1 }] })).status).toBe(204);
    expect(await kafka.view.committed(group, topic)).toEqual([1]);
    expect((await client.get('/topics')).body).toEqual([topic]);
    expect((await client.get(`/topics/${topic}`)).body).toMatchObject({ name: topic });

    for (const refused of ['', '/partitions', '/partitions/0', '/partitions/0/offsets']) {
      const { status, body } = await client.get(`/topics/${other.topic}${refused}`);
      expect([status, body.message]).toEqual([403, expect.stringMatching(TOPIC_REFUSAL)]);
    }
    const message = expect.stringMatching(TOPIC_REFUSAL);
    expect((await client.produce(other.topic, 'x')).body.offsets).toMatchObject([{ error_code: 403, message }]);
    expect((await client.post('/admin/topics', { topic_name: unique('new') })).status).toBe(403);
    const foreignTopic = await client.consumer(group, 'reads-theirs', [other.topic]);
    expect(await client.get(`${foreignTopic}/records?timeout=3000`)).toMatchObject({ status: 403, body: { message } });
    const foreignGroup = await client.consumer(other.group, 'joins-theirs', [topic]);
    expect(await client.get(`${foreignGroup}/records?timeout=3000`)).toMatchObject({
      status: 403,
      body: { message: expect.stringMatching(/Not authorized to access group/) },
    });
    for (const consumer of [path, foreignTopic, foreignGroup]) expect((await client.delete(consumer)).status).toBe(204);
  });

  test('with PLAIN, and a password with colons', async () => {
    const bridge = await ownBridge({ clients: { mechanisms: ['PLAIN'] } });
    const [topic, name] = [await kafka.view.topic(), unique('created')];
    const client = new IdentityClient(bridge, basic(PLAIN_CLIENT.username, PLAIN_CLIENT.password));
    expect((await client.produce(topic, 'v')).body).toMatchObject({ offsets: [{ error_code: 403 }] });
    await kafka.allow(PLAIN_CLIENT.username, 'TOPIC', topic, ['WRITE']);
    await until('it is allowed', () => client.hasProduced(topic, 'v'));
    await kafka.allow(PLAIN_CLIENT.username, 'TOPIC', name, ['CREATE']);
    await until('it is allowed', async () => (await client.post('/admin/topics', { topic_name: name })).status === 201);
  });

  test('with OAUTHBEARER', async () => {
    const [subject, topic] = [unique('subject'), await kafka.view.topic()];
    const client = new IdentityClient(shared, bearer(unsecuredToken({ subject })));
    expect((await client.produce(topic, 'v')).body).toMatchObject({ offsets: [{ error_code: 403 }] });
    await kafka.allow(subject, 'TOPIC', topic, ['WRITE']);
    await until('it is allowed', () => client.hasProduced(topic, 'v'));
  });
});

test('Kafka verifies the signatures of tokens, which the bridge does not know', async () => {
  const bridge = await ownBridge({ listener: 'signed' });
  const [sub, topic] = [unique('subject'), await kafka.view.topic()];
  await kafka.allow(sub, 'TOPIC', topic, ['WRITE']);
  const good = kafka.signToken({ sub });
  await until('it is allowed', () => new IdentityClient(bridge, bearer(good)).hasProduced(topic, 'v'));
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const other = kafka.signToken({ sub: unique('subject') });
  const claimsOfAnother = [other.split('.')[0], good.split('.')[1], other.split('.')[2]].join('.');
  for (const bad of [
    kafka.signToken({ sub }, stranger),
    kafka.signToken({ sub, aud: 'another' }),
    kafka.signToken({ sub, exp: Math.floor(Date.now() / 1000) - 3600 }),
    unsecuredToken({ subject: sub }),
    claimsOfAnother,
  ]) {
    expect((await new IdentityClient(bridge, bearer(bad)).produce(topic, 'v')).status).toBe(401);
  }
  expect(await new IdentityClient(bridge, bearer(good)).hasProduced(topic, 'v')).toBe(true);
});

describe('without credentials that Kafka accepts', () => {
  test.each([
    ['none', {}],
    ['a scheme that Kafka does not have', { authorization: 'Digest username="a"' }],
    ['no base64', { authorization: 'Basic %%%' }],
    ['no name', basic('', 'secret')],
    ['a control character', basic('a\0b', 'secret')],
    ['an opaque token', bearer('opaque')],
    ['a token without a subject', bearer(unsecuredToken({ subject: '' }))],
    ['a token that has expired', bearer(unsecuredToken({ lifetimeMs: -60_000 }))],
    ['an unknown user', basic(unique('unknown'), 'secret')],
    ['no password', basic(unique('unknown'), '')],
    ['signs that SCRAM writes in another way', basic('a,n=b=2C', 'se,cr=et')],
    ['signs beyond ASCII', basic('\u00e4\u{1f980}\u00ad\u200b', '\u0627\u00a0a')],
    ['a long name', basic('n'.repeat(5_000), 'secret')],
  ])('%s: 401', async (_what, headers) => {
    const client = new IdentityClient(shared, headers);
    for (const answer of [
      await client.get('/topics'),
      await client.produce('t', 'v'),
      await client.post('/consumers/g', {}),
      await client.get('/consumers/g/instances/c/records'),
    ]) {
      expect(answer).toMatchObject({ status: 401, body: { error_code: 401 } });
      expect(answer.headers.get('www-authenticate')).toBe('Basic realm="kafka", charset="UTF-8", Bearer realm="kafka"');
    }
    for (const open of ['/', '/healthy', '/ready', '/openapi', '/metrics']) {
      expect([open, (await client.get(open)).status < 300]).toEqual([open, true]);
    }
  });

  test('an Idempotency-Key: its records would be stored in a transaction of the bridge, and not as the client', async () => {
    const { headers, topic } = await tenant();
    const client = new IdentityClient(shared, { ...headers, 'idempotency-key': unique('key') });
    const { status, body } = await client.produce(topic, 'mine');
    expect([status, body.message]).toEqual([501, expect.stringContaining('kafka.identity: client')]);
    expect(await kafka.view.admin.fetchTopicOffsets(topic)).toMatchObject([{ high: '0' }]);
  });

  test('a mechanism that is not configured: 401 with those that are', async () => {
    const bridge = await ownBridge({ clients: { mechanisms: ['OAUTHBEARER'] } });
    const { headers } = await tenant();
    const answer = await new IdentityClient(bridge, headers).get('/topics');
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="kafka"']);
  });

  test('brokers are asked once about a wrong password, which is no failure of Kafka', async () => {
    const { user, headers } = await tenant();
    const wrong = new IdentityClient(shared, basic(user, 'wrong'));
    const right = new IdentityClient(shared, headers);
    expect((await right.get('/topics')).status).toBe(200);
    const errorsBefore = await kafkaErrors(shared);
    const pools = watchPools();
    expect((await wrong.get('/topics')).status).toBe(401);
    const { createdCount } = pools;
    expect(createdCount).toBeGreaterThan(0);
    for (let time = 0; time < 20; time += 1) expect((await wrong.get('/topics')).status).toBe(401);
    expect(pools.createdCount).toBe(createdCount);
    expect(pools.openCount).toBe(0);
    expect(await kafkaErrors(shared)).toEqual(errorsBefore);
    expect((await shared.get('/ready')).status).toBe(200);
    expect((await right.get('/topics')).status).toBe(200);
  });

  test('gateways ask no other region about a wrong password, and hold it against no bridge', async () => {
    const [east, west] = [await ownBridge({}), await ownBridge({})];
    const gateway = await startGateway({ regions: regions({ east: east.url, west: west.url }) });
    onTestFinished(() => gateway.close());
    const { user, headers, topic } = await tenant();
    const produce = (credentials: Record<string, string>): Promise<Response> =>
      fetch(`${gateway.url}/topics/${topic}`, {
        method: 'POST',
        headers: Object.assign({ 'content-type': 'application/vnd.kafka.json.v2+json' }, credentials),
        body: JSON.stringify({ records: [{ value: 'v' }] }),
      });
    const requestCount = 20;
    for (let time = 0; time < requestCount; time += 1) {
      const response = await produce(basic(user, 'wrong'));
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/Basic/),
      ]);
    }
    const texts = await Promise.all([east, west].map(async (bridge) => (await bridge.get('/metrics')).text));
    const counts = texts.map((text) => valueIn(text, 'causeway_bridge_kafka_refused_credentials_total'));
    expect(counts.reduce((sum, count) => sum + count)).toBe(requestCount);
    for (let time = 0; time < requestCount; time += 1) expect((await produce(headers)).status).toBe(200);
  });
});

async function kafkaErrors(bridge: TestBridge): Promise<unknown> {
  const { text } = await bridge.get('/metrics');
  return parseExposition(text).get('causeway_bridge_kafka_errors_total');
}

const FROM_GATEWAY = Object.assign({ 'causeway-gateway': 'tier1' }, PROOF);

/** Its positions are in the bridge alone: a consumer that lost its membership would begin again. */
const NO_COMMITS = { 'enable.auto.commit': false };

describe('a consumer', () => {
  test("is closed to others, even with rights on its topic and group, and to the same client's other principals at gateways", async () => {
    const { headers, topic, group } = await tenant();
    const other = await tenant();
    await kafka.allow(other.user, 'TOPIC', topic, ['READ']);
    await kafka.allow(other.user, 'GROUP', group, ['READ']);
    const client = new IdentityClient(shared, headers);
    const path = await client.consumer(group, 'c', [topic]);
    const intruders = [other.headers, Object.assign({ 'causeway-principal': 'robot' }, FROM_GATEWAY, headers)];
    for (const intruder of intruders.map((credentials) => new IdentityClient(shared, credentials))) {
      expect((await intruder.get(`${path}/records?timeout=0`)).status).toBe(403);
      expect((await intruder.post(`${path}/offsets`, undefined)).status).toBe(403);
      expect((await intruder.delete(path)).status).toBe(403);
    }
    expect(await client.hasProduced(topic, 'v')).toBe(true);
    expect(await client.take(path)).toEqual(['v']);
    expect((await client.delete(path)).status).toBe(204);
  });

  test('is adopted with the credentials of the request that asks for it', async () => {
    const [east, west] = [shared, await ownBridge({})];
    const { user, headers, topic, group } = await tenant();
    const client = new IdentityClient(east, headers);
    const path = await client.consumer(group, 'c', [topic], NO_COMMITS);
    expect(await client.hasProduced(topic, 'first')).toBe(true);
    expect(await client.take(path)).toEqual(['first']);
    expect((await client.post(`${path}/offsets`, undefined)).status).toBe(204);
    const wrong = new IdentityClient(west, basic(user, 'wrong'));
    expect((await wrong.get(`${path}/records?timeout=0`)).status).toBe(401);
    const other = new IdentityClient(west, (await tenant()).headers);
    expect((await other.get(`${path}/records?timeout=0`)).status).toBe(403);
    // Neither took it from the bridge that has it.
    expect((await client.get(`${path}/records?timeout=0`)).body).toEqual([]);
    expect(await client.hasProduced(topic, 'second')).toBe(true);
    client.bridge = west;
    expect(await client.take(path)).toEqual(['second']);
    expect((await client.post(`${path}/offsets`, undefined)).status).toBe(204);
    expect(await kafka.view.committed(group, topic)).toEqual([2]);
    expect((await client.delete(path)).status).toBe(204);
  });

  test('continues with a new token while Kafka still accepts the old one, which then ends', {
    timeout: 300_000,
  }, async () => {
    const bridge = await ownBridge({ listener: 'brief' });
    const { client, user: subject, topic, path } = await briefConsumer(bridge);
    const old = new IdentityClient(bridge, client.headers);
    client.headers = bearer(unsecuredToken({ subject, lifetimeMs: 600_000 }));
    expect((await client.get(`${path}/records?timeout=0`)).body).toEqual([]);
    await untilRefused(old);
    expect(await client.hasProduced(topic, 'second')).toBe(true);
    expect(await client.take(path)).toEqual(['second']);
    expect((await client.delete(path)).status).toBe(204);
  });

  test('continues with a new token after Kafka refused the old one', { timeout: 300_000 }, async () => {
    const bridge = await ownBridge({ listener: 'brief' });
    const { client, user: subject, topic, path } = await briefConsumer(bridge);
    await untilRefused(client);
    client.headers = bearer(unsecuredToken({ subject }));
    expect(await client.hasProduced(topic, 'second')).toBe(true);
    expect(await client.take(path)).toEqual(['second']);
    expect((await client.delete(path)).status).toBe(204);
  });

  test('continues with a new password; the old one is refused once connections authenticate again', async () => {
    const bridge = await ownBridge({ listener: 'brief' });
    const { user, topic, group, headers: old } = await tenant();
    const client = new IdentityClient(bridge, old);
    const path = await client.consumer(group, 'c', [topic], NO_COMMITS);
    expect(await client.hasProduced(topic, 'first')).toBe(true);
    expect(await client.take(path)).toEqual(['first']);
    await kafka.setPassword(user, 'another');
    await untilRefused(client);
    client.headers = basic(user, 'another');
    await until('the new one is accepted', () => client.hasProduced(topic, 'second'));
    expect(await client.take(path)).toEqual(['second']);
    expect((await client.delete(path)).status).toBe(204);
  });

  test('moves to the credentials of its client that have other rights', { timeout: 300_000 }, async () => {
    const bridge = await ownBridge({ listener: 'brief' });
    const { client, user: subject, topic, path } = await briefConsumer(bridge);
    await untilRefused(client);
    // Claims that last differ, so these credentials never authenticate the connections that the consumer has.
    client.headers = bearer(unsecuredToken({ subject, scope: 'other' }));
    expect(await client.hasProduced(topic, 'second')).toBe(true);
    expect(await client.take(path)).toEqual(['second']);
    expect((await client.delete(path)).status).toBe(204);
  });
});

/** A consumer that has the record `first`, and whose client has a token that ends soon. */
async function briefConsumer(bridge: TestBridge): Promise<Tenant & { client: IdentityClient; path: string }> {
  // The token must not end before; how long that takes depends on the machine.
  for (let lifetimeMs = 4000; ; lifetimeMs *= 4) {
    const found = await tenant();
    const { user: subject, topic, group } = found;
    const client = new IdentityClient(bridge, bearer(unsecuredToken({ subject, lifetimeMs })));
    try {
      const path = await client.consumer(group, 'c', [topic], NO_COMMITS);
      await client.hasProduced(topic, 'first');
      expect(await client.take(path)).toEqual(['first']);
      return Object.assign(found, { client, path });
    } catch (error) {
      if (lifetimeMs > 60_000) throw error;
    }
  }
}

async function untilRefused(client: IdentityClient): Promise<void> {
  await until('the credentials are refused', async () => (await client.get('/topics')).status === 401, {
    timeoutMs: 100_000,
  });
}

describe('accounts', () => {
  test('are bounded: when all are in use, further clients are refused; an idle one makes room', async () => {
    const bridge = await ownBridge({ clients: { maxCount: 1 } });
    const [first, second] = [await tenant(), await tenant()];
    const client = new IdentityClient(bridge, first.headers);
    const path = await client.consumer(first.group, 'c', [first.topic]);
    const late = new IdentityClient(bridge, second.headers);
    const refused = await late.get('/topics');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await client.delete(path)).status).toBe(204);
    expect((await late.get('/topics')).body).toEqual([second.topic]);
    expect((await client.get('/topics')).body).toEqual([first.topic]);
    expect(valueIn((await bridge.get('/metrics')).text, 'causeway_bridge_kafka_identities')).toBe(1);
  });

  test('of 200 clients that come and go leave nothing behind', async () => {
    const bridge = await ownBridge({ listener: 'brief', clients: { maxCount: 40, idleMs: 1000 } });
    const topic = await kafka.view.topic();
    await kafka.allow('*', 'TOPIC', topic, ['WRITE']);
    await until('it is allowed', () =>
      new IdentityClient(bridge, bearer(unsecuredToken({ subject: 'first' }))).hasProduced(topic, 'v'),
    );
    await untilIdle(bridge);
    const before = usage();
    const openSockets = openSocketsTo(Number(kafka.address('brief').split(':')[1]));
    const subjects = Array.from({ length: 200 }, () => unique('client'));
    const takeTurns = async (): Promise<void> => {
      for (let subject = subjects.pop(); subject !== undefined; subject = subjects.pop()) {
        const client = new IdentityClient(bridge, bearer(unsecuredToken({ subject })));
        expect(await client.hasProduced(topic, 'v')).toBe(true);
      }
    };
    await Promise.all(Array.from({ length: 20 }, takeTurns));
    expect(valueIn((await bridge.get('/metrics')).text, 'causeway_bridge_kafka_identities')).toBeLessThanOrEqual(40);
    await untilIdle(bridge);
    await until(
      `no more than before is left: ${JSON.stringify(before)}`,
      () => {
        // The session log may have connected again meanwhile.
        expect(openSockets()).toBeLessThanOrEqual(before['connections'] ?? 0);
        const now = usage();
        if (Object.entries(before).every(([what, count]) => (now[what] ?? 0) <= count)) return true;
        throw new Error(JSON.stringify(now));
      },
      { timeoutMs: 60_000 },
    );
  });

  test('of connections that end, no timer of the next authentication is left', async () => {
    const { kafka: settings } = identityConfig('sasl');
    const token = unsecuredToken({ lifetimeMs: 3_600_000 });
    const sasl = Object.assign({}, settings.sasl, { mechanism: 'OAUTHBEARER', token });
    const security = new KafkaSecurity(Object.assign({}, settings, { sasl }), pino({ level: 'silent' }));
    const before = queryObjects(Connection, { format: 'count' });
    const cluster = new Cluster(Object.assign({}, settings, { security }));
    await cluster.onAnyBroker(async ({ socket }) => void socket.destroy(), within(30_000));
    await until('it is forgotten', () => queryObjects(Connection, { format: 'count' }) <= before);
    await cluster.close();
  });

  test('verify a bounded number of credentials at a time', async () => {
    const sockets = new Set<{ destroy(): void }>();
    const silent = createServer((socket) => void sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { port } = silent.address() as { port: number };
    const bridge = await TestBridge.start(`127.0.0.1:${port}`, {
      kafka: { sasl: BRIDGE_USER, identity: 'client', requestTimeoutMs: 60_000, connectTimeoutMs: 60_000 },
      shutdown: { graceMs: 100 },
    });
    onTestFinished(() => bridge.close());
    const gone = new AbortController();
    const ask = (user: string): Promise<Response> =>
      fetch(`${bridge.url}/topics`, { headers: basic(user, 'secret'), signal: gone.signal });
    const waiting = Array.from({ length: MAX_VERIFYING }, (_, index) => ask(`user-${index}`).catch(() => {}));
    // The bridge itself connects, too.
    await until('all are being verified', () => sockets.size > MAX_VERIFYING);
    const answer = await ask('one-more');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    gone.abort();
    await Promise.all(waiting);
  });
});

test('credentials that Kafka accepted before are verified again beside a flood of others', async () => {
  const [host = '', port] = kafka.address().split(':');
  const waiting = new Set<Socket>();
  let isForwarding = true;
  const relay = createServer((socket) => {
    socket.on('error', () => {});
    if (!isForwarding) return void waiting.add(socket);
    const broker = connect(Number(port), host);
    broker.on('error', () => {});
    broker.pipe(socket).pipe(broker);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of waiting) socket.destroy();
    relay.close();
  });
  const bridge = await TestBridge.start(`127.0.0.1:${(relay.address() as AddressInfo).port}`, {
    kafka: { sasl: BRIDGE_USER, identity: 'client', requestTimeoutMs: 60_000, connectTimeoutMs: 60_000 },
    shutdown: { graceMs: 100 },
  });
  onTestFinished(() => bridge.close());
  const { headers, topic } = await tenant();
  const client = new IdentityClient(bridge, headers);
  expect((await client.get('/topics')).body).toContain(topic);

  isForwarding = false;
  const gone = new AbortController();
  const flood = Array.from({ length: MAX_VERIFYING }, (_, index) =>
    fetch(`${bridge.url}/topics`, { headers: basic(`user-${index}`, 'secret'), signal: gone.signal }).catch(() => {}),
  );
  await until('all are being verified', () => waiting.size >= MAX_VERIFYING);
  isForwarding = true;
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + ACCEPTANCE_MS);
  onTestFinished(() => clock.mockRestore());
  expect((await new IdentityClient(bridge, basic('one-more', 'secret')).get('/topics')).status).toBe(503);
  expect((await client.get('/topics')).body).toContain(topic);
  gone.abort();
  await Promise.all(flood);
});

async function untilIdle(bridge: TestBridge): Promise<void> {
  await until('no account is left', async () => {
    return valueIn((await bridge.get('/metrics')).text, 'causeway_bridge_kafka_identities') === 0;
  });
}

/** What accounts use, after a garbage collection. A timer of a connection that were left would keep the connection. */
function usage(): Record<string, number> {
  const classes = { connections: Connection, pools: ConnectionPool, clusters: Cluster, producers: Batcher };
  return Object.fromEntries(
    Object.entries(classes).map(([what, type]) => [what, queryObjects(type, { format: 'count' })]),
  );
}

/** Counts the sockets that this process opens to a port from now on, and has not closed. */
function openSocketsTo(port: number): () => number {
  const open = new Set<Socket>();
  const onSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    socket.once('connect', () => {
      if (socket.remotePort === port) open.add(socket.once('close', () => void open.delete(socket)));
    });
  };
  subscribe('net.client.socket', onSocket);
  onTestFinished(() => void unsubscribe('net.client.socket', onSocket));
  return () => open.size;
}

test('no secret is in a log line, a metric or a response', async () => {
  const lines: string[] = [];
  const config = identityConfig('brief');
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const bridge = new TestBridge(await Bridge.start(config, log));
  await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
  const { user, headers, topic, group } = await tenant({ password: 'the-right-secret' });
  const token = unsecuredToken({ subject: user, lifetimeMs: 3000 });
  for (const credentials of [headers, basic(user, 'the-wrong-secret'), bearer(token), bearer(`${token}AAAA`)]) {
    const client = new IdentityClient(bridge, credentials);
    for (const answer of [await client.get('/topics'), await client.produce(topic, 'v')]) lines.push(answer.text);
  }
  const path = await new IdentityClient(bridge, headers).consumer(group, 'c', [topic]);
  const client = new IdentityClient(bridge, bearer(token));
  await until('the token has ended', async () => (await client.get(`${path}/records?timeout=0`)).status === 401);
  lines.push((await bridge.get('/metrics')).text);
  await bridge.close();
  const encoded = [headers['authorization'] ?? '', basic(user, 'the-wrong-secret')['authorization'] ?? ''];
  const secrets = [
    'the-right-secret',
    'the-wrong-secret',
    token,
    ...encoded.map((text) => text.slice('Basic '.length)),
  ];
  for (const secret of secrets) expect(lines.join('\n')).not.toContain(secret);
  expect(lines.join('\n')).toContain('consumer created');
});
