import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Codec } from './codec.ts';
import { FORMATS_BY_NAME } from './formats.ts';
import { JsonScanner, type JsonText } from './json-scanner.ts';

/** Of the generated values: every run has the same. */
const SEED = 20_261_121;
const MAX_BYTES = 1_000_000;

/** A value as it stands in a body. */
function embed(value: unknown): JsonText {
  return embedText(JSON.stringify(value));
}

function encoded(codec: Codec, value: unknown): Buffer {
  const text = embed(value);
  const bytes = codec.encode(text, MAX_BYTES);
  if (bytes === undefined) throw codec.refusal(text, { name: 'value', index: 3 });
  return bytes;
}

function embedText(text: string): JsonText {
  const scanner = new JsonScanner(Buffer.from(text), { maxValueBytes: MAX_BYTES });
  expect(scanner.valueEnd(0, 0, Number.POSITIVE_INFINITY)).toBe(scanner.bytes.length);
  return scanner;
}

describe('stored bytes', () => {
  test.each([
    ['json', 'v', '"v"'],
    ['json', { b: 1, a: [true, null, 'x'] }, '{"b":1,"a":[true,null,"x"]}'],
    ['json', '😀é', '"\\uD83D\\uDE00é"'],
    ['text', 'é😀', 'é😀'],
    ['text', '', ''],
    ['binary', 'aGVsbG8=', 'hello'],
    ['binary', 'aGVsbG8', 'hello'],
    ['binary', 'aGVsbA', 'hell'],
    ['binary', 'aGVsbG9=', 'hello'],
    ['binary', 'aGVsbB', 'hell'],
    ['binary', '', ''],
  ] as const)('%s of %j', (format, value, stored) => {
    expect(encoded(FORMATS_BY_NAME[format], value).toString()).toBe(stored);
  });
});

describe('a value that a format cannot hold is refused with its record', () => {
  test.each([
    ['text', {}, "Because the embedded format is 'text', the value must be a string"],
    ['binary', [], "Because the embedded format is 'binary', the value must be a base64 string (record 3)"],
    ['binary', '!!!', "Because the embedded format is 'binary', the value must be a base64 string (record 3)"],
    ...['a', 'aGVsbG8==', 'aGVsbA=', 'aGVsbA===', 'aGVs=', '=', '__-_', 'aGVs\n', 'é'].map(
      (text) =>
        [
          'binary',
          text,
          "Because the embedded format is 'binary', the value must be a base64 string (record 3)",
        ] as const,
    ),
  ] as const)('%s of %j', (format, value, message) => {
    expect(() => encoded(FORMATS_BY_NAME[format], value)).toThrow(
      expect.objectContaining({ code: 'invalidValue', message }),
    );
  });
});

test.each(['\ud800', 'a\udfff', '\ud83d\ud83d\ude00'])(
  'half a surrogate pair is not text, and JSON keeps its escape: %j',
  (text) => {
    expect(() => encoded(FORMATS_BY_NAME.text, text)).toThrow(
      expect.objectContaining({ code: 'invalidValue', message: expect.stringContaining('surrogate pair') }),
    );
    expect(JSON.parse(encoded(FORMATS_BY_NAME.json, text).toString())).toBe(text);
  },
);

describe('stored bytes as JSON', () => {
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
    expect(FORMATS_BY_NAME[format].decode(Buffer.from(stored))).toBe(text);
  });

  test.each([
    ['\ufeff{"a":1}', '{"a":1}'],
    ['\ufeff', 'null'],
    [' \t\r\n', 'null'],
    ['\ufeff \n', 'null'],
    ['/* nothing */', 'null'],
    ['/* a */ {"b": /* c */ 1.0, // d\n "e": "/* f */ // g"}', '{"b":1.0,"e":"/* f */ // g"}'],
    ['1.50E+05 rest', '1.50E+05'],
    ['"\\ud800\\u0000" rest', '"\\ud800\\u0000"'],
    ['{"a":1,"a":2} rest', '{"a":1,"a":2}'],
    ['[1,2]\u00ff', '[1,2]'],
  ])('json of %j', (stored, text) => {
    expect(FORMATS_BY_NAME.json.decode(Buffer.from(stored))).toBe(text);
  });

  test('json that is nested more deeply than a client may send it', () => {
    const nested = '['.repeat(5000) + ']'.repeat(5000);
    expect(FORMATS_BY_NAME.json.decode(Buffer.from(`${nested} rest`))).toBe(nested);
  });

  test('json that another program stored in UTF-16', () => {
    const littleEndian = Buffer.from('\ufeff{"a":"é😀"}', 'utf16le');
    const bigEndian = Buffer.from(littleEndian).swap16();
    for (const bytes of [littleEndian, bigEndian, littleEndian.subarray(2), bigEndian.subarray(2)]) {
      expect(FORMATS_BY_NAME.json.decode(bytes)).toBe('{"a":"é😀"}');
    }
  });

  test.each([
    ['"a\xff"'],
    ['"\xc3"'],
    ['"\xed\xa0\x80"'],
    ['"\xc0\x80"'],
    ['{"\xff":1}'],
    ['[1,{"a":["\xf8"]}] rest'],
    ['\xef\xbb\xbf"\xff"'],
    ['"\xff" rest'],
  ])('bytes that are not UTF-8 are never shown as others: %j', (latin1) => {
    const bytes = Buffer.from(latin1, 'latin1');
    for (const format of ['json', 'text'] as const) {
      expect(() => FORMATS_BY_NAME[format].decode(bytes)).toThrow(
        expect.objectContaining({ code: 'recordUndecodable' }),
      );
    }
    expect(FORMATS_BY_NAME.binary.decode(bytes)).toBe(JSON.stringify(bytes.toString('base64')));
  });

  test.each([
    ...['key', '{"a":', '{"a" 1}', '}', '12abc', '1.', '01', 'nullx', 'NaN', "'a'", '/* a', '/', '\ufeff\ufeff1'],
    ...['"\\x"', '"\\u12g4"', '"\n"', '[1,]', '{"a":1,}'],
  ])('json of %j is an error', (stored) => {
    expect(() => FORMATS_BY_NAME.json.decode(Buffer.from(stored))).toThrow(
      expect.objectContaining({ code: 'recordUndecodable', message: expect.stringMatching(/^Failed to decode:/) }),
    );
  });
});

describe('a stored value is read as it was sent', () => {
  /** What clients may send as a key: no numbers, no booleans, no null. */
  const embedded = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.jsonValue(), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 4 }),
  );

  test('as JSON', () => {
    const codec = FORMATS_BY_NAME.json;
    fc.assert(
      fc.property(embedded, (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(JSON.parse(codec.decode(encoded(codec, value))))).toBe(text);
      }),
      { seed: SEED },
    );
  });

  test('as JSON, with anything behind it', () => {
    const codec = FORMATS_BY_NAME.json;
    fc.assert(
      fc.property(embedded, fc.string({ unit: 'binary' }), (value, behind) => {
        const stored = Buffer.concat([encoded(codec, value), Buffer.from(behind)]);
        expect(JSON.stringify(JSON.parse(codec.decode(stored)))).toBe(JSON.stringify(value));
      }),
      { seed: SEED },
    );
  });

  test('as text', () => {
    const codec = FORMATS_BY_NAME.text;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(codec.decode(encoded(codec, text)))).toBe(text);
      }),
      { seed: SEED },
    );
  });

  test('as bytes', () => {
    const codec = FORMATS_BY_NAME.binary;
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        const stored = encoded(codec, text);
        expect([...stored]).toEqual([...bytes]);
        expect(JSON.parse(codec.decode(stored))).toBe(text);
      }),
      { seed: SEED },
    );
  });
});
