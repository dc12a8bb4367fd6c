/** Requests that use Kafka as their clients (`kafka.identity: client`), on a Kafka that knows clients by SASL and has ACLs. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type JsonAnswer, TestBridge } from '../../../test/harness/bridge.ts';
import { watchPools } from '../../../test/harness/connection-pools.ts';
import {
  BRIDGE_USER,
  IdentityKafka,
  type IdentityListener,
  PLAIN_CLIENT,
} from '../../../test/harness/identity-kafka.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { unsecuredToken } from '../../../test/harness/token-endpoint.ts';
import { until } from '../../../test/harness/until.ts';

let kafka: IdentityKafka;

beforeAll(async () => {
  kafka = await IdentityKafka.start();
}, 240_000);

afterAll(() => kafka?.close());

interface BridgeOptions {
  listener?: IdentityListener;
  clients?: object;
  bridge?: object;
}

async function startBridge({ listener = 'sasl', clients = {}, bridge = {} }: BridgeOptions = {}): Promise<TestBridge> {
  const started = await TestBridge.start(kafka.address(listener), {
    bridge,
    kafka: { sasl: BRIDGE_USER, identity: 'client', clients },
  });
  onTestFinished(() => started.close());
  await until('the bridge is ready', async () => (await started.get('/ready')).status === 200);
  return started;
}

function basic(username: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** A client of a bridge with these headers in every request. */
class Client {
  readonly bridge: TestBridge;
  headers: Record<string, string>;

  constructor(bridge: TestBridge, headers: Record<string, string>) {
    this.bridge = bridge;
    this.headers = headers;
  }

  get(path: string): Promise<JsonAnswer> {
    return this.bridge.get(path, this.headers);
  }

  delete(path: string): Promise<JsonAnswer> {
    return this.bridge.request('DELETE', path, { headers: this.headers });
  }

  post(path: string, body: unknown, type = 'application/vnd.kafka.v2+json'): Promise<JsonAnswer> {
    return this.bridge.request('POST', path, {
      headers: Object.assign({ 'content-type': type }, this.headers),
      body: JSON.stringify(body),
    });
  }

  produce(topic: string, value: string): Promise<JsonAnswer> {
    return this.post(`/topics/${topic}`, { records: [{ value }] }, 'application/vnd.kafka.json.v2+json');
  }

  /** Returns the path of the consumer. */
  async consumer(group: string, name: string, topics: string[], options: object = {}): Promise<string> {
    const body = { name, format: 'json', 'auto.offset.reset': 'earliest', ...options };
    const created = await this.post(`/consumers/${group}`, body);
    if (created.status !== 200) throw new Error(created.text);
    const path = `/consumers/${group}/instances/${name}`;
    const subscribed = await this.post(`${path}/subscription`, { topics });
    if (subscribed.status !== 204) throw new Error(subscribed.text);
    return path;
  }

  /** Polls until there are records. */
  async take(path: string): Promise<unknown[]> {
    const values: unknown[] = [];
    await until(`records of ${path}`, async () => {
      const { status, body, text } = await this.get(`${path}/records?timeout=1000`);
      if (status !== 200) throw new Error(text);
      values.push(...body.map(({ value }: { value: unknown }) => value));
      return values.length > 0;
    });
    return values;
  }
}

/** A user with a password of its own, all rights on a topic and on a group, and no others. */
async function tenant(): Promise<{ user: string; headers: Record<string, string>; topic: string; group: string }> {
  const user = unique('user');
  const [topic, group] = [await kafka.view.topic(), unique('group')];
  await kafka.setPassword(user, 'secret:1,=2');
  await kafka.allow(user, 'TOPIC', topic, ['READ', 'WRITE', 'DESCRIBE_CONFIGS']);
  await kafka.allow(user, 'GROUP', group, ['READ']);
  return { user, headers: basic(user, 'secret:1,=2'), topic, group };
}

const TOPIC_REFUSAL = /Not authorized to access topics/;

describe("Kafka's ACLs decide what a client may do", () => {
  test('with SCRAM', async () => {
    const bridge = await startBridge();
    const { headers, topic, group } = await tenant();
    const other = await tenant();
    const client = new Client(bridge, headers);
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
    expect((await client.produce(other.topic, 'theirs')).body.offsets).toMatchObject([
      { error_code: 403, message: expect.stringMatching(TOPIC_REFUSAL) },
    ]);
    const created = await client.post('/admin/topics', { topic_name: unique('new') });
    expect(created.status).toBe(403);
    const foreignTopic = await client.consumer(group, 'reads-theirs', [other.topic]);
    expect(await client.get(`${foreignTopic}/records?timeout=3000`)).toMatchObject({ status: 403 });
    const foreignGroup = await client.consumer(other.group, 'joins-theirs', [topic]);
    expect((await client.get(`${foreignGroup}/records?timeout=3000`)).body).toMatchObject({
      error_code: 403,
      message: expect.stringMatching(/Not authorized to access group/),
    });
    for (const consumer of [path, foreignTopic, foreignGroup]) expect((await client.delete(consumer)).status).toBe(204);
  });

  test('with PLAIN, and a password with colons', async () => {
    const bridge = await startBridge({ clients: { mechanisms: ['PLAIN'] } });
    const topic = await kafka.view.topic();
    const client = new Client(bridge, basic(PLAIN_CLIENT.username, PLAIN_CLIENT.password));
    expect((await client.produce(topic, 'v')).body).toMatchObject({ offsets: [{ error_code: 403 }] });
    await kafka.allow(PLAIN_CLIENT.username, 'TOPIC', topic, ['WRITE', 'CREATE']);
    await until('it is allowed', async () => 'offset' in (await client.produce(topic, 'v')).body.offsets[0]);
    const name = unique('created');
    await kafka.allow(PLAIN_CLIENT.username, 'TOPIC', name, ['CREATE']);
    await until('it is allowed', async () => (await client.post('/admin/topics', { topic_name: name })).status === 201);
  });

  test('with OAUTHBEARER', async () => {
    const bridge = await startBridge();
    const [subject, topic] = [unique('subject'), await kafka.view.topic()];
    const client = new Client(bridge, bearer(unsecuredToken({ subject })));
    expect((await client.produce(topic, 'v')).body).toMatchObject({ offsets: [{ error_code: 403 }] });
    await kafka.allow(subject, 'TOPIC', topic, ['WRITE']);
    await until('it is allowed', async () => 'offset' in (await client.produce(topic, 'v')).body.offsets[0]);
  });
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
  ])('%s: 401', async (_what, headers) => {
    const client = new Client(await startBridge(), headers);
    for (const answer of [
      await client.get('/topics'),
      await client.produce('t', 'v'),
      await client.post('/consumers/g', {}),
    ]) {
      expect(answer).toMatchObject({ status: 401, body: { error_code: 401 } });
      expect(answer.headers.get('www-authenticate')).toBe('Basic realm="kafka", charset="UTF-8", Bearer realm="kafka"');
      expect(answer.headers.get('causeway-fault')).toBeNull();
    }
    for (const open of ['/', '/healthy', '/ready', '/openapi', '/metrics']) {
      expect([open, (await client.get(open)).status < 300]).toEqual([open, true]);
    }
  });

  test('a mechanism that is not configured: 401 with those that are', async () => {
    const bridge = await startBridge({ clients: { mechanisms: ['OAUTHBEARER'] } });
    const { headers } = await tenant();
    const answer = await new Client(bridge, headers).get('/topics');
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="kafka"']);
  });

  test('brokers are asked once about a wrong password, which is no failure of Kafka', async () => {
    const bridge = await startBridge();
    const { user, headers } = await tenant();
    const wrong = new Client(bridge, basic(user, 'wrong'));
    const right = new Client(bridge, headers);
    expect((await right.get('/topics')).status).toBe(200);
    const errorsBefore = await kafkaErrors(bridge);
    const pools = watchPools();
    expect((await wrong.get('/topics')).status).toBe(401);
    const createdOnce = pools.createdCount;
    expect(createdOnce).toBeGreaterThan(0);
    for (let time = 0; time < 20; time += 1) expect((await wrong.get('/topics')).status).toBe(401);
    expect(pools.createdCount).toBe(createdOnce);
    expect(pools.openCount).toBe(0);
    expect(await kafkaErrors(bridge)).toEqual(errorsBefore);
    expect((await bridge.get('/ready')).status).toBe(200);
    expect((await right.get('/topics')).status).toBe(200);
  });
});

async function kafkaErrors(bridge: TestBridge): Promise<string[]> {
  const { text } = await bridge.get('/metrics');
  return text.split('\n').filter((line) => line.startsWith('causeway_bridge_kafka_errors_total'));
}
