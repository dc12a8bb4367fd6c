import { describe, expect, test } from 'vitest';
import { codecOf } from './formats.ts';

const VALUE = { name: 'value', index: 3 } as const;

describe('what is stored', () => {
  test.each([
    ['json', 'v', '"v"'],
    ['json', { b: 1, a: [true, null, 'x'] }, '{"b":1,"a":[true,null,"x"]}'],
    ['json', '😀é', '"\\uD83D\\uDE00é"'],
    ['text', 'é😀', 'é😀'],
    ['text', '', ''],
    ['binary', 'aGVsbG8=', 'hello'],
    ['binary', '', ''],
  ] as const)('%s of %j', (format, value, stored) => {
    expect(codecOf(format).encode(value, VALUE).toString()).toBe(stored);
  });
});

describe('what a format cannot hold is refused, with the record', () => {
  test.each([
    ['text', {}, "Because the embedded format is 'text', the value must be a string"],
    ['binary', [], "Because the embedded format is 'binary', the value must be a base64 string (record 3)"],
    ['binary', '!!!', "Because the embedded format is 'binary', the value must be a base64 string (record 3)"],
    ['binary', 'aGVsbG8', "Because the embedded format is 'binary', the value must be a base64 string (record 3)"],
  ] as const)('%s of %j', (format, value, message) => {
    expect(() => codecOf(format).encode(value, VALUE)).toThrow(
      expect.objectContaining({ code: 'invalidValue', message }),
    );
  });
});

describe('what is read', () => {
  test.each([
    ['json', '{"b":1, "a":12345678901234567890}', '{"b":1, "a":12345678901234567890}'],
    ['json', '', 'null'],
    ['json', '7', '7'],
    ['json', ' {"a":"}"} and more', '{"a":"}"}'],
    ['json', '12 13', '12'],
    ['json', '"a\\"b" rest', '"a\\"b"'],
    ['text', 'he said "no"\n', '"he said \\"no\\"\\n"'],
    ['text', '', '""'],
    ['binary', 'hello', '"aGVsbG8="'],
    ['binary', '', '""'],
  ] as const)('%s of %j', (format, stored, text) => {
    expect(codecOf(format).decode(Buffer.from(stored))).toBe(text);
  });

  test('text that is not UTF-8 shows replacement characters', () => {
    expect(codecOf('text').decode(Buffer.from([0x61, 0xff]))).toBe('"a\ufffd"');
  });

  test.each(['key', '{"a":', '{"a" 1}', '}', '   '])('json of %j is an error', (stored) => {
    expect(() => codecOf('json').decode(Buffer.from(stored))).toThrow(
      expect.objectContaining({ code: 'recordUndecodable', message: expect.stringMatching(/^Failed to decode:/) }),
    );
  });
});
