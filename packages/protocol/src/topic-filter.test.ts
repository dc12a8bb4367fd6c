import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTopicFilter, parseTopicFilter, permits, permitsAll, topicFilterOf } from './topic-filter.ts';

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

test('a name is permitted exactly by its own pattern or by one of its beginnings', () => {
  const unit = fc.constantFrom(...'ab.');
  const some = fc.array(fc.string({ unit: fc.constantFrom(...'ab.*'), minLength: 1, maxLength: 4 }), { maxLength: 8 });
  fc.assert(
    fc.property(some, fc.string({ unit, maxLength: 6 }), (allow, topic) => {
      const expected = allow.some((one) => (one.endsWith('*') ? topic.startsWith(one.slice(0, -1)) : one === topic));
      expect(permits(topicFilterOf({ allow, deny: [] }), topic)).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});

test('what another pattern includes is left out of the text', () => {
  const allow = ['b', 'a.b*', 'a.*', 'a.c', 'b'];
  expect(formatTopicFilter({ allow, deny: ['*', 'x'] })).toBe('allow=a.*,b;deny=*');
});

test.each([
  [{ allow: ['*'], deny: [] }, true],
  [{ allow: ['a', '*'], deny: [] }, true],
  [{ allow: ['*'], deny: ['a'] }, false],
  [{ allow: ['a*'], deny: [] }, false],
  [{ allow: [], deny: [] }, false],
])('%j permits all: %s', (patterns, expected) => {
  expect(permitsAll(topicFilterOf(patterns))).toBe(expected);
});
