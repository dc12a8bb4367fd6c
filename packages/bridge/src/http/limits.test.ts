import { expect, inject, test } from 'vitest';
import { kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';

const kafka = await kafkaOfFile();

test('a bridge with consumers and producers disabled refuses their operations, after it has checked the request', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    producer: { isEnabled: false },
    consumers: { isEnabled: false },
  });
  try {
    const topic = unique('created');
    expect((await bridge.post('/consumers/g', {})).body).toEqual({
      error_code: 503,
      message: 'Consumer is disabled in config. To enable consumer update http.consumer.enabled to true',
    });
    expect((await bridge.post('/consumers/g', { name: 1 })).status).toBe(400);
    const disabled = {
      error_code: 503,
      message: 'Producer is disabled in config. To enable producer update http.producer.enabled to true',
    };
    expect((await bridge.produce(topic, { records: [{ value: 'v' }] })).body).toEqual(disabled);
    expect((await bridge.produce(topic, { records: [{ value: 'v' }] }, { query: '/partitions/0' })).body).toEqual(
      disabled,
    );
    expect((await bridge.produce(topic, { records: 1 })).status).toBe(400);
    expect((await bridge.post('/admin/topics', { topic_name: topic })).status).toBe(201);
  } finally {
    await bridge.close();
  }
});

test('a bridge refuses consumers and requests beyond its limits', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    consumers: { maxCount: 2 },
    limits: { maxRecords: 2 },
  });
  try {
    const group = unique('group');
    const first = await bridge.consumer(group, 'a', []);
    await bridge.consumer(group, 'b', []);
    const refused = await bridge.post(`/consumers/${group}`, { name: 'c' });
    expect(refused.body).toEqual({ error_code: 503, message: 'Bridge is overloaded, please retry later' });
    expect(refused.headers.get('retry-after')).toBe('1');
    await first.delete();
    expect((await bridge.post(`/consumers/${group}`, { name: 'c' })).status).toBe(200);
    const topic = await kafka.topic();
    const records = [{ value: '1' }, { value: '2' }, { value: '3' }];
    expect((await bridge.produce(topic, { records })).body).toEqual({
      error_code: 413,
      message: 'The request has 3 records, more than the limit of 2',
    });
    expect((await bridge.produce(topic, { records: records.slice(1) })).body.offsets).toHaveLength(2);
  } finally {
    await bridge.close();
  }
});

test('lists that are too long are refused by every operation that has one, before it has any effect', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), { consumers: { maxTopics: 2, maxPartitions: 2 } });
  try {
    const topic = await kafka.topic(3);
    const { path } = await bridge.consumer(unique('group'), 'c', []);
    const partitions = [0, 1, 2].map((partition) => ({ topic, partition }));
    const offsets = partitions.map((partition) => ({ ...partition, offset: 0 }));
    const cases: [path: string, what: string, body: (count: number) => object][] = [
      ['assignments', 'partitions', (count) => ({ partitions: partitions.slice(0, count) })],
      ['positions/beginning', 'partitions', (count) => ({ partitions: partitions.slice(0, count) })],
      ['positions/end', 'partitions', (count) => ({ partitions: partitions.slice(0, count) })],
      ['positions', 'offsets', (count) => ({ offsets: offsets.slice(0, count) })],
      ['offsets', 'offsets', (count) => ({ offsets: offsets.slice(0, count) })],
    ];
    for (const [operation, what, body] of cases) {
      const refused = await bridge.post(`${path}/${operation}`, body(3));
      expect(refused.body).toEqual({
        error_code: 413,
        message: `The request has 3 ${what}, more than the limit of 2`,
      });
      expect(await bridge.post(`${path}/${operation}`, body(2))).toMatchObject({ status: 204 });
    }
    await bridge.request('DELETE', `${path}/subscription`);
    const topics = ['a', 'b', 'c'].map((name) => `${topic}-${name}`);
    expect((await bridge.post(`${path}/subscription`, { topics })).body).toEqual({
      error_code: 413,
      message: 'The request has 3 topics, more than the limit of 2',
    });
    expect((await bridge.post(`${path}/subscription`, { topics: topics.slice(1) })).status).toBe(204);
  } finally {
    await bridge.close();
  }
});

test('a consumer of a bridge with higher limits is adopted, reports why it reads no records, and can subscribe again', async () => {
  const region = unique('region');
  const generous = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { region, name: 'generous' } });
  const strict = await TestBridge.start(inject('kafkaBootstrap'), {
    bridge: { region, name: 'strict' },
    consumers: { maxTopics: 1, maxPartitions: 1 },
  });
  try {
    const topic = await kafka.topic(2);
    const group = unique('group');
    const subscribed = await generous.consumer(group, 'subscribed', [topic, `${topic}-2`]);
    const assigned = await generous.consumer(group, 'assigned', []);
    const partitions = [0, 1].map((partition) => ({ topic, partition }));
    expect((await generous.post(`${assigned.path}/assignments`, { partitions })).status).toBe(204);
    for (const [{ path }, what] of [
      [subscribed, 'topics'],
      [assigned, 'partitions'],
    ] as const) {
      const polled = await strict.get(`${path}/records?timeout=10`);
      expect(polled.body).toEqual({
        error_code: 500,
        message: `The consumer reads 2 ${what}, more than the limit of 1: subscribe or assign again`,
      });
      expect((await strict.request('DELETE', `${path}/subscription`)).status).toBe(204);
      expect((await strict.post(`${path}/subscription`, { topics: [topic] })).status).toBe(204);
      expect((await strict.get(`${path}/records?timeout=10`)).status).toBe(200);
    }
  } finally {
    await Promise.all([generous.close(), strict.close()]);
  }
});

test('a session that is too large for the session log is refused with its size, and the consumer does not change', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), { consumers: { maxTopics: 5000 } });
  try {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const long = Array.from({ length: 4000 }, (_, index) => `${'x'.repeat(240)}-${index}`);
    const refused = await bridge.post(`${consumer.path}/subscription`, { topics: long });
    expect(refused.status).toBe(413);
    expect(refused.body.message).toMatch(/takes \d+ bytes in the session log, more than the limit of 800000/);
    await bridge.produce(topic, { records: [{ value: 'v' }] });
    expect((await consumer.take(1)).map(({ value }) => value)).toEqual(['v']);
  } finally {
    await bridge.close();
  }
});

test('names that are too long are refused with their length and the limit, in bodies and in paths', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    limits: { maxUrlBytes: 65_536, maxHeaderBytes: 98_304 },
  });
  try {
    const group = unique('group');
    // Two bytes a character.
    const [fits, long] = ['ä'.repeat(512), 'ä'.repeat(513)];
    const message = (what: string): string => `The name of the ${what} has 1026 bytes, more than the limit of 1024`;
    const { path } = await bridge.consumer(group, fits, []);
    expect((await bridge.get(`${path}/subscription`)).status).toBe(200);
    expect((await bridge.post(`/consumers/${group}`, { name: long })).body.message).toBe(message('consumer'));
    expect((await bridge.post(`/consumers/${encodeURIComponent(long)}`)).body.message).toBe(message('group'));
    const answers = await Promise.all(
      ['records', 'subscription', 'assignments', 'positions', 'offsets'].flatMap((operation) => [
        bridge.get(`/consumers/${group}/instances/${encodeURIComponent(long)}/${operation}`),
        bridge.get(`/consumers/${encodeURIComponent(long)}/instances/c/${operation}`),
      ]),
    );
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.message}`))).toEqual(
      new Set([`422 ${message('consumer')}`, `422 ${message('group')}`]),
    );
    expect((await bridge.request('DELETE', `/consumers/${group}/instances/${encodeURIComponent(long)}`)).status).toBe(
      422,
    );

    // Longer than a length in the Kafka protocol can express.
    const topic = 't'.repeat(40_000);
    const partitions = [{ topic, partition: 0 }];
    const offsets = [{ topic, partition: 0, offset: 0 }];
    for (const [operation, body] of [
      ['assignments', { partitions }],
      ['positions/beginning', { partitions }],
      ['positions/end', { partitions }],
      ['positions', { offsets }],
      ['offsets', { offsets }],
    ] as const) {
      const { status, body: error } = await bridge.post(`${path}/${operation}`, body);
      expect(`${status} ${error.message}`).toBe(
        '422 The name of a topic has 40000 characters, more than the limit of 249',
      );
    }
    for (const target of [`/topics/${topic}`, `/topics/${topic}/partitions`, `/topics/${topic}/partitions/0`]) {
      expect([404, 500]).toContain((await bridge.get(target)).status);
    }
    expect((await bridge.get(`/topics/${topic}/partitions/0/offsets`)).status).toBe(422);
    const created = await bridge.post('/admin/topics', { topic_name: topic });
    expect(created.body.message).toMatch(/^Topic name is invalid: the length of 't{1000}…' is longer/);
  } finally {
    await bridge.close();
  }
});
