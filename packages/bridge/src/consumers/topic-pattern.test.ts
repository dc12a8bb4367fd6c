import { describe, expect, test } from 'vitest';
import { TopicPattern } from './topic-pattern.ts';

const NAMES = ['a', 'ab', 'abc', 'b', 'a.b', 'A', 'a1'];

describe('whole names match, as in Java', () => {
  test.each([
    ['a', ['a']],
    ['a.*', ['a', 'ab', 'abc', 'a.b', 'a1']],
    ['a|b', ['a', 'b']],
    ['(?i)a', ['a', 'A']],
    ['\\Qa.b\\E', ['a.b']],
    ['a\\p{Lower}+', ['ab', 'abc']],
    ['a[\\p{Digit}b]', ['ab', 'a1']],
    ['\\Aab*+\\z', ['a', 'ab']],
    ['(?:a|ab)(?!c).?', ['a', 'ab', 'a1']],
    ['nothing', []],
  ])('%s', (source, expected) => {
    expect(new TopicPattern(source).match(NAMES)).toEqual(expected);
  });
});

describe('what is no pattern is refused in the words of Java', () => {
  test.each([
    ['(', 'java.util.regex.PatternSyntaxException: Unclosed group near index 1\n('],
    ['*a', "java.util.regex.PatternSyntaxException: Dangling meta character '*' near index 0\n*a\n^"],
    ['[a', 'java.util.regex.PatternSyntaxException: Unclosed character class near index 1\n[a\n ^'],
    ['a)(b', "java.util.regex.PatternSyntaxException: Unmatched closing ')' near index 0\na)(b\n^"],
    ['', 'java.lang.IllegalArgumentException: Topic pattern to subscribe to cannot be empty'],
  ])('%j', (source, message) => {
    expect(() => new TopicPattern(source)).toThrow(expect.objectContaining({ code: 'kafkaRefused', message }));
  });
});

test('a pattern that would never end is given up', () => {
  const pattern = new TopicPattern('(a+)+$b');
  expect(() => pattern.match([`${'a'.repeat(200)}!`])).toThrow(
    expect.objectContaining({ message: 'The topic_pattern takes too long to match' }),
  );
});
