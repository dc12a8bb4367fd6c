/** What clients see where the bridge's principal lacks a right; on a Kafka of its own that checks rights. */

import { createTopics } from '@causeway/lab/stack/kafka.ts';
import { findFreePorts, LAB_HOST } from '@causeway/lab/stack/ports.ts';
import kafkajs, { type Admin, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonAnswer, TestBridge } from '../../../test/harness/bridge.ts';
import { watchPools } from '../../../test/harness/connection-pools.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { keyOfSlot } from '../../../test/harness/keyed-traffic.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { until } from '../../../test/harness/until.ts';
import { ANSWER_TOPIC, SLOT_TOPIC } from '../src/idempotency/topics.ts';
import { SESSION_TOPIC } from '../src/ownership/session-topic-name.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const PASSWORD = 'admin-secret';
const JAAS = `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="${PASSWORD}" user_admin="${PASSWORD}";`;
/** Everything is far quicker than the limits of the configuration, which are at least twice that. */
const QUICK_MS = 15_000;

const [open, readOnlyGroup, hidden] = [unique('open'), unique('group'), unique('hidden')];

let own: OwnKafka;
let admin: Admin;
let bridge: TestBridge;

beforeAll(async () => {
  const [clients = 0, controller = 0, admins = 0] = await findFreePorts(3);
  own = await startOwnKafka({
    brokerCount: 1,
    ports: [clients, controller],
    properties: {
      ...PATIENT_BROKER,
      // The bridge comes as User:ANONYMOUS; brokers and the test are super users.
      listeners: `PLAINTEXT://${LAB_HOST}:${clients},CONTROLLER://${LAB_HOST}:${controller},SASL_PLAINTEXT://${LAB_HOST}:${admins}`,
      'advertised.listeners': `PLAINTEXT://${LAB_HOST}:${clients},SASL_PLAINTEXT://${LAB_HOST}:${admins}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
      'inter.broker.listener.name': 'SASL_PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'sasl.mechanism.controller.protocol': 'PLAIN',
      'listener.name.sasl_plaintext.plain.sasl.jaas.config': JAAS,
      'listener.name.controller.plain.sasl.jaas.config': JAAS,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:admin',
    },
  });
  admin = new Kafka({
    brokers: [`${LAB_HOST}:${admins}`],
    sasl: { mechanism: 'plain', username: 'admin', password: PASSWORD },
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 50, maxRetryTime: 1000 },
  }).admin();
  await admin.connect();
  await createTopics(
    admin,
    [open, hidden].map((topic) => ({ topic, numPartitions: 1 })),
  );
  await allow(AclResourceTypes.TOPIC, open, AclOperationTypes.DESCRIBE);
  await allow(AclResourceTypes.GROUP, readOnlyGroup, AclOperationTypes.READ);
  // What every bridge needs of its own.
  await allow(AclResourceTypes.TOPIC, SESSION_TOPIC, AclOperationTypes.ALL);
  bridge = await TestBridge.start(`${LAB_HOST}:${clients}`, {
    kafka: { requestTimeoutMs: 60_000 },
    producer: { maxBlockMs: 60_000 },
  });
  await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
  // The start of a broker, on a machine that has other work.
}, 240_000);

afterAll(async () => {
  await bridge?.close();
  await admin?.disconnect();
  await own?.close();
});

async function allow(
  resourceType: number,
  resourceName: string,
  operation: number,
  resourcePatternType = ResourcePatternTypes.LITERAL,
): Promise<void> {
  await admin.createAcls({
    acl: [
      {
        resourceType,
        resourceName,
        operation,
        principal: 'User:ANONYMOUS',
        host: '*',
        resourcePatternType,
        permissionType: AclPermissionTypes.ALLOW,
      },
    ],
  });
}

async function quick(operation: Promise<JsonAnswer>): Promise<JsonAnswer> {
  const watch = new Stopwatch();
  const result = await operation;
  expect(watch.stop()).toBeLessThan(QUICK_MS);
  return result;
}

function topicRefusal(topic: string): object {
  return {
    error_code: 403,
    message: `org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [${topic}]`,
  };
}

function groupRefusal(group: string): object {
  return {
    error_code: 403,
    message: `org.apache.kafka.common.errors.GroupAuthorizationException: Not authorized to access group: ${group}`,
  };
}

test.each([
  ['that it may see and not write', open],
  ['that it may not see', hidden],
])('records for a topic %s get an entry each, at once', async (_name, topic) => {
  const { status, body } = await quick(bridge.produce(topic, { records: [{ value: 'a' }, { value: 'b' }] }));
  const entry = { error_code: 403, message: `Not authorized to access topics: [${topic}]` };
  expect({ status, body }).toEqual({ status: 200, body: { offsets: [entry, entry] } });
});

test.each([
  ['that it may see and not write', open],
  ['that it may not see', hidden],
])('with async=true, records for a topic %s are refused before they are taken', async (_name, topic) => {
  const answer = await quick(bridge.produce(topic, { records: [{ value: 'a' }] }, { query: '?async=true' }));
  const message = `Not authorized to access topics: [${topic}]`;
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 403, body: { error_code: 403, message } });
});

test.each(['', '/partitions', '/partitions/0', '/partitions/0/offsets'])(
  'a topic that it may not see is refused: /topics/…%s',
  async (path) => {
    const answer = await quick(bridge.get(`/topics/${hidden}${path}`));
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 403, body: topicRefusal(hidden) });
  },
);

test('a join that is refused leaves no connections behind', async () => {
  const consumer = await bridge.consumer(readOnlyGroup, unique('c'), [hidden]);
  const pools = watchPools();
  for (let time = 0; time < 3; time += 1) {
    expect((await quick(consumer.poll('timeout=3000'))).body).toEqual(topicRefusal(hidden));
  }
  expect(pools.createdCount).toBeGreaterThanOrEqual(3);
  await until('they are closed', () => pools.openCount === 0);
  expect((await quick(consumer.delete())).status).toBe(204);
});

test('settings that it may not read are refused, topics that it may not see are not listed', async () => {
  expect((await quick(bridge.get(`/topics/${open}`))).body).toMatchObject({
    error_code: 403,
    message: expect.stringMatching(/^org\.apache\.kafka\.common\.errors\.TopicAuthorizationException: /),
  });
  expect((await quick(bridge.get('/topics'))).body).toEqual([open]);
});

test('topics that it may not create are refused', async () => {
  const answer = await quick(
    bridge.request('POST', '/admin/topics', {
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: JSON.stringify({ topic_name: unique('new') }),
    }),
  );
  expect(answer).toMatchObject({ status: 403, body: { error_code: 403, message: expect.stringMatching(/authoriz/i) } });
});

test('a group that it may not join is refused at every poll, commit and look', async () => {
  const group = unique('hidden-group');
  const consumer = await bridge.consumer(group, 'c', [open]);
  for (let time = 0; time < 2; time += 1) {
    expect((await quick(consumer.poll('timeout=3000'))).body).toEqual(groupRefusal(group));
  }
  const offsets = [{ topic: open, partition: 0, offset: 0 }];
  expect((await quick(consumer.commit({ offsets }))).body).toEqual(groupRefusal(group));
  const assigned = await bridge.consumer(group, 'assigned', []);
  await bridge.post(`${assigned.path}/assignments`, { partitions: [{ topic: open, partition: 0 }] });
  expect((await quick(assigned.poll('timeout=3000'))).body).toEqual(groupRefusal(group));
  expect((await quick(consumer.delete())).status).toBe(204);
  expect((await quick(assigned.delete())).status).toBe(204);
});

test.each([
  ['that it may see and not read', open],
  ['that it may not see', hidden],
])('a topic %s is refused at every poll, and read once it is allowed', async (_name, topic) => {
  const consumer = await bridge.consumer(readOnlyGroup, unique('c'), [topic]);
  for (let time = 0; time < 2; time += 1) {
    expect((await quick(consumer.poll('timeout=3000'))).body).toEqual(topicRefusal(topic));
  }
  const assigned = await bridge.consumer(readOnlyGroup, unique('assigned'), []);
  await bridge.post(`${assigned.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
  expect((await quick(assigned.poll('timeout=3000'))).body).toEqual(topicRefusal(topic));
  await allow(AclResourceTypes.TOPIC, topic, AclOperationTypes.ALL);
  const isStored = async (): Promise<boolean> =>
    'offset' in (await bridge.produce(topic, { records: [{ value: 'now' }] })).body.offsets[0];
  await until('a record may be written', isStored);
  const taken = await bridge.produce(topic, { records: [{ value: 'later' }] }, { query: '?async=true' });
  expect(taken.status).toBe(204);
  await until('it is read', async () => {
    const { status, body } = await consumer.poll('timeout=500');
    return status === 200 && body.some(({ value }: { value: unknown }) => value === 'now');
  });
  expect((await quick(consumer.delete())).status).toBe(204);
  expect((await quick(assigned.delete())).status).toBe(204);
  expect((await bridge.get('/ready')).status).toBe(200);
});

test('only requests with an idempotency key need the rights for transactions, and say which one is missing', async () => {
  const [writable, visible, unseen] = [unique('writable'), unique('visible'), unique('unseen')];
  await createTopics(
    admin,
    [writable, visible, unseen].map((topic) => ({ topic, numPartitions: 1 })),
  );
  await allow(AclResourceTypes.TOPIC, writable, AclOperationTypes.WRITE);
  await allow(AclResourceTypes.TOPIC, visible, AclOperationTypes.DESCRIBE);
  const send = (topic: string, headers: Record<string, string>): Promise<JsonAnswer> =>
    quick(
      bridge.request('POST', `/topics/${topic}`, {
        headers: { 'content-type': 'application/vnd.kafka.json.v2+json', ...headers },
        body: JSON.stringify({ records: [{ value: 'a' }] }),
      }),
    );
  const refusal = async (): Promise<string> => {
    const { status, text } = await send(writable, { 'idempotency-key': unique('key') });
    expect(status).not.toBe(200);
    return text;
  };
  expect(await refusal()).toMatch(/ cannot be served now: .*__causeway_.*authoriz/i);
  for (const topic of [ANSWER_TOPIC, SLOT_TOPIC]) await allow(AclResourceTypes.TOPIC, topic, AclOperationTypes.ALL);
  const missing = /TransactionalIdAuthorizationException/;
  await until('the transaction is refused', async () => missing.test(await refusal()));
  // Those that wait for another request to take their slot over, too.
  const ofSlot = Array.from({ length: 12 }, () => send(writable, { 'idempotency-key': keyOfSlot(5) }));
  for (const { text } of await Promise.all(ofSlot)) expect(text).toMatch(missing);
  expect((await bridge.get('/ready')).status).toBe(200);
  expect((await send(writable, {})).body.offsets).toMatchObject([{ partition: 0 }]);
  const { TRANSACTIONAL_ID } = AclResourceTypes;
  await allow(TRANSACTIONAL_ID, 'causeway-answers-', AclOperationTypes.WRITE, ResourcePatternTypes.PREFIXED);
  await until('it is allowed', async () => (await send(writable, { 'idempotency-key': unique('key') })).status === 200);
  // Of requests that are stored together, those to topics without rights are refused, and get the same answer again.
  const requests = [writable, visible, writable, unseen].map(
    (topic) => [topic, { 'idempotency-key': unique('key') }] as const,
  );
  const first = await Promise.all(requests.map(([topic, headers]) => send(topic, headers)));
  const entry = (topic: string) => ({ error_code: 403, message: `Not authorized to access topics: [${topic}]` });
  expect(first.map(({ body }) => body.offsets)).toEqual([
    [{ partition: 0, offset: expect.any(Number) }],
    [entry(visible)],
    [{ partition: 0, offset: expect.any(Number) }],
    [entry(unseen)],
  ]);
  const again = await Promise.all(requests.map(([topic, headers]) => send(topic, headers)));
  expect(again.map(({ text }) => text)).toEqual(first.map(({ text }) => text));
  expect(again.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual(requests.map(() => 'true'));
});
