import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_DEBT_SECONDS, type Rate, TokenBucket } from './token-bucket.ts';

const SEED = { seed: 16 };

test('a full bucket has its burst, fills at its rate, and never holds more', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 20 }, 0);
  expect(bucket.tokens(0)).toBe(20);
  bucket.take(15, 0);
  expect(bucket.tokens(0)).toBe(5);
  expect(bucket.tokens(500)).toBe(10);
  expect(bucket.tokens(60_000)).toBe(20);
  expect(bucket.isFull(60_000)).toBe(true);
});

test('what is taken beyond the content is a debt, which has to be made up for first', () => {
  const bucket = new TokenBucket({ perSecond: 100, burst: 100 }, 0);
  bucket.take(1_100, 0);
  expect(bucket.tokens(0)).toBe(-1_000);
  expect(bucket.waitMs(0)).toBe(10_010);
  expect(bucket.waitMs(10_009)).toBeCloseTo(1, 3);
  expect(bucket.waitMs(10_010)).toBe(0);
});

test('a debt is at most what an hour brings', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 10 }, 0);
  bucket.take(1e12, 0);
  expect(bucket.tokens(0)).toBe(-10 * MAX_DEBT_SECONDS);
});

test('a clock that does not change or goes back fills nothing', () => {
  const bucket = new TokenBucket({ perSecond: 1_000, burst: 1 }, 100);
  bucket.take(1, 100);
  expect(bucket.tokens(100)).toBe(0);
  expect(bucket.tokens(50)).toBe(0);
  expect(bucket.tokens(100.5)).toBe(0.5);
});

test('another rate keeps what was taken, and no more than the new burst', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 100 }, 0);
  bucket.configure({ perSecond: 1, burst: 5 }, 0);
  expect(bucket.tokens(0)).toBe(5);
  bucket.take(10, 0);
  bucket.configure({ perSecond: 10, burst: 100 }, 1_000);
  expect(bucket.tokens(1_000)).toBe(-4);
  expect(bucket.tokens(2_000)).toBe(6);
});

const rates: fc.Arbitrary<Rate> = fc.record({
  perSecond: fc.oneof(fc.integer({ min: 1, max: 1_000_000_000_000 }), fc.integer({ min: 1, max: 20 })),
  burst: fc.integer({ min: 1, max: 1_000_000_000_000 }),
});

test('however requests come, no more are admitted than the burst and what the time brings', () => {
  const pauses = fc.array(fc.double({ min: 0, max: 3_000, noNaN: true }), { maxLength: 200 });
  const slow = fc.record({ perSecond: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(slow, pauses, (rate, pausesMs) => {
      const bucket = new TokenBucket(rate, 0);
      let nowMs = 0;
      let admittedCount = 0;
      for (const pauseMs of pausesMs) {
        nowMs += pauseMs;
        if (bucket.waitMs(nowMs) > 0) continue;
        bucket.take(1, nowMs);
        admittedCount += 1;
      }
      expect(admittedCount).toBeLessThanOrEqual(Math.floor(rate.burst + (nowMs * rate.perSecond) / 1_000 + 0.001));
    }),
    SEED,
  );
});

test('a client that waits as long as it says, in whole seconds, finds a token, and none a second earlier', () => {
  fc.assert(
    fc.property(
      rates,
      fc.integer({ min: 1, max: 10_000_000_000_000 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      (rate, taken, startMs) => {
        const bucket = new TokenBucket(rate, startMs);
        bucket.take(taken, startMs);
        const seconds = Math.ceil(bucket.waitMs(startMs) / 1_000);
        if (seconds > 1) expect(bucket.waitMs(startMs + (seconds - 1) * 1_000 - 1)).toBeGreaterThan(0);
        expect(bucket.waitMs(startMs + seconds * 1_000)).toBe(0);
      },
    ),
    { ...SEED, numRuns: 1_000 },
  );
});
