import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isJson } from './json-bytes.ts';

/** Of the generated texts: every run has the same. */
const SEED = 20_261_121;

const TEXTS = [
  '{"a":[1,-2.5e+10,true,false,null,"\\u00e9\\n\\"\\\\\\/"],"b":{"c":{}},"d":[]}',
  ' \t\r\n{ "a" : [ 1 , 2 ] }\n',
  '"é😀\\ud83d"',
  '0',
  '-0.0E-0',
  '1e5',
  'null',
  '[[[]]]',
  '"\u007f"',
];

test.each(TEXTS)('%j is JSON', (text) => {
  expect(isJson(Buffer.from(text))).toBe(true);
});

test.each([
  ['', ' ', '{', '[1', '[1,]', '{"a":1,}', '{"a"}', '{a:1}', '{"a":1 "b":2}', '01', '1.', '.5', '+1', '1e', '-', 'nul'],
  [
    '"a',
    '"\\x"',
    '"\\u12g4"',
    '"\\u12"',
    '"a\nb"',
    '"\u0000"',
    'true false',
    '{} {}',
    '[1 2]',
    '\ufeff1',
    "'a'",
    'NaN',
  ],
  ['"\\', 'nulll', '\u00a01', '}', ']', ',', '[,]', '{,}', '1 2', '{"a":}', '"\\ud8"', '1.e5', '1e+'],
])('not JSON: %j and others', (...texts) => {
  for (const text of texts) {
    expect(() => JSON.parse(text)).toThrow();
    expect(isJson(Buffer.from(text)), text).toBe(false);
  }
});

test('bytes that are not UTF-8 are not JSON, wherever they are', () => {
  expect(isJson(Buffer.from([0x22, 0xff, 0x22]))).toBe(false);
  expect(isJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe(false);
});

test('JSON that is nested too deeply is rejected at once', () => {
  expect(isJson(Buffer.from('['.repeat(64) + ']'.repeat(64)))).toBe(true);
  expect(isJson(Buffer.from('['.repeat(1_000_000)))).toBe(false);
});

test('the check agrees with the parser, for texts changed at every place', () => {
  const changes = [...' "\\,:{}[]0e.-+tu1n', '\n', '\u0001', 'é', ''];
  for (const text of TEXTS) {
    for (let at = 0; at <= text.length; at += 1) {
      for (const change of changes) {
        for (const changed of [
          text.slice(0, at) + change + text.slice(at),
          text.slice(0, at) + change + text.slice(at + 1),
        ]) {
          const bytes = Buffer.from(changed);
          expect(isJson(bytes), changed).toBe(parses(bytes.toString()) && !changed.includes('\ufffd'));
        }
      }
    }
  }
});

describe('the check agrees with the parser', () => {
  /** Bytes that are nested no deeper than the check looks. */
  const agrees = (bytes: Buffer): void => {
    expect(isJson(bytes)).toBe(isUtf8(bytes) && !startsWithMark(bytes) && parses(bytes.toString()));
  };
  const spaced = fc
    .tuple(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), fc.constantFrom('', ' ', '\t', 2))
    .map(([value, space]) => JSON.stringify(value, null, space));

  test('for any JSON', () => {
    fc.assert(
      fc.property(spaced, fc.constantFrom('', ' ', '\n', '\r\t '), (text, around) => {
        expect(isJson(Buffer.from(around + text + around))).toBe(true);
      }),
      { seed: SEED },
    );
  });

  test('for JSON that is changed in some places', () => {
    const change = fc.record({
      at: fc.nat(),
      cut: fc.nat({ max: 2 }),
      put: fc.oneof(fc.constantFrom(...' "\\,:{}[]0.e-+u'), fc.string({ unit: 'binary', maxLength: 2 })),
    });
    fc.assert(
      fc.property(spaced, fc.array(change, { minLength: 1, maxLength: 3 }), (text, changes) => {
        let changed = text;
        for (const { at, cut, put } of changes) {
          const place = at % (changed.length + 1);
          changed = changed.slice(0, place) + put + changed.slice(place + cut);
        }
        agrees(Buffer.from(changed));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('for bytes that are changed or no JSON', () => {
    fc.assert(
      fc.property(spaced, fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.nat(), (text, bytes, at) => {
        const original = Buffer.from(text);
        const place = at % (original.length + 1);
        agrees(Buffer.concat([original.subarray(0, place), bytes, original.subarray(place)]));
        agrees(Buffer.from(bytes));
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});

/** Decoding drops a byte order mark, which JSON does not have. */
function startsWithMark(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 3) === '\u00ef\u00bb\u00bf';
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
