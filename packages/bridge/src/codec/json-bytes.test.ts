import { expect, test } from 'vitest';
import { isJson } from './json-bytes.ts';

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

test('nesting that is too deep to be looked at is not called JSON, and ends at once', () => {
  expect(isJson(Buffer.from('['.repeat(64) + ']'.repeat(64)))).toBe(true);
  expect(isJson(Buffer.from('['.repeat(1_000_000)))).toBe(false);
});

test('what is called JSON is what the parser takes, for texts changed at every place', () => {
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

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
