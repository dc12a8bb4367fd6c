import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTopicFilter, parseTopicFilter, permits, topicFilterOf } from './topic-filter.ts';

const pattern = fc.string({ unit: fc.constantFrom(...'ab.-_,;=%*é '), minLength: 1, maxLength: 6 });
const patterns = fc.record({ allow: fc.array(pattern), deny: fc.array(pattern) });

test('a filter survives its header', () => {
  fc.assert(
    fc.property(patterns, fc.string({ unit: fc.constantFrom(...'ab.-_,;=%é ') }), (given, topic) => {
      const text = formatTopicFilter(given);
      expect(text).toMatch(/^[!-~]*$/);
      expect(permits(parseTopicFilter(text), topic)).toBe(permits(topicFilterOf(given), topic));
    }),
  );
});

test.each([
  { allow: ['orders'], deny: [], topic: 'orders', expected: true },
  { allow: ['orders'], deny: [], topic: 'orders.eu', expected: false },
  { allow: ['orders*'], deny: [], topic: 'orders.eu', expected: true },
  { allow: ['*'], deny: ['secret*'], topic: 'secret.a', expected: false },
  { allow: ['*'], deny: ['secret*'], topic: 'public', expected: true },
  { allow: ['secret.a'], deny: ['secret*'], topic: 'secret.a', expected: false },
  { allow: [], deny: [], topic: 'orders', expected: false },
])('$topic with $allow without $deny: $expected', ({ allow, deny, topic, expected }) => {
  expect(permits(topicFilterOf({ allow, deny }), topic)).toBe(expected);
});

test.each(['', 'allow=a', 'allow=*;deny=%zz', 'allow=*;deny=;allow=*', 'x'])(
  'a text that no gateway sends permits nothing: %j',
  (text) => {
    expect(permits(parseTopicFilter(text), 'orders')).toBe(false);
  },
);
