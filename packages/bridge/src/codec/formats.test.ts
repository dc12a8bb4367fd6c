import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codecOf } from './formats.ts';

/** Of the generated values: every run has the same. */
const SEED = 20_261_121;
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

describe('whatever is stored is read as it was', () => {
  /** What clients may send as a key: no numbers, no booleans, no null. */
  const embedded = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.jsonValue(), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 4 }),
  );

  test('as JSON', () => {
    const { encode, decode } = codecOf('json');
    fc.assert(
      fc.property(embedded, (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(JSON.parse(decode(encode(value, VALUE))))).toBe(text);
      }),
      { seed: SEED },
    );
  });

  test('as JSON, with anything behind it', () => {
    const { encode, decode } = codecOf('json');
    fc.assert(
      fc.property(embedded, fc.string({ unit: 'binary' }), (value, behind) => {
        const stored = Buffer.concat([encode(value, VALUE), Buffer.from(behind)]);
        expect(JSON.stringify(JSON.parse(decode(stored)))).toBe(JSON.stringify(value));
      }),
      { seed: SEED },
    );
  });

  test('as text', () => {
    const { encode, decode } = codecOf('text');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(decode(encode(text, VALUE)))).toBe(text);
      }),
      { seed: SEED },
    );
  });

  test('as bytes', () => {
    const { encode, decode } = codecOf('binary');
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        const stored = encode(text, VALUE);
        expect([...stored]).toEqual([...bytes]);
        expect(JSON.parse(decode(stored))).toBe(text);
      }),
      { seed: SEED },
    );
  });
});
