import process from 'node:process';
import { expect, inject, test } from 'vitest';
import { ensureTopics } from './kafka.ts';
import { independentClient } from './kafka-client.ts';

test('topics are created with the partitions asked for, and a second call changes nothing', async () => {
  const bootstrap = inject('kafkaBootstrap');
  const name = `ensure-${process.pid}-${Date.now()}`;
  await ensureTopics(bootstrap, [{ name, partitionCount: 2 }]);
  await ensureTopics(bootstrap, [{ name, partitionCount: 2 }]);
  const admin = independentClient(bootstrap).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    expect(topics[0]?.partitions).toHaveLength(2);
  } finally {
    await admin.disconnect();
  }
});
