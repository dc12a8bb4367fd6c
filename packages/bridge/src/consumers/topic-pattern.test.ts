import { describe, expect, test } from 'vitest';
import { TopicPattern } from './topic-pattern.ts';

const NAMES = ['a', 'ab', 'abc', 'b', 'a.b', 'A', 'a1'];
const LONGEST_NAME = 'a'.repeat(249);

describe('whole names match, as in Java', () => {
  test.each([
    ['a', ['a']],
    ['a.*', ['a', 'ab', 'abc', 'a.b', 'a1']],
    ['a|b', ['a', 'b']],
    ['(?i)a', ['a', 'A']],
    ['(?i:a)|b', ['a', 'b', 'A']],
    ['\\Qa.b\\E', ['a.b']],
    ['a\\p{Lower}+', ['ab', 'abc']],
    ['a[\\p{Digit}b]', ['ab', 'a1']],
    ['\\Aab*+\\z', ['a', 'ab']],
    ['ab\\Z', ['ab']],
    ['[^\\w]|a\\W\\w', ['a.b']],
    ['a{1}b{0,1}(?:c)??', ['a', 'ab', 'abc']],
    ['(?<letter>a)\\d', ['a1']],
    ['nothing', []],
  ])('%s', (source, expected) => {
    const pattern = new TopicPattern(source);
    expect(NAMES.filter((name) => pattern.matches(name))).toEqual(expected);
  });
});

describe('an invalid pattern is refused in the words of Java', () => {
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

describe('a pattern that cannot be matched in linear time is refused, with the place', () => {
  test.each([
    ['a(?!b)', 1],
    ['a(?=b)', 1],
    ['(?<=a)b', 0],
    ['(?<!a)b', 0],
    ['(a)\\1', 3],
    ['(?<x>a)\\k<x>', 7],
  ])('%s', (source, index) => {
    const message = expect.stringContaining(
      `Lookahead, lookbehind and backreferences are not supported near index ${index}\n`,
    );
    expect(() => new TopicPattern(source)).toThrow(expect.objectContaining({ code: 'kafkaRefused', message }));
  });
});

describe('a pattern that would become too large is refused before it is compiled', () => {
  test.each([
    ['a long one', 'a'.repeat(1001), '1001 characters; at most 1000'],
    ['a repetition of much', `(${'ab'.repeat(490)}){1000}`, 'too large'],
    ['many repetitions', 'a{1000}'.repeat(140), 'too large'],
    ['repetitions of repetitions', '(((a{50}){50}){50}){50}', 'too large'],
    ['an open repetition', '(a{900,}b){3}', 'too large'],
    ['repetitions of a set', '[a-z]{900}[^]x]{900}[[:alpha:]]{900}', 'too large'],
  ])('%s', (_what, source, part) => {
    const message = expect.stringContaining(part);
    expect(() => new TopicPattern(source)).toThrow(expect.objectContaining({ code: 'invalidValue', message }));
  });

  test.each([['[a-z0-9.-]{1,249}'], ['(orders|payments)-[a-z]{2}-\\d{4}-\\d{2}'], ['\\Qa{9999}\\E'], ['\\{9999\\}']])(
    '%s is not one of them',
    (source) => {
      expect(() => new TopicPattern(source)).not.toThrow();
    },
  );
});

describe('a pattern that would keep a backtracking matcher busy for ever is matched as quickly as others', () => {
  test.each([['(a+)+$b'], ['(([a-z]+)+)+!'], ['(a|a)*b'], ['(a|aa)+b'], ['(.*)*x'], ['(a?){150}a{150}b']])(
    '%s',
    (source) => {
      const pattern = new TopicPattern(source);
      // A backtracking matcher would never return from the first of these.
      for (let count = 0; count < 200; count += 1) expect(pattern.matches(LONGEST_NAME)).toBe(false);
    },
  );
});
