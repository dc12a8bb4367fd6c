/** What readers of committed records see of topics, through kafkajs. */
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { unique } from './kafka-view.ts';

/** The values of each topic, all of whose transactions must have ended. Topics have one partition. */
export async function committedValues(bootstrap: string, topics: readonly string[]): Promise<string[][]> {
  const kafka = independentClient(bootstrap);
  const end = unique('end');
  const producer = kafka.producer();
  await producer.connect();
  // Readers of committed records see it when everything before it has ended.
  await producer.sendBatch({ topicMessages: topics.map((topic) => ({ topic, messages: [{ value: end }] })) });
  await producer.disconnect();
  const values = new Map<string, string[]>(topics.map((topic) => [topic, []]));
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const open = new Set(topics);
  const consumer = kafka.consumer({ groupId: unique('reader'), maxWaitTimeInMs: 50 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ topic, message }) => {
        const value = String(message.value);
        if (value !== end) values.get(topic)?.push(value);
        else if (open.delete(topic) && open.size === 0) resolve();
      },
    });
    await done;
  } finally {
    await consumer.disconnect();
  }
  // Without the marks of earlier calls.
  return topics.map((topic) => (values.get(topic) ?? []).filter((value) => !value.startsWith('end-')));
}
