import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { transactionalProducer, untilMarked } from '../../../../test/harness/transaction.ts';
import { ensureTopics } from '../stack/kafka.ts';
import { independentClient } from '../stack/kafka-client.ts';
import { readBack, readStored } from './read-back.ts';

const bootstrap = inject('kafkaBootstrap');
const run = 'r';

async function emptyTopic(partitionCount = 3): Promise<string> {
  const topic = `read-back-${randomUUID()}`;
  await ensureTopics(bootstrap, [{ name: topic, partitionCount }]);
  return topic;
}

async function newTopic(values: unknown[]): Promise<string> {
  const topic = await emptyTopic();
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

async function transactional(id: string) {
  const producer = transactionalProducer(bootstrap, id);
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  return producer;
}

const timely = (): AbortSignal => AbortSignal.timeout(60_000);

test('counts how often each record of the run is in the topic, beside other records', async () => {
  const topic = await newTopic([{ n: 1, run }, { n: 2, run }, { n: 2, run }, { n: 3, run: 'another' }, 'no json', '']);
  const counts = await readBack({ kafka: bootstrap, topic, runId: run, signal: timely() });
  expect(Object.fromEntries(counts)).toEqual({ 1: 1, 2: 2 });
});

test('an empty topic holds nothing', async () => {
  const topic = await newTopic([]);
  expect((await readBack({ kafka: bootstrap, topic, runId: run, signal: timely() })).size).toBe(0);
});

test('a cancelled reading throws the reason', async () => {
  const topic = await newTopic([{ n: 1, run }]);
  const signal = AbortSignal.abort(new Error('given up'));
  await expect(readBack({ kafka: bootstrap, topic, runId: run, signal })).rejects.toThrow('given up');
});

test('aborted records are not counted, also where transactions overlap and end in another order', async () => {
  const topic = await emptyTopic(1);
  const ids = ['early', 'late', 'good'].map((name) => `read-back-${name}-${randomUUID()}`);
  const producers = await Promise.all(ids.map(transactional));
  const [early, late, good] = await Promise.all(producers.map((producer) => producer.transaction()));
  const send = (transaction: typeof early, n: number) =>
    transaction?.send({ topic, messages: [{ value: JSON.stringify({ n, run }) }] });
  await send(early, 1);
  await send(late, 2);
  await send(good, 3);
  await late?.abort();
  await untilMarked(bootstrap, ids[1] ?? '');
  await early?.abort();
  await good?.commit();
  const stored = await readStored({ kafka: bootstrap, topic, runId: run, signal: timely() });
  expect(stored).toEqual({ places: new Map([[3, [{ partition: 0, offset: 2 }]]]), abortedCount: 2, openCount: 0 });
  // The reason for deciding by the markers. If kafkajs learns it, its own filter can be used.
  expect(await valuesByKafkajs(topic)).toContainEqual({ n: 1, run });
});

/** What kafkajs hands out in `read_committed`, its default. */
async function valuesByKafkajs(topic: string): Promise<unknown[]> {
  const consumer = independentClient(bootstrap).consumer({ groupId: `read-back-${randomUUID()}` });
  onTestFinished(() => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const { promise, resolve } = Promise.withResolvers<unknown[]>();
  await consumer.run({
    eachBatch: async ({ batch }) => {
      resolve(batch.messages.map(({ value }) => JSON.parse(String(value)) as unknown));
    },
  });
  return await promise;
}
