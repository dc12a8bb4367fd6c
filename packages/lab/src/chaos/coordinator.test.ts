import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { independentClient } from '../stack/kafka-client.ts';
import { coordinatingPartition, transactionCoordinator } from './coordinator.ts';

test.each([
  ['', 3, 0],
  // Java: "hello".hashCode() is 99162322, "orders".hashCode() is -1008770331.
  ['hello', 50, 22],
  ['orders', 50, 31],
  // As Kafka 4.3.1 logs them.
  ['causeway-answers-west/bridge-0', 3, 0],
  ['causeway-answers-west/bridge-1', 3, 1],
])('%j of %i partitions', (id, count, partition) => {
  expect(coordinatingPartition(id, count)).toBe(partition);
});

test('of one broker, it is that one', async () => {
  const bootstrap = inject('kafkaBootstrap');
  const transactionalId = `coordinator-${randomUUID()}`;
  const producer = independentClient(bootstrap).producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  onTestFinished(() => producer.disconnect());
  await producer.connect();
  await (await producer.transaction()).abort();
  const admin = independentClient(bootstrap).admin();
  onTestFinished(() => admin.disconnect());
  await admin.connect();
  const { brokers } = await admin.describeCluster();
  expect(brokers.map(({ nodeId }) => nodeId)).toContain(await transactionCoordinator(bootstrap, transactionalId));
});
