/** The tail of a topic whose first records retention has deleted: it begins, and continues, with what is left. */
import { expect, inject, onTestFinished, test } from 'vitest';
import { kafkaOfFile } from '../../../test/harness/bridge.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { until } from '../../../test/harness/until.ts';
import { within } from '../src/kafka/client/limits.ts';
import { TopicTail } from '../src/kafka/fetch/topic-tail.ts';

const kafka = await kafkaOfFile();

test('a tail begins at the first record that is left, and says what it could not read', async () => {
  const cluster = testCluster(inject('kafkaBootstrap'));
  onTestFinished(() => cluster.close());
  const topic = await kafka.topic(2);
  const messages = ['a', 'b', 'c'].map((value) => ({ key: value, value, partition: 1 }));
  await kafka.write(topic, messages);
  await kafka.admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '2' }] });
  const read: string[] = [];
  const events: string[] = [];
  const tail = new TopicTail(
    cluster,
    {
      topic,
      findTopic: async () => {
        const answer = (await cluster.topics([topic], within(5_000), { maxAgeMs: 0 })).get(topic);
        if (answer === undefined || !('topic' in answer)) throw new Error('no topic');
        return answer.topic;
      },
    },
    {
      onRestart: (partition) => events.push(`restart ${partition}`),
      onRecreated: (partition) => events.push(`recreated ${partition}`),
      onRecord: ({ value }) => read.push(String(value)),
      onTrouble: () => {},
    },
  );
  onTestFinished(() => tail.close());
  tail.start();
  await until('the rest is read', () => tail.position(1) === 3n);
  expect(read).toEqual(['c']);
  expect(events).toEqual(['restart 0', 'restart 1']);
});
