import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBasic, parseBasic } from './basic-header.ts';

const encode = (text: string | Buffer): string => Buffer.from(text).toString('base64');

test('every name without a colon and every password come back', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/\p{Cc}/u.test(value) && value.isWellFormed());
  fc.assert(
    fc.property(
      text.filter((name) => name !== '' && !name.includes(':')),
      text,
      (name, password) => {
        expect(parseBasic(`Basic ${encode(`${name}:${password}`)}`)).toEqual({ name, password });
      },
    ),
  );
});

test.each([
  ['no credentials', 'Basic'],
  ['a blank alone', 'Basic '],
  ['nothing encoded', `Basic ${encode('')}`],
  ['no colon', `Basic ${encode('alice')}`],
  ['an empty name', `Basic ${encode(':secret')}`],
  ['a NUL', `Basic ${encode('alice:a\0b')}`],
  ['a line end', `Basic ${encode('alice\n:secret')}`],
  ['DEL', `Basic ${encode('alice:\u007f')}`],
  ['bytes that are not UTF-8', `Basic ${encode(Buffer.from([0x61, 0x3a, 0xff]))}`],
  ['an overlong form of UTF-8', `Basic ${encode(Buffer.from([0xc1, 0xa1, 0x3a, 0x61]))}`],
  ['a surrogate', `Basic ${encode(Buffer.from([0x61, 0x3a, 0xed, 0xa0, 0x80]))}`],
  ['base64url', `Basic ${encode('alice:~~~???').replaceAll('/', '_')}-`],
  ['a missing padding', 'Basic YWxpY2U6YQ'],
  ['too much padding', 'Basic YWxpY2U6YQ==='],
  ['a character in between', 'Basic YWxp!2U6YQ=='],
  ['a blank in between', 'Basic YWxp Y2U6YQ=='],
  ['two credentials', 'Basic YWxpY2U6YQ==, Basic YWxpY2U6YQ=='],
  ['10 KB', `Basic ${encode(`alice:${'x'.repeat(10_000)}`)}`],
  ['a tab', 'Basic\tYWxpY2U6YQ=='],
  ['parameters', 'Basic realm="x"'],
])('a header with %s is malformed, and Basic', (_, header) => {
  expect(isBasic(header)).toBe(true);
  expect(parseBasic(header)).toBeUndefined();
});

test('the scheme has any case', () => {
  for (const scheme of ['basic', 'BASIC', 'bAsIc', 'Basic  ']) {
    expect(parseBasic(`${scheme} ${encode('a:b')}`)).toEqual({ name: 'a', password: 'b' });
  }
});

test.each(['Bearer YWxpY2U6YQ==', 'Basics YWxpY2U6YQ==', 'Basic-2 x', '', 'YWxpY2U6YQ=='])(
  '%j is another scheme',
  (header) => {
    expect(isBasic(header)).toBe(false);
  },
);
