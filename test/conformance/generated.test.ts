/** Hundreds of requests, generated from the OpenAPI document, to a bridge over a real Kafka: every response is documented. */
import { parseUrl } from '@causeway/protocol/paths.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { KafkaView, unique } from '../harness/kafka-view.ts';
import { OpenApiCheck, type OpenApiDocument } from '../harness/openapi-check.ts';
import { until } from '../harness/until.ts';
import { type PlainAnswer, PlainClient, type PlainRequest } from './client.ts';
import { RequestGenerator } from './generator.ts';

/** Another seed generates other requests. If one finds a fault, the fault gets a test of its own. */
const SEED = 20_261_121;
const REQUEST_COUNT = 1500;
/** Timeout of one request. No generated request asks for a longer wait. */
const PATIENCE_MS = 60_000;

const GROUP = unique('generated');
/** Few names, so that most requests find a consumer. */
const NAMES = ['c', 'a b/c'];

/** Creates consumers about as often as it deletes them, and mostly reads. */
const WEIGHTS = {
  send: 20,
  sendToPartition: 20,
  createConsumer: 12,
  deleteConsumer: 1,
  unsubscribe: 3,
  assign: 10,
  poll: 16,
};

const client = new PlainClient();
let kafka: KafkaView;
let bridge: TestBridge;
let check: OpenApiCheck;
let generator: RequestGenerator;
const instances = new Set<string>();
/** `operation status` of every answer. */
const seen = new Set<string>();

beforeAll(async () => {
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    producer: { maxBlockMs: 60 },
    // A commit to an unknown topic waits for the topic this long.
    kafka: { requestTimeoutMs: 1000 },
  });
  const topics = [await kafka.topic(2), await kafka.topic(1)];
  await kafka.write(topics[1] ?? '', [{ value: 'no json' }, { value: null }, { value: '{"a":1}' }]);
  const document = (await bridge.get('/openapi')).body as OpenApiDocument;
  check = new OpenApiCheck(document, seen);
  const topic = fc.oneof(
    { arbitrary: fc.constantFrom(...topics), weight: 6 },
    fc.constantFrom(unique('nowhere'), 'bad name!', '__consumer_offsets'),
  );
  generator = new RequestGenerator(document, {
    topicname: topic,
    topic,
    topics: fc.array(topic, { maxLength: 2 }),
    topic_pattern: fc.constantFrom(topics[0], `${topics[1]}|x`, 'nothing.*', '(', '', '(?i)a*+', '\\p{Alpha}'),
    topic_name: fc.nat({ max: 20 }).map((index) => `${topics[0]}-${index}`),
    partitions_count: fc.constantFrom(1, 2, null, -1, 0, 2 ** 31),
    replication_factor: fc.constantFrom(1, null, -1, 0, 9),
    groupid: fc.constant(GROUP),
    name: fc.constantFrom(...NAMES),
    format: fc.constantFrom('json', 'json', 'binary', 'text'),
    'auto.offset.reset': fc.constantFrom('earliest', 'latest', 'none', 'by_duration:PT1H'),
    'isolation.level': fc.constantFrom('read_committed', 'read_uncommitted'),
    'consumer.request.timeout.ms': fc.constantFrom(0, 200, 200, 1000),
    partition: fc.constantFrom(0, 0, 0, 0, 1, 3),
    async: fc.constantFrom(true, true, false, 'x'),
    acks: fc.constantFrom('replicated', 'all', 'all', '1'),
    partitionid: fc.constantFrom('0', '0', '0', '0', '1', '7', '-1', '1.0', '2147483648', 'x'),
    timeout: fc.constantFrom(0, 1, 30, 30, 30, 30, -1, 'x', 1.5, '+5', '5.0'),
    max_bytes: fc.constantFrom(0, 2, 200, 100_000, 100_000, -5, 2 ** 53, 'null'),
  });
});

afterAll(async () => {
  client.close();
  await bridge.close();
  await kafka.close();
});

async function send(request: PlainRequest): Promise<PlainAnswer> {
  const answer = await client.send(bridge.url, request, AbortSignal.timeout(PATIENCE_MS));
  const { group } = parseUrl(request.method, request.target);
  const created = answer.json as { instance_id?: string } | undefined;
  if (created?.instance_id !== undefined && answer.status === 200) {
    instances.add(`/consumers/${encodeURIComponent(group ?? '')}/instances/${encodeURIComponent(created.instance_id)}`);
  }
  return answer;
}

/** The problems of a response; empty if it is correct. */
function problems(request: PlainRequest, answer: PlainAnswer): string[] {
  const { operation } = parseUrl(request.method, request.target);
  if (operation === 'unknown' && ![400, 404, 405].includes(answer.status)) return [`unknown is ${answer.status}`];
  const { message } = (answer.json ?? {}) as { message?: string };
  return message === 'Internal Server Error' ? [message] : check.problems(request, answer);
}

test('responses to generated requests are documented', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(generator.any(WEIGHTS), async (request) => {
      const answer = await send(request);
      const checked = { ...request, body: request.body?.toString(), problems: problems(request, answer) };
      expect(checked).toEqual({ ...checked, problems: [] });
    }),
    { seed: SEED, numRuns: REQUEST_COUNT },
  );
  // The requests reach the operations: each one succeeded at least once.
  const { documented } = check;
  expect(documented.filter((entry) => / 20[014]$/.test(entry) && !seen.has(entry))).toEqual([]);
});

test('the bridge still serves, and deletes every consumer', async () => {
  expect(await bridge.get('/healthy')).toMatchObject({ status: 200 });
  await until('it is ready', async () => (await bridge.get('/ready')).status === 200);
  for (const instance of instances) {
    const { status } = await bridge.request('DELETE', instance);
    expect([204, 404]).toContain(status);
  }
  expect((await bridge.get('/metrics')).text).not.toMatch(/^causeway_bridge_sessions\{.*\} [^0]/m);
  // A member whose last request to Kafka timed out leaves when its session expires.
  await until('the group is empty', async () => (await kafka.members(GROUP)).length === 0, { timeoutMs: 60_000 });
  const topic = await kafka.topic();
  // The bridge waits for a topic for 60 ms only.
  await until('a record is stored', async () => {
    const { body } = await bridge.produce(topic, { records: [{ value: 'after all' }] });
    return 'offset' in body.offsets[0];
  });
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  expect((await consumer.take(1))[0]?.value).toBe('after all');
  await consumer.delete();
});
