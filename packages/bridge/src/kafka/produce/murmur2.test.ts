import { compatibilityPartitioner } from '@platformatic/kafka';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectRatioBelow } from '../../../../../test/harness/processor-ratio.ts';
import { murmur2 } from './murmur2.ts';

const POSITIVE_BITS = 0x7fff_ffff;

describe('the hash of a key', () => {
  // Kafka's own table: UtilsTest.testMurmur2.
  test.each([
    ['21', -973_932_308],
    ['foobar', -790_332_482],
    ['a-little-bit-long-string', -985_981_536],
    ['a-little-bit-longer-string', -1_486_304_829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
    ['abc', 479_470_107],
  ])('of %s is %i', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  test('equals that of the Kafka client library for keys of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const key = Buffer.from(bytes);
        expect(murmur2(key) & POSITIVE_BITS).toBe(compatibilityPartitioner(undefined as never, key));
      }),
      { seed: 13, numRuns: 500 },
    );
  });

  test('takes time linear to the key: 64 times the length takes far less than 64 times 64 the time', () => {
    const long = Buffer.alloc(8 << 20, 'k');
    const short = long.subarray(0, long.length / 64);
    // The square would be 4096.
    expectRatioBelow(512, { small: () => murmur2(short), large: () => murmur2(long) });
  });
});
