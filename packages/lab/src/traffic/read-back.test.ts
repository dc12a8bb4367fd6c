import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { ensureTopics } from '../stack/kafka.ts';
import { independentClient } from '../stack/kafka-client.ts';
import { readBack } from './read-back.ts';

const bootstrap = inject('kafkaBootstrap');

async function newTopic(values: unknown[]): Promise<string> {
  const topic = `read-back-${randomUUID()}`;
  await ensureTopics(bootstrap, [{ name: topic, partitionCount: 3 }]);
  const producer = independentClient(bootstrap).producer();
  await producer.connect();
  const messages = values.map((value, index) => ({
    partition: index % 2,
    value: typeof value === 'string' ? value : JSON.stringify(value),
  }));
  if (messages.length > 0) await producer.send({ topic, messages });
  await producer.disconnect();
  return topic;
}

test('counts how often each record of the run is in the topic, beside other records', async () => {
  const run = 'r';
  const topic = await newTopic([{ n: 1, run }, { n: 2, run }, { n: 2, run }, { n: 3, run: 'another' }, 'no json', '']);
  const counts = await readBack({ kafka: bootstrap, topic, runId: run, signal: AbortSignal.timeout(60_000) });
  expect(Object.fromEntries(counts)).toEqual({ 1: 1, 2: 2 });
});

test('an empty topic holds nothing', async () => {
  const topic = await newTopic([]);
  expect((await readBack({ kafka: bootstrap, topic, runId: 'r', signal: AbortSignal.timeout(60_000) })).size).toBe(0);
});

test('a cancelled reading throws the reason', async () => {
  const topic = await newTopic([{ n: 1, run: 'r' }]);
  const signal = AbortSignal.abort(new Error('given up'));
  await expect(readBack({ kafka: bootstrap, topic, runId: 'r', signal })).rejects.toThrow('given up');
});
