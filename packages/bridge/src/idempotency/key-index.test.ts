import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyIndex } from './key-index.ts';
import { hashKey, UNREAD_MS } from './key-shard.ts';

const keyOf = (name: number | string) => hashKey(Buffer.from(`key ${name}`));

describe('the index of keys', () => {
  test('finds what was added, and nothing else, for any order of adding, repeating and expiring', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), key: fc.nat(40), afterMs: fc.nat(30) }),
      fc.record({ kind: fc.constant('expire' as const), afterMs: fc.nat(200) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const index = new KeyIndex({ maxKeys: 1_000, retentionMs: 100 });
        const model = new Map<number, { place: { partition: number; offset: number }; timeMs: number }>();
        let nowMs = 0;
        for (const [offset, one] of steps.entries()) {
          nowMs += one.afterMs;
          if (one.kind === 'add') {
            const place = { partition: offset % 32, offset };
            index.add(keyOf(one.key), place, nowMs);
            model.set(one.key, { place, timeMs: nowMs });
          } else {
            index.expire(nowMs);
            for (const [key, { timeMs }] of model) if (timeMs < nowMs - 100) model.delete(key);
          }
          for (let key = 0; key <= 40; key += 1) expect(index.get(keyOf(key), 0)).toEqual(model.get(key)?.place);
        }
      }),
      { seed: 18, numRuns: 100 },
    );
  });

  test('grows to the most keys, and refuses rather than forgets', () => {
    const index = new KeyIndex({ maxKeys: 5_000, retentionMs: 1_000 });
    for (let key = 0; key < 5_000; key += 1) index.add(keyOf(key), { partition: 1, offset: key }, key / 10);
    expect(index.size).toBe(5_000);
    expect(index.hasRoomFor(1)).toBe(false);
    expect(index.isForgetful(500)).toBe(false);
    // The log has one more than fits: until that one has expired, this index may not know a key.
    index.add(keyOf('lost'), { partition: 1, offset: 5_000 }, 500);
    expect(index.isForgetful(1_499)).toBe(true);
    expect(index.isForgetful(1_500)).toBe(false);
    for (let key = 0; key < 5_000; key += 1) expect(index.get(keyOf(key))).toEqual({ partition: 1, offset: key });
    index.expire(1_250);
    expect(index.get(keyOf(2_499))).toBeUndefined();
    expect(index.get(keyOf(2_500))).toEqual({ partition: 1, offset: 2_500 });
    expect(index.hasRoomFor(2_500)).toBe(true);
    expect(index.expiredCount).toBe(2_500);
  });

  test('takes the time of the log alone: a key that is read again does not live longer', () => {
    const index = new KeyIndex({ maxKeys: 10, retentionMs: 100 });
    index.add(keyOf(1), { partition: 1, offset: 1 }, 0);
    index.add(keyOf(1), { partition: 1, offset: 1 }, 90);
    index.expire(101);
    expect(index.get(keyOf(1))).toBeUndefined();
  });

  test('a key has expired on time although others are before it, and not before its time because it was stored here', () => {
    const index = new KeyIndex({ maxKeys: 10, retentionMs: 100 });
    index.add(keyOf('read'), { partition: 1, offset: 1 }, 1_050);
    index.add(keyOf('older'), { partition: 2, offset: 1 }, 1_000);
    for (let key = 0; key < 5; key += 1) index.add(keyOf(key), { partition: 3, offset: key }, UNREAD_MS);
    expect(index.latestMs).toBe(1_050);
    expect(index.get(keyOf('older'), 1_100)).toEqual({ partition: 2, offset: 1 });
    expect(index.get(keyOf('older'), 1_101)).toBeUndefined();
    expect(index.get(keyOf('read'), 1_101)).toEqual({ partition: 1, offset: 1 });
    expect(index.get(keyOf(4), 1_000_000)).toEqual({ partition: 3, offset: 4 });
    index.add(keyOf(4), { partition: 3, offset: 4 }, 1_060);
    expect(index.latestMs).toBe(1_060);
    expect(index.get(keyOf(4), 1_160)).toEqual({ partition: 3, offset: 4 });
    expect(index.get(keyOf(4), 1_161)).toBeUndefined();
  });

  test('keeps a key in at most 64 bytes', () => {
    const index = new KeyIndex({ maxKeys: 1 << 17, retentionMs: 1_000 });
    for (let key = 0; key < 1 << 17; key += 1) index.add(keyOf(key), { partition: 1, offset: key }, 0);
    expect(index.bytes / index.size).toBeLessThan(64);
  });

  test('with many shards, knows and expires what one with a single shard does', () => {
    const index = new KeyIndex({ maxKeys: 100_000, retentionMs: 1_000 });
    for (let key = 0; key < 100_000; key += 1) index.add(keyOf(key), { partition: key % 32, offset: key }, key / 100);
    expect(index.size).toBe(100_000);
    expect(index.hasRoomFor(1)).toBe(false);
    index.add(keyOf('late'), { partition: 1, offset: 1 }, 1_500);
    // The keys before 500 have made room.
    expect(index.get(keyOf('late'))).toEqual({ partition: 1, offset: 1 });
    expect([index.size, index.expiredCount]).toEqual([50_001, 50_000]);
    for (let key = 0; key < 100_000; key += 97) {
      expect(index.get(keyOf(key))).toEqual(key < 50_000 ? undefined : { partition: key % 32, offset: key });
    }
  });
});
