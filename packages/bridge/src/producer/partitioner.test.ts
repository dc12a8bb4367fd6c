import { expect, test } from 'vitest';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import type { RecordToProduce } from '../records.ts';
import { Partitioner } from './partitioner.ts';

const KEYLESS: RecordToProduce = {
  key: null,
  value: null,
  headers: undefined,
  partition: undefined,
  timestampMs: undefined,
};

/** With these leaders; -1: none. */
function topicOf(...leaders: number[]): TopicInfo {
  const partitions = leaders.map((leader, partition) => ({ partition, leader, replicas: [1], inSyncReplicas: [1] }));
  return { name: 't', id: 'id', isInternal: false, isWritable: true, partitions, fetchedAtMs: 0 };
}

/** Chance that takes these values in turn. */
function partitioner(...values: number[]): Partitioner {
  return new Partitioner(() => values.shift() ?? expect.fail('chance was asked once too often'));
}

test.each([
  ['21', 0],
  ['foobar', 6],
  ['abc', 7],
])('a key has the partition that Kafka gives it: %s', (key, partition) => {
  // (murmur2 & 0x7fffffff) % 10; the hashes are those of Kafka's UtilsTest.testMurmur2.
  const topic = topicOf(...new Array(10).fill(1));
  expect(partitioner().choose(topic, { ...KEYLESS, key: Buffer.from(key) })).toBe(partition);
});

test('records without a key share a partition until a batch is sent', () => {
  const choice = partitioner(0.5, 0.99, 0);
  const topic = topicOf(1, 1, 1);
  const choose = (): number => choice.choose(topic, KEYLESS);
  expect([choose(), choose()]).toEqual([1, 1]);
  choice.onSent('t');
  expect([choose(), choose()]).toEqual([2, 2]);
  choice.onSent('other');
  expect(choose()).toBe(2);
  choice.onSent('t');
  expect(choose()).toBe(0);
});

test('a partition without a leader is chosen only when no partition has one', () => {
  expect(partitioner(0).choose(topicOf(-1, 0, -1), KEYLESS)).toBe(1);
  expect(partitioner(0.99).choose(topicOf(-1, 0, -1), KEYLESS)).toBe(1);
  expect(partitioner(0.99).choose(topicOf(-1, -1, -1), KEYLESS)).toBe(2);
});

test('a recreated topic with fewer partitions gets another choice', () => {
  const choice = partitioner(0.99, 0.99);
  expect(choice.choose(topicOf(1, 1, 1), KEYLESS)).toBe(2);
  expect(choice.choose(topicOf(1, 1), KEYLESS)).toBe(1);
});
