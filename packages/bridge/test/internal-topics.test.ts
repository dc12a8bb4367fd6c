import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile, TestBridge } from '../../../test/harness/bridge.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { REPLICATED_SESSION_TOPIC } from '../src/kafka/client/internal-topics.ts';
import { SESSION_TOPIC } from '../src/ownership/session-topic-name.ts';

const KAFKAS = ['__consumer_offsets', '__transaction_state', '__share_group_state', '__cluster_metadata'];
const OURS = [SESSION_TOPIC, REPLICATED_SESSION_TOPIC, '__causeway_answers', '__causeway_'];

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();
const region = unique('region');
const open = await bridgeOfFile({ bridge: { region }, consumers: { excludeInternalTopics: false } });

async function consumerOf(at: TestBridge): Promise<string> {
  return (await at.consumer(unique('group'), 'c', [])).path;
}

function refusal(topic: string) {
  return {
    status: 403,
    body: { error_code: 403, message: `The topic ${topic} is internal: consumers cannot read it.` },
  };
}

describe.each([...KAFKAS, ...OURS])('the internal topic %s', (topic) => {
  test('is closed to consumers, alone or among others, and the consumer reads what it read before', async () => {
    const path = await consumerOf(bridge);
    const other = unique('other');
    for (const topics of [[topic], [other, topic]]) {
      expect(await bridge.post(`${path}/subscription`, { topics })).toMatchObject(refusal(topic));
    }
    expect((await bridge.get(`${path}/records?timeout=10`)).body.message).toContain('not subscribed');
    const partitions = [other, topic].map((name) => ({ topic: name, partition: 0 }));
    expect(await bridge.post(`${path}/assignments`, { partitions })).toMatchObject(refusal(topic));
    expect((await bridge.get(`${path}/assignments`)).body).toEqual({ partitions: [] });
  });

  test('cannot be created', async () => {
    const created = await bridge.post('/admin/topics', { topic_name: topic, partitions_count: 1 });
    expect(created).toMatchObject({ status: 403 });
    expect(created.body.message).toContain(topic);
  });

  test('takes no records', async () => {
    const { body } = await bridge.produce(topic, { records: [{ value: 'x' }] });
    expect(body.offsets[0].error_code).toBeGreaterThanOrEqual(400);
  });
});

test('a pattern matches no internal topic', async () => {
  const path = await consumerOf(bridge);
  const topic = await kafka.topic(1);
  const [first = ''] = topic;
  expect((await bridge.post(`${path}/subscription`, { topic_pattern: `__.*|${first}.*` })).status).toBe(204);
  await bridge.get(`${path}/records?timeout=3000`);
  const { topics } = (await bridge.get(`${path}/subscription`)).body;
  expect(topics).toContain(topic);
  expect(topics.filter((name: string) => name.startsWith('__'))).toEqual([]);
});

describe('a bridge that opens them', () => {
  test.each(KAFKAS)('lets a consumer read %s', async (topic) => {
    const path = await consumerOf(open);
    expect((await open.post(`${path}/subscription`, { topics: [topic] })).status).toBe(204);
  });

  test.each(OURS)('keeps %s closed', async (topic) => {
    const path = await consumerOf(open);
    expect(await open.post(`${path}/subscription`, { topics: [topic] })).toMatchObject(refusal(topic));
  });

  test('does not open them at the bridge that takes its consumer over', async () => {
    const going = await TestBridge.start(inject('kafkaBootstrap'), {
      bridge: { name: 'going', region },
      consumers: { excludeInternalTopics: false },
    });
    onTestFinished(() => going.close());
    const topic = await kafka.topic(1);
    await kafka.write(topic, [{ value: '1' }]);
    const group = unique('group');
    const { path } = await going.consumer(group, 'c', [topic, '__consumer_offsets']);
    await going.close();
    const taken = await bridge.get(`${path}/records?timeout=20000`);
    expect(taken.body).toMatchObject([{ topic, value: 1 }]);
    expect((await bridge.get(`${path}/subscription`)).body.topics).toEqual([topic]);
  });
});
