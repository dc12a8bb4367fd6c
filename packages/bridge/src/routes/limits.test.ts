import { expect, inject, test } from 'vitest';
import { kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';

const kafka = await kafkaOfFile();

test('a bridge without consumers and producers says so, after it has looked at the request', async () => {
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

test('a bridge has no more consumers than it may, and no larger requests', async () => {
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
