import { expect, test } from 'vitest';
import { codecOf } from '../codec/formats.ts';
import type { StoredRecord } from '../records.ts';
import { answerText } from './answer-text.ts';

const RECORD: StoredRecord = {
  topic: 't',
  partition: 1,
  offset: 7n,
  timestampMs: 1000n,
  key: null,
  value: Buffer.from('{"a":1}'),
  headers: [],
};
const TEXT = '{"topic":"t","key":null,"value":{"a":1},"partition":1,"offset":7,"timestamp":1000}';

test('fields come in the order of the API, headers only when there are any', () => {
  const answer = answerText([RECORD], codecOf('json'), Number.POSITIVE_INFINITY);
  expect(answer.text.toString()).toBe(`[${TEXT}]`);
  expect(answer.recordCount).toBe(1);
  const headers = [[Buffer.from('h'), Buffer.from('x')] as const, [Buffer.from('h'), null] as const];
  expect(answerText([{ ...RECORD, headers }], codecOf('json'), Number.POSITIVE_INFINITY).text.toString()).toBe(
    `[${TEXT.slice(0, -1)},"headers":[{"key":"h","value":"eA=="},{"key":"h","value":null}]}]`,
  );
});

test('an answer holds as many records as fit, counted in bytes of UTF-8', () => {
  const records = [RECORD, { ...RECORD, value: Buffer.from('"é"') }, RECORD];
  const codec = codecOf('json');
  const twoBytes = answerText(records.slice(0, 2), codec, Number.POSITIVE_INFINITY).text.length;
  expect(answerText(records, codec, twoBytes).recordCount).toBe(2);
  expect(answerText(records, codec, twoBytes - 1).recordCount).toBe(1);
  expect(answerText([], codec, 2).text.toString()).toBe('[]');
});

test('an answer that cannot hold one record is refused, and so is a record that is not JSON', () => {
  expect(() => answerText([RECORD], codecOf('json'), 50)).toThrow(
    expect.objectContaining({ code: 'responseTooLarge' }),
  );
  expect(() => answerText([], codecOf('json'), 1)).toThrow(expect.objectContaining({ code: 'responseTooLarge' }));
  expect(() => answerText([{ ...RECORD, value: Buffer.from('x') }], codecOf('json'), 1000)).toThrow(
    expect.objectContaining({ code: 'recordUndecodable' }),
  );
});

test('an answer that was cut holds nothing of the record that did not fit', () => {
  const records = [RECORD, { ...RECORD, value: Buffer.from('"not in it"') }];
  const { text, recordCount } = answerText(records, codecOf('json'), TEXT.length + 3);
  expect([text.toString(), recordCount]).toEqual([`[${TEXT}]`, 1]);
});

test.each([
  ['json', '', null],
  ['json', '"😀é"', '😀é'],
  ['json', ' [1, 2] ', [1, 2]],
  ['json', '{"a":"}"} trailing {', { a: '}' }],
  ['text', '😀 "é"\n\u0000', '😀 "é"\n\u0000'],
  ['binary', '😀', Buffer.from('😀').toString('base64')],
] as const)('%s bytes of %j are read back as %j, as keys and as values', (format, stored, value) => {
  const record = { ...RECORD, key: Buffer.from(stored), value: Buffer.from(stored) };
  const { text } = answerText([record, RECORD, record], codecOf(format), 10_000);
  const entries = JSON.parse(text.toString()) as { key: unknown; value: unknown }[];
  expect(entries.map(({ key }) => key)).toEqual([value, null, value]);
  expect(entries[2]?.value).toEqual(value);
});

test('bytes that are not UTF-8 inside JSON become replacement characters', () => {
  const value = Buffer.from([0x22, 0x61, 0xff, 0x22]);
  const { text } = answerText([{ ...RECORD, value }], codecOf('json'), 1000);
  expect((JSON.parse(text.toString()) as { value: string }[])[0]?.value).toBe('a\ufffd');
});

test('answers grow beyond what was guessed, also with headers and names outside ASCII', () => {
  const value = Buffer.from('\u0001é'.repeat(20_000));
  const headers = [[Buffer.from('ключ😀'), Buffer.from('x')] as const];
  const { text } = answerText([{ ...RECORD, value, headers }, RECORD], codecOf('text'), Number.POSITIVE_INFINITY);
  const [first, second] = JSON.parse(text.toString()) as { value: string; headers?: { key: string }[] }[];
  expect(first?.value).toBe(value.toString());
  expect(first?.headers?.[0]?.key).toBe('ключ😀');
  expect(second?.value).toBe('{"a":1}');
});
