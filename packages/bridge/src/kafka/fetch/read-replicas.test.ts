import { expect, test } from 'vitest';
import { ReadReplicas } from './read-replicas.ts';

const PARTITION = { topic: 't', partition: 0 };
const INFO = { partition: 0, leader: 1, replicas: [1, 2], inSyncReplicas: [1, 2] };

function replicasAt(clock: { nowMs: number }): ReadReplicas {
  return new ReadReplicas({ rack: 'a', maxAgeMs: 1000, now: () => clock.nowMs });
}

test('fetches go to the leader until it names a replica, and return to it after some time', () => {
  const clock = { nowMs: 0 };
  const replicas = replicasAt(clock);
  expect(replicas.sourceOf(PARTITION, INFO)).toBe(1);
  replicas.prefer(PARTITION, 2);
  expect(replicas.sourceOf(PARTITION, INFO)).toBe(2);
  expect(replicas.sourceOf({ ...PARTITION }, INFO)).toBe(1);
  clock.nowMs = 1000;
  expect(replicas.sourceOf(PARTITION, INFO)).toBe(1);
});

test('no fetch goes to a broker that is no longer a replica', () => {
  const replicas = replicasAt({ nowMs: 0 });
  replicas.prefer(PARTITION, 2);
  expect(replicas.sourceOf(PARTITION, { ...INFO, replicas: [1, 3] })).toBe(1);
  expect(replicas.sourceOf(PARTITION, undefined)).toBe(-1);
});

test('after a replica has failed leaders are not asked for another one for a while', () => {
  const clock = { nowMs: 0 };
  const replicas = replicasAt(clock);
  expect(replicas.giveUp(PARTITION)).toBe(false);
  expect(replicas.rack).toBe('a');
  replicas.prefer(PARTITION, 2);
  expect(replicas.giveUp(PARTITION, 1)).toBe(false);
  expect(replicas.giveUp(PARTITION, 2)).toBe(true);
  expect(replicas.sourceOf(PARTITION, INFO)).toBe(1);
  expect(replicas.rack).toBe('');
  clock.nowMs = 1000;
  expect(replicas.rack).toBe('a');
});
