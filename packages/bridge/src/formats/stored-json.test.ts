import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JSON_BYTES } from './json-grammar.ts';
import { JsonScanner, PAUSED } from './json-scanner.ts';
import { storedJson } from './stored-json.ts';

const { MALFORMED } = JSON_BYTES;

/** Of the generated texts: every run has the same. */
const SEED = 20_261_127;
const MAX_BYTES = 1_000_000;

/** What is stored for a text; `undefined` when it is not JSON. */
function stored(
  text: string,
  { sliceBytes = Number.POSITIVE_INFINITY, maxBytes = MAX_BYTES } = {},
): string | undefined {
  const scanner = new JsonScanner(Buffer.from(text), { maxValueBytes: maxBytes });
  let pauseAt = sliceBytes;
  let end = scanner.valueEnd(scanner.afterSpace(0), 0, pauseAt);
  while (end === PAUSED) {
    pauseAt += sliceBytes;
    end = scanner.resume(pauseAt);
  }
  if (end === MALFORMED || scanner.afterSpace(end) !== scanner.bytes.length) return undefined;
  return storedJson(scanner, maxBytes).toString();
}

describe('JSON is stored as it was sent', () => {
  test.each([
    '{"b":1,"a":2,"10":3,"9":4}',
    '{"z":{"2":0,"1":0},"":{"":[{"b":0,"a":0}]}}',
    '[1.0,1E5,1e5,1E+05,-0.0,-0,0.0,4.9e-324,1e-400,1e400,2.50,0.1000]',
    '[12345678901234567890,-9007199254740993,9007199254740993,0.1234567890123456789012345,1e999999999]',
    '{"__proto__":1,"constructor":2,"toString":3}',
    '["é\u007f\u0080\u2028\ufeff\uffff","\\"\\\\\\b\\f\\n\\r\\t"]',
    '["\\u0000","\\u001F","\\uD800","\\uDC00x","\\uD83D\\uDE00"]',
    '[true,false,null,[],{},[[]],[{}]]',
    '"text"',
  ])('%s', (text) => {
    expect(stored(text)).toBe(text);
  });

  test('up to the longest number', () => {
    const text = `[${'9'.repeat(1000)},-${'1'.repeat(500)}.${'0'.repeat(499)}]`;
    expect(stored(text)).toBe(text);
  });

  test.each([
    [' {\n\t"a" : [ 1 , 2 ] ,\r\n"b" : " " } ', '{"a":[1,2],"b":" "}'],
    ['/* a */{"a"/**/:/*,*/1// b\n,"c":"/* d */"}', '{"a":1,"c":"/* d */"}'],
  ])('without space and comments: %j', (text, expected) => {
    expect(stored(text)).toBe(expected);
  });

  test.each([
    [
      '"\\/\\u0041\\u00e9\\u20ac\\u0022\\u005c\\u000a\\u0001\\u001f\\ud83d\\ude00"',
      '"/Aé€\\"\\\\\\n\\u0001\\u001F\\uD83D\\uDE00"',
    ],
    ['{"\\u0061":"😀","é😀":0}', '{"a":"\\uD83D\\uDE00","é\\uD83D\\uDE00":0}'],
    ['"\\udbff\\udfff"', '"\\uDBFF\\uDFFF"'],
    ['"\u{10ffff}"', '"\\uDBFF\\uDFFF"'],
  ])('with one form for each character, whichever its client wrote: %j', (text, expected) => {
    expect(stored(text)).toBe(expected);
    expect(JSON.parse(expected)).toEqual(JSON.parse(text));
  });

  test.each([
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"a":1,"b":2,"a":3,"c":4,"a":5}', '{"b":2,"c":4,"a":5}'],
    ['{"a":{"b":1,"b":2},"a":{"c":1,"c":[2]}}', '{"a":{"c":[2]}}'],
    ['{"a" : "x,}\\"" , "\\u0061" : 2}', '{"a":2}'],
    ['[{"a":1},{"a":2},{"a":{"a":3}}]', '[{"a":1},{"a":2},{"a":{"a":3}}]'],
    ['{"":1,"":2}', '{"":2}'],
    [`{${Array.from({ length: 50 }, (_, index) => `"k${index}":0`).join(',')},"k7":1}`, undefined],
  ])('of members with one name the last is: %s', (text, expected) => {
    if (expected !== undefined) expect(stored(text)).toBe(expected);
    const result = stored(text) ?? '';
    expect(JSON.parse(result)).toEqual(JSON.parse(text));
    expect(result.match(/"k7"/g) ?? ['k7']).toHaveLength(1);
  });
});

describe('the same holds for generated values', () => {
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.bigInt({ min: 0n, max: 10n ** 40n }),
        fc.stringMatching(/^(?:\.[0-9]{1,9})?(?:[eE][+-]?[0-9]{1,4})?$/),
      )
      .map((parts) => parts.join('')),
  );
  const string = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.string({ unit: fc.constantFrom(...'ab\u0000\u001f"\\/é€\ud800\udfff😀'), maxLength: 5 }),
  );
  /** One spelling of a string: any character may be escaped. */
  const spelled = fc.tuple(string, fc.infiniteStream(fc.boolean())).map(([text, choices]) => {
    const units = Array.from({ length: text.length }, (_, index) => text.charAt(index));
    if (choices.next().value === true) return JSON.stringify(text);
    return `"${units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
  });
  const space = fc.constantFrom('', '', '', ' ', '\n', '/* , */', '// }\n');
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      number,
      spelled,
      fc.constantFrom('true', 'false', 'null'),
      fc
        .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
        .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
      fc
        .uniqueArray(fc.tuple(space, spelled, space, tie('value')), {
          maxLength: 24,
          selector: ([, name]) => JSON.parse(name) as string,
        })
        .map((members) => `{${members.map(([a, name, b, item]) => `${a}${name}${b}:${a}${item}${b}`).join(',')}}`),
    ),
  }));

  /** Tokens outside of strings and comments, with strings as they read. */
  const tokens = (text: string): string[] =>
    (text.match(/"(?:[^"\\]|\\.)*"|\/\*.*?\*\/|\/\/.*?\n|[^\s"/{}[\],:]+|[{}[\],:]/gs) ?? [])
      .filter((token) => !token.startsWith('/'))
      .map((token) => (token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token));

  test('every token is stored in its place, and numbers in their spelling', () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 9 }), (text, sliceBytes) => {
        const result = stored(text);
        expect(tokens(result ?? '')).toEqual(tokens(text));
        expect(stored(result ?? '')).toBe(result);
        expect(stored(text, { sliceBytes })).toBe(result);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('malformed JSON is rejected, for texts changed at any place', () => {
    const change = fc.record({
      at: fc.nat(),
      cut: fc.nat({ max: 2 }),
      put: fc.oneof(fc.constantFrom(...' "\\,:{}[]0123.eE-+u', 'null'), fc.string({ unit: 'binary', maxLength: 2 })),
    });
    const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }).map((item) => JSON.stringify(item));
    fc.assert(
      fc.property(json, change, (text, { at, cut, put }) => {
        const place = at % (text.length + 1);
        const changed = text.slice(0, place) + put + text.slice(place + cut);
        if (changed.includes('/') || !changed.isWellFormed()) return;
        let parsed: unknown;
        try {
          parsed = JSON.parse(changed);
        } catch {
          expect(stored(changed), changed).toBeUndefined();
          return;
        }
        expect(JSON.parse(stored(changed) ?? ''), changed).toEqual(parsed);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });
});

test.each([
  ['a number of 1001 digits', '1'.repeat(1001)],
  ['a fraction of 1200 digits', `${'1'.repeat(600)}.${'1'.repeat(600)}`],
  ['1001 lists within each other', '['.repeat(1001) + ']'.repeat(1001)],
  ['1001 objects within each other', `${'{"a":'.repeat(1001)}1${'}'.repeat(1001)}`],
])('a text is refused beyond the limits of digits and nesting: %s', (_what, text) => {
  expect(stored(text)).toBeUndefined();
});

test('a value that is too long to be stored stays as it is', () => {
  const text = `{"a": "${'x'.repeat(200)}", "a": "😀"}`;
  expect(stored(text, { maxBytes: 100 })).toBe(text);
});
