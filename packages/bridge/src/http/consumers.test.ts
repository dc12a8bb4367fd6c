import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, inject, test } from 'vitest';
import { bridgeOfFile, type ConsumedJson, kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../test/harness/stopwatch.ts';
import { PROOF } from '../../../../test/harness/trust.ts';
import { until } from '../../../../test/harness/until.ts';

const NOT_FOUND = { error_code: 404, message: 'The specified consumer instance was not found.' };
const CONFLICT = {
  error_code: 409,
  message: 'Subscriptions to topics, partitions, and patterns are mutually exclusive.',
};

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile({ consumers: { topicRefreshMs: 200 } });

function valuesOf(records: readonly ConsumedJson[]): unknown[] {
  return records.map(({ value }) => value);
}

function numbered(count: number): { value: string }[] {
  return Array.from({ length: count }, (_, index) => ({ value: String(index) }));
}

describe('creating', () => {
  test('returns the name, and the address that the client used', async () => {
    const group = unique('group');
    const answer = await bridge.request('POST', `/consumers/${group}`, {
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-forwarded-host': 'api.example:8443, inner',
        'x-forwarded-proto': 'https, http',
      },
      body: '{"name":"c 1"}',
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
    expect(answer.text).toBe(
      `{"instance_id":"c 1","base_uri":"https://api.example:8443/consumers/${group}/instances/c%201"}`,
    );
  });

  test('needs no body, and then generates a name', async () => {
    const group = unique('group');
    const { status, body } = await bridge.post(`/consumers/${group}`);
    expect(status).toBe(200);
    expect(body.instance_id).toMatch(/^test-bridge-[0-9a-f-]{36}$/);
    expect(body.base_uri).toBe(`${bridge.url}/consumers/${group}/instances/${body.instance_id}`);
  });

  test('refuses a name that exists in the same group', async () => {
    const group = unique('group');
    await bridge.post(`/consumers/${group}`, { name: 'c' });
    expect((await bridge.post(`/consumers/${group}`, { name: 'c', 'isolation.level': 'x' })).body).toEqual({
      error_code: 409,
      message: 'A consumer instance with the specified name already exists in the Kafka Bridge.',
    });
    expect((await bridge.post(`/consumers/${unique('group')}`, { name: 'c' })).status).toBe(200);
    // The format is checked first.
    expect((await bridge.post(`/consumers/${group}`, { name: 'c', format: 'x' })).status).toBe(422);
  });

  test.each([
    [{ format: 'xml' }, 422, 'Invalid format type.'],
    [{ 'fetch.min.bytes': -1 }, 422, 'Invalid value -1 for configuration fetch.min.bytes: Value must be at least 0'],
    [{ 'enable.auto.commit': 'true' }, 400, 'Validation error on: Schema validation error'],
    [{ 'auto.commit.enable': true }, 400, 'Validation error on: Schema validation error'],
  ])('refuses %j, and creates no consumer', async (options, status, message) => {
    const group = unique('group');
    expect((await bridge.post(`/consumers/${group}`, { name: 'c', ...options })).body).toMatchObject({
      error_code: status,
      message,
    });
    expect((await bridge.post(`/consumers/${group}`, { name: 'c' })).status).toBe(200);
  });

  test('names and groups may have any characters', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('a/ü ?'), 'c/ü ?', [topic]);
    await kafka.write(topic, [{ value: '1' }]);
    expect(valuesOf(await consumer.take(1))).toEqual([1]);
    expect((await consumer.delete()).status).toBe(204);
  });
});

test('every operation responds 404 for a consumer that does not exist, but checks the body first', async () => {
  const path = `/consumers/${unique('group')}/instances/c`;
  expect(await bridge.request('DELETE', path)).toMatchObject({ status: 404, body: NOT_FOUND });
  expect((await bridge.get(`${path}/records`)).body).toEqual(NOT_FOUND);
  expect((await bridge.post(`${path}/offsets`)).body).toEqual(NOT_FOUND);
  expect((await bridge.post(`${path}/subscription`, { topics: ['t'] })).body).toEqual(NOT_FOUND);
  expect((await bridge.post(`${path}/subscription`, { topics: 't' })).status).toBe(400);
  expect((await bridge.post(`${path}/subscription`)).status).toBe(400);
  expect((await bridge.get(`${path}/records?timeout=x`)).body).toEqual({
    error_code: 400,
    message: 'Validation error on: Schema validation error',
    validation_errors: ['Instance type string is invalid. Expected integer'],
  });
});

describe('subscribing', () => {
  test.each([
    [{}, 422, 'A list (of Topics type) or a topic_pattern must be specified.'],
    [{ topics: ['a'], topic_pattern: 'b' }, 409, CONFLICT.message],
    [
      { topics: [''] },
      500,
      'java.lang.IllegalArgumentException: Topic collection to subscribe to cannot contain null or empty topic',
    ],
  ])('refuses %j', async (body, status, message) => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    expect((await bridge.post(`${consumer.path}/subscription`, body)).body).toEqual({ error_code: status, message });
  });

  test('a poll without a subscription is refused, before its format is checked', async () => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    const message = 'Consumer is not subscribed to any topics or assigned any partitions';
    expect((await bridge.get(`${consumer.path}/records`, { accept: 'text/html' })).body).toEqual({
      error_code: 500,
      message,
    });
    await bridge.post(`${consumer.path}/subscription`, { topics: [] });
    expect((await consumer.poll()).body).toEqual({
      error_code: 500,
      message: `java.lang.IllegalStateException: ${message}`,
    });
  });

  test('an illegal name is reported once', async () => {
    const consumer = await bridge.consumer(unique('group'), 'c', ['bad name!']);
    expect((await consumer.poll()).body).toEqual({
      error_code: 500,
      message: 'org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [bad name!]',
    });
    expect(await consumer.poll('timeout=200')).toMatchObject({ status: 200, body: [] });
  });

  test('a topic that does not exist yet is read once it is created', async () => {
    const topic = unique('soon');
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    expect((await consumer.poll('timeout=200')).body).toEqual([]);
    await kafka.createTopic(topic);
    await kafka.write(topic, [{ value: '1' }]);
    expect(valuesOf(await consumer.take(1))).toEqual([1]);
  });

  test('another list replaces the first', async () => {
    const [a, b] = [await kafka.topic(), await kafka.topic()];
    const consumer = await bridge.consumer(unique('group'), 'c', [a]);
    await kafka.write(a, [{ value: '"a"' }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['a']);
    await bridge.post(`${consumer.path}/subscription`, { topics: [b] });
    await kafka.write(a, [{ value: '"a2"' }]);
    await kafka.write(b, [{ value: '"b"' }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['b']);
  });
});

describe('polling', () => {
  test('returns records with all their fields, in order', async () => {
    const topic = await kafka.topic();
    const timestamp = Date.now() - 1000;
    await bridge.produce(topic, {
      records: [{ key: 'k', value: { a: 1 }, timestamp, headers: [{ key: 'h', value: 'eA==' }] }, { value: null }],
    });
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const { status, headers, text } = await consumer.poll();
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/vnd.kafka.json.v2+json');
    expect(text.replace(/"timestamp":\d{13}\}\]$/, '"timestamp":0}]')).toBe(
      `[{"topic":"${topic}","key":"k","value":{"a":1},"partition":0,"offset":0,"timestamp":${timestamp},"headers":[{"key":"h","value":"eA=="}]},` +
        `{"topic":"${topic}","key":null,"value":null,"partition":0,"offset":1,"timestamp":0}]`,
    );
  });

  test.each([
    ['binary', 'w7w='],
    ['text', 'ü'],
  ])('in %s', async (format, value) => {
    const topic = await kafka.topic();
    await bridge.produce(topic, { records: [{ value: 'w7w=' }] }, { format: 'binary' });
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { format });
    const answer = await consumer.poll();
    expect(answer.headers.get('content-type')).toBe(`application/vnd.kafka.${format}.v2+json`);
    expect(valuesOf(answer.body)).toEqual([value]);
  });

  test('responds as soon as there is a record, and without records at the timeout', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    await consumer.poll('timeout=300').then(({ body }) => expect(body).toEqual([]));
    let startedAtMs = performance.now();
    expect((await consumer.poll('timeout=300')).body).toEqual([]);
    const emptyMs = performance.now() - startedAtMs;
    expect(emptyMs).toBeGreaterThan(280);
    // Far from the 30 s for which a broker may hold a fetch.
    expect(emptyMs).toBeLessThan(15_000);
    startedAtMs = performance.now();
    const waiting = consumer.poll('timeout=60000');
    await kafka.write(topic, [{ value: '1' }]);
    expect(valuesOf((await waiting).body)).toEqual([1]);
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  });

  test('polls without a timeout get all records, too', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(3));
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const records: ConsumedJson[] = [];
    await until('all records', async () => {
      records.push(...(await consumer.poll('timeout=0')).body);
      return records.length === 3;
    });
  });

  test.each([
    ['*/*', 200],
    ['application/*', 200],
    ['text/html, application/vnd.kafka.json.v2+json;q=0.5', 200],
    ['application/vnd.kafka.binary.v2+json', 406],
    ['application/vnd.kafka.v2+json', 406],
    ['application/vnd.kafka.json.v2+json;q=0', 406],
  ])('Accept: %s is %i', async (accept, status) => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const answer = await bridge.get(`${consumer.path}/records?timeout=0`, { accept });
    expect(answer.status).toBe(status);
    if (status === 406) {
      expect(answer.body.message).toBe(
        'Consumer format does not match the embedded format requested by the Accept header.',
      );
    }
  });

  test('a response is no larger than max_bytes, which holds for one request', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(10));
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const first = await consumer.poll('timeout=20000&max_bytes=300');
    expect(first.body.length).toBeGreaterThan(0);
    expect(Buffer.byteLength(first.text)).toBeLessThanOrEqual(300);
    const rest = await consumer.poll();
    expect(valuesOf([...first.body, ...rest.body])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a record larger than max_bytes is refused, and delivered by the next poll', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: JSON.stringify('x'.repeat(500)) }]);
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    for (let time = 0; time < 2; time += 1) {
      expect((await consumer.poll('timeout=20000&max_bytes=400')).body).toEqual({
        error_code: 422,
        message: 'Response exceeds the maximum number of bytes the consumer can receive',
      });
    }
    expect((await consumer.poll()).body).toHaveLength(1);
  });

  test('a record that is not JSON is refused, and no record before or after it is lost', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: '1' }, { value: 'no JSON' }]);
    const consumer = await bridge.consumer(group, 'c', [topic]);
    for (let time = 0; time < 2; time += 1) {
      const answer = await consumer.poll();
      expect(answer.status).toBe(406);
      expect(answer.body.message).toMatch(/^Failed to decode:/);
    }
    await consumer.delete();
    const other = await bridge.consumer(group, 'c', [topic], { format: 'text' });
    expect(valuesOf(await other.take(2))).toEqual(['1', 'no JSON']);
  });

  test('a record that is not JSON is reported in its place on request, and the consumer continues', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: '1' }, { value: 'no JSON' }, { value: '3' }]);
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const { status, body } = await consumer.poll('timeout=20000&on_error=report');
    expect(status).toBe(200);
    expect(body[0]).toMatchObject({ offset: 0, value: 1 });
    expect(body[1]).toEqual({
      topic,
      partition: 0,
      offset: 1,
      error_code: 406,
      message: expect.stringMatching(/^Failed to decode:/),
    });
    expect(body[2]).toMatchObject({ offset: 2, value: 3 });
    await kafka.write(topic, [{ value: '4' }]);
    expect(valuesOf(await consumer.take(1))).toEqual([4]);
  });

  test.each([
    ['on_error=ignore', 400, 'Validation error on: Schema validation error'],
    ['timeout=-1', 500, 'java.lang.IllegalArgumentException: Invalid negative timeout -1'],
    ['timeout=1.5', 400, 'Validation error on: Schema validation error'],
    ['timeout=', 400, 'Validation error on: Schema validation error'],
    ['max_bytes=true', 400, 'Validation error on: Schema validation error'],
  ])('%s is refused', async (query, status, message) => {
    const consumer = await bridge.consumer(unique('group'), 'c', [await kafka.topic()]);
    expect((await consumer.poll(query)).body).toMatchObject({ error_code: status, message });
  });

  test('without a reset policy, a group without commits cannot start', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { 'auto.offset.reset': 'none' });
    expect((await consumer.poll()).body).toEqual({
      error_code: 500,
      message: `org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset with no reset policy for partitions: [${topic}-0]`,
    });
    expect((await consumer.commit({ offsets: [{ topic, partition: 0, offset: 0 }] })).status).toBe(204);
    expect(await consumer.poll('timeout=300')).toMatchObject({ status: 200, body: [] });
  });

  test('fewer bytes than fetch.min.bytes are delivered after a while', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: '1' }]);
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { 'fetch.min.bytes': 1_000_000 });
    const watch = new Stopwatch();
    expect(valuesOf((await consumer.poll('timeout=60000')).body)).toEqual([1]);
    expect(watch.stop()).toBeLessThan(20_000);
  });

  test('a waiting poll delays no other request', async () => {
    const topics = [await kafka.topic(), await kafka.topic()];
    const waiting = await bridge.consumer(unique('group'), 'waiting', [topics[0] ?? '']);
    await waiting.poll('timeout=500');
    const longPoll = waiting.poll('timeout=60000');
    const watch = new Stopwatch();
    const other = await bridge.consumer(unique('group'), 'other', [topics[1] ?? '']);
    await kafka.write(topics[1] ?? '', [{ value: '1' }]);
    expect(await other.take(1)).toHaveLength(1);
    expect((await other.commit()).status).toBe(204);
    expect((await other.delete()).status).toBe(204);
    expect(watch.stop()).toBeLessThan(20_000);
    const deletedAtMs = performance.now();
    await waiting.delete();
    expect(performance.now() - deletedAtMs).toBeLessThan(15_000);
    expect(await longPoll).toMatchObject({ status: 200, body: [] });
  });
});

describe('what is committed, and when', () => {
  test('a poll commits the records of the poll before it, not its own', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(3));
    const consumer = await bridge.consumer(group, 'c', [topic]);
    expect((await consumer.poll()).body).toHaveLength(3);
    expect(await kafka.committed(group, topic)).toEqual([-1]);
    await kafka.write(topic, numbered(2));
    expect((await consumer.poll()).body).toHaveLength(2);
    expect(await kafka.committed(group, topic)).toEqual([3]);
    // Also by a poll without records.
    expect((await consumer.poll('timeout=100')).body).toEqual([]);
    await until('they are committed', async () => (await kafka.committed(group, topic))[0] === 5);
  });

  test('a deleted consumer has committed the delivered records', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(3));
    const consumer = await bridge.consumer(group, 'c', [topic]);
    await consumer.take(3);
    expect(await consumer.delete()).toMatchObject({ status: 204, text: '' });
    expect(await kafka.committed(group, topic)).toEqual([3]);
    expect(await kafka.members(group)).toEqual([]);
    expect((await consumer.poll()).body).toEqual(NOT_FOUND);
  });

  test('a consumer without auto-commit commits on request only', async () => {
    const group = unique('group');
    const topic = await kafka.topic(2);
    await kafka.write(topic, [
      { value: '1', partition: 0 },
      { value: '2', partition: 1 },
      { value: '3', partition: 1 },
    ]);
    const consumer = await bridge.consumer(group, 'c', [topic], { 'enable.auto.commit': false });
    await consumer.take(3);
    await consumer.poll('timeout=50');
    expect(await kafka.committed(group, topic)).toEqual([-1, -1]);
    expect(await consumer.commit()).toMatchObject({ status: 204, text: '' });
    expect(await kafka.committed(group, topic)).toEqual([1, 2]);
    expect((await consumer.commit({ offsets: [{ topic, partition: 1, offset: 9_007_199_254_740_991 }] })).status).toBe(
      204,
    );
    expect((await consumer.commit({ offsets: [] })).status).toBe(204);
    expect((await consumer.commit({})).status).toBe(204);
    await consumer.delete();
    expect(await kafka.committed(group, topic)).toEqual([1, 2]);
  });

  test('offsets are committed as the client sends them, also before the first poll', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(5));
    const consumer = await bridge.consumer(group, 'c', [topic]);
    expect((await consumer.commit()).status).toBe(204);
    expect((await consumer.commit({ offsets: [{ topic, partition: 0, offset: 3 }] })).status).toBe(204);
    expect(await kafka.committed(group, topic)).toEqual([3]);
    expect(valuesOf(await consumer.take(2))).toEqual([3, 4]);
  });

  test('offsets of a partition that does not exist are refused at the timeout of the request', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { 'consumer.request.timeout.ms': 3000 });
    await consumer.poll('timeout=300');
    expect((await consumer.commit({ offsets: [{ topic, partition: 9, offset: 1 }] })).body).toEqual({
      error_code: 500,
      message: `org.apache.kafka.common.errors.TimeoutException: Timeout of 3000ms expired before successfully committing offsets {${topic}-9=OffsetAndMetadata{offset=1, leaderEpoch=null, metadata=''}}`,
    });
  });

  test('a consumer that starts at the end commits that position, for the bridge that adopts it', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(2));
    const consumer = await bridge.consumer(group, 'c', [topic], { 'auto.offset.reset': 'latest' });
    // Joining its group may take longer than a poll.
    await until('it has started', async () => {
      expect((await consumer.poll('timeout=500')).body).toEqual([]);
      return (await kafka.committed(group, topic))[0] !== -1;
    });
    expect(await kafka.committed(group, topic)).toEqual([2]);
  });

  test('the next consumer of a group continues where the last one ended', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(4));
    const first = await bridge.consumer(group, 'a', [topic]);
    const { body } = await first.poll('timeout=20000&max_bytes=220');
    await first.delete();
    const second = await bridge.consumer(group, 'b', [topic]);
    expect(valuesOf([...body, ...(await second.take(4 - body.length))])).toEqual([0, 1, 2, 3]);
  });
});

describe('two consumers of a group', () => {
  test('share the partitions, and lose and repeat no record when one joins and when one leaves', async () => {
    const group = unique('group');
    const topic = await kafka.topic(4);
    const a = await bridge.consumer(group, 'a', [topic]);
    const seen: unknown[] = [];
    const produce = async (from: number, to: number): Promise<void> => {
      const records = Array.from({ length: to - from }, (_, index) => ({
        value: [from + index],
        partition: index % 4,
      }));
      await bridge.produce(topic, { records });
    };
    await produce(0, 20);
    seen.push(...valuesOf(await a.take(20)));
    const b = await bridge.consumer(group, 'b', [topic]);
    await until('both have partitions', async () => {
      const answers = await Promise.all([a.poll('timeout=100'), b.poll('timeout=100')]);
      for (const { body } of answers) seen.push(...valuesOf(body));
      const { groups } = await kafka.admin.describeGroups([group]);
      return groups[0]?.state === 'Stable' && groups[0].members.length === 2;
    });
    await produce(20, 40);
    await until('both together have read them', async () => {
      const [fromA, fromB] = await Promise.all([a.poll('timeout=500'), b.poll('timeout=500')]);
      if (fromA?.body.length > 0 && fromB?.body.length > 0) {
        const partitions = [fromA, fromB].map(
          ({ body }) => new Set(body.map((record: ConsumedJson) => record.partition)),
        );
        expect([...(partitions[0] ?? [])].some((partition) => partitions[1]?.has(partition))).toBe(false);
      }
      seen.push(...valuesOf([...fromA.body, ...fromB.body]));
      return seen.length >= 40;
    });
    await b.delete();
    await produce(40, 60);
    seen.push(...valuesOf(await a.take(20)));
    expect(seen.map(String).sort((x, y) => Number(x) - Number(y))).toEqual(
      Array.from({ length: 60 }, (_, index) => String(index)),
    );
  });
});

describe('a client that goes away', () => {
  /** Sends a poll over a connection of its own. */
  function openPoll(path: string, query: string) {
    const socket = connect(bridge.bridge.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET ${path}/records?${query} HTTP/1.1\r\nhost: h\r\n\r\n`);
    return socket;
  }

  test('while its poll waits: the next poll gets the records', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    await consumer.poll('timeout=1000');
    const socket = openPoll(consumer.path, 'timeout=60000');
    // The poll, and the request for the metrics.
    await until('it waits', async () => (await metric('causeway_bridge_in_flight_requests')) === 2);
    const before = await metric('causeway_bridge_requests_total', 'poll', 'clientGone');
    socket.destroy();
    await until(
      'it is gone',
      async () => (await metric('causeway_bridge_requests_total', 'poll', 'clientGone')) > before,
    );
    // The poll of the client that is gone delays no other.
    const watch = new Stopwatch();
    expect((await consumer.poll('timeout=100')).body).toEqual([]);
    expect(watch.stop()).toBeLessThan(20_000);
    await kafka.write(topic, [{ value: '1' }]);
    expect(valuesOf((await consumer.poll('timeout=20000')).body)).toEqual([1]);
  });

  test('before it reads a response that was written: the next poll returns the same records', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: JSON.stringify('x'.repeat(200_000)) }, { value: '2' }]);
    const consumer = await bridge.consumer(group, 'c', [topic]);
    const delivered = await metric('causeway_bridge_records_delivered_total');
    const takenBack = await metric('causeway_bridge_answers_taken_back_total');
    const socket = openPoll(consumer.path, 'timeout=20000');
    await until('it is written', async () => (await metric('causeway_bridge_records_delivered_total')) > delivered);
    // As the system resets the connection of a client that ends with data unread.
    socket.resetAndDestroy();
    await until('it is taken back', async () => (await metric('causeway_bridge_answers_taken_back_total')) > takenBack);
    const again = await consumer.poll('timeout=20000');
    expect(again.body).toHaveLength(2);
    expect(again.body[0].offset).toBe(0);
    // At its first position, at most.
    expect((await kafka.committed(group, topic))[0]).toBeLessThanOrEqual(0);
  });

  test('in the middle of a response: the next poll returns the same records; a client that only stops reading delays no other', async () => {
    const group = unique('group');
    const topic = await kafka.topic();
    const large = JSON.stringify('x'.repeat(900_000));
    for (let index = 0; index < 12; index += 1) await kafka.write(topic, [{ value: large }]);
    const roomy = await TestBridge.start(inject('kafkaBootstrap'), {
      consumers: { fetchMaxBytes: 16_000_000, partitionFetchMaxBytes: 16_000_000 },
    });
    try {
      const consumer = await roomy.consumer(group, 'c', [topic]);
      await consumer.poll('timeout=20000&max_bytes=1000000');
      // More than the buffers of a connection hold, and the client does not read.
      const openPoll = async () => {
        const socket = connect(roomy.bridge.port, '127.0.0.1');
        socket.write(`GET ${consumer.path}/records?timeout=20000 HTTP/1.1\r\nhost: h\r\n\r\n`);
        await once(socket, 'readable');
        return socket;
      };
      const gone = await openPoll();
      gone.destroy();
      const again = await consumer.poll('timeout=20000&max_bytes=1000000');
      expect(again.body).toMatchObject([{ offset: 1 }]);
      const socket = await openPoll();
      expect((await consumer.delete()).status).toBe(204);
      expect(await kafka.committed(group, topic)).toEqual([2]);
      socket.destroy();
    } finally {
      await roomy.close();
    }
  });

  async function metric(name: string, operation?: string, outcome?: string): Promise<number> {
    const labels = operation === undefined ? '' : `\\{operation="${operation}",outcome="${outcome}"\\}`;
    const { text } = await bridge.get('/metrics');
    return Number(new RegExp(`^${name}${labels} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  }
});

describe('a response to a poll', () => {
  const entryBytes = 100_000;
  const large = (count: number) =>
    Array.from({ length: count }, () => ({ value: JSON.stringify('x'.repeat(entryBytes)) }));
  const asGateway = (maxBytes: number) => ({
    headers: { ...PROOF, 'causeway-gateway': 'tier1', 'causeway-max-response-bytes': String(maxBytes) },
  });

  async function consumerOf(records: { value: string }[]) {
    const topic = await kafka.topic();
    await kafka.write(topic, records);
    return await bridge.consumer(unique('group'), 'c', [topic]);
  }

  test('ends where gateways can hold it; a single record that is larger comes alone, unless the client accepts less', async () => {
    const { path } = await consumerOf([...large(3), { value: '1' }, ...large(1)]);
    const poll = async (maxBytes: number, query = '') => {
      const { status, body } = await bridge.request(
        'GET',
        `${path}/records?timeout=20000${query}`,
        asGateway(maxBytes),
      );
      return status === 200 ? (body as ConsumedJson[]).map(({ offset }) => offset) : status;
    };
    expect(await poll(2 * entryBytes + 1_000)).toEqual([0, 1]);
    expect(await poll(1_000, '&max_bytes=50000')).toBe(422);
    expect(await poll(1_000)).toEqual([2]);
    expect(await poll(1_000)).toEqual([3]);
    expect(await poll(1_000, '&max_bytes=200000')).toEqual([4]);
  });

  test('is not limited by a header of a client', async () => {
    const consumer = await consumerOf([{ value: '1' }, { value: '2' }]);
    const headers = { 'causeway-max-response-bytes': '10' };
    const { body } = await bridge.get(`${consumer.path}/records?timeout=20000`, headers);
    expect(body).toHaveLength(2);
  });

  test('has all records that were fetched', async () => {
    const consumer = await consumerOf(numbered(2_000));
    expect((await consumer.poll('timeout=20000')).body).toHaveLength(2_000);
  });

  test.each([
    ['maxPollBytes', { maxPollBytes: 20_000 }, 20_000, 1201],
    ['maxPollRecords', { maxPollRecords: 500 }, Number.POSITIVE_INFINITY, 500],
  ])('ends at %s, and all records come over several polls', async (_, consumers, maxBytes, maxCount) => {
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(1201));
    const limited = await TestBridge.start(inject('kafkaBootstrap'), { consumers });
    try {
      const consumer = await limited.consumer(unique('group'), 'c', [topic]);
      const records: ConsumedJson[] = [];
      const sizes: number[] = [];
      while (records.length < 1201) {
        const { text, body } = await consumer.poll('timeout=20000');
        expect(text.length).toBeLessThanOrEqual(maxBytes);
        sizes.push(body.length);
        records.push(...body);
      }
      expect(sizes.length).toBeGreaterThan(2);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxCount);
      expect(valuesOf(records)).toEqual(Array.from({ length: 1201 }, (_, index) => index));
    } finally {
      await limited.close();
    }
  });
});

test('an unused consumer expires, and one that polls does not', async () => {
  const short = await TestBridge.start(inject('kafkaBootstrap'), { consumers: { inactivityTimeoutMs: 4000 } });
  try {
    const group = unique('group');
    const topic = await kafka.topic(2);
    const used = await short.consumer(group, 'used', [topic]);
    const unused = await short.consumer(group, 'unused', [topic]);
    await Promise.all([used.poll('timeout=500'), unused.poll('timeout=500')]);
    await until('the unused one is gone', async () => {
      await used.poll('timeout=500');
      return (await kafka.members(group)).join() === 'used';
    });
    expect((await unused.poll()).body).toEqual(NOT_FOUND);
    expect((await used.poll('timeout=6000')).status).toBe(200);
  } finally {
    await short.close();
  }
});
