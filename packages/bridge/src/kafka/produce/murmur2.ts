/** The hash by which Kafka's clients choose the partition of a key, in 32-bit arithmetic and in time linear to the key. */

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const SHIFT_BITS = 24;
const WORD_BYTES = 4;

/**
 * MurmurHash2 of `data` as a signed 32-bit integer.
 * Source: `org.apache.kafka.common.utils.Utils.murmur2`. The Kafka client library has one, too, which multiplies integers
 * of unbounded size: its time grows with the square of the key's length.
 */
export function murmur2(data: Buffer): number {
  const { length } = data;
  const wordsEnd = length - (length % WORD_BYTES);
  let hash = SEED ^ length;
  for (let index = 0; index < wordsEnd; index += WORD_BYTES) {
    let word = Math.imul(data.readInt32LE(index), MULTIPLIER);
    word = Math.imul(word ^ (word >>> SHIFT_BITS), MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  if (wordsEnd < length) {
    for (let index = length - 1; index >= wordsEnd; index -= 1) {
      hash ^= (data[index] as number) << (8 * (index - wordsEnd));
    }
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}
