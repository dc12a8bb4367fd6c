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
  expect(answerText([RECORD], codecOf('json'), Number.POSITIVE_INFINITY)).toEqual({
    text: `[${TEXT}]`,
    recordCount: 1,
  });
  const headers = [[Buffer.from('h'), Buffer.from('x')] as const, [Buffer.from('h'), null] as const];
  expect(answerText([{ ...RECORD, headers }], codecOf('json'), Number.POSITIVE_INFINITY).text).toBe(
    `[${TEXT.slice(0, -1)},"headers":[{"key":"h","value":"eA=="},{"key":"h","value":null}]}]`,
  );
});

test('an answer holds as many records as fit, counted in bytes of UTF-8', () => {
  const records = [RECORD, { ...RECORD, value: Buffer.from('"é"') }, RECORD];
  const codec = codecOf('json');
  const twoBytes = Buffer.byteLength(answerText(records.slice(0, 2), codec, Number.POSITIVE_INFINITY).text);
  expect(answerText(records, codec, twoBytes).recordCount).toBe(2);
  expect(answerText(records, codec, twoBytes - 1).recordCount).toBe(1);
  expect(answerText([], codec, 2).text).toBe('[]');
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
