import { describe, expect, test } from 'vitest';
import { FORMATS_BY_NAME } from '../formats/formats.ts';
import { runAtOnce } from '../http/sliced-work.ts';
import type { Partition } from '../kafka/fetch/partition.ts';
import { fetchedBuffer } from '../kafka/fetch/record-buffer.ts';
import { RecordReader } from '../kafka/fetch/record-reader.ts';
import { writeBatch } from '../kafka/produce/record-batch-writer.ts';
import type { RecordHeader, StoredRecord } from '../records.ts';
import { type ResponseTextOptions, responseText } from './response-text.ts';

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

/** Reads records from a batch, as Kafka sends them. */
function readerOf(records: readonly StoredRecord[]): RecordReader {
  const [first] = records;
  if (first === undefined) return new RecordReader([], 500);
  const { topic, partition } = first;
  const toProduce = records.map((record) => ({
    ...record,
    headers: record.headers.map(([name, value]): RecordHeader => [name ?? Buffer.alloc(0), value]),
    partition: undefined,
  }));
  const batches = writeBatch(toProduce, first.timestampMs);
  batches.writeBigInt64BE(first.offset, 0);
  const buffer = fetchedBuffer({ position: first.offset, batches, abortedTransactions: null, isChecking: true });
  const known = {
    topicId: undefined,
    position: first.offset,
    committed: undefined,
    resetTo: undefined,
    logEnd: buffer.end,
  };
  return new RecordReader([{ topic, partition, buffer, ...known } satisfies Partition], 500);
}

function responseOf(
  records: readonly StoredRecord[],
  options: ResponseTextOptions,
): { text: Buffer; recordCount: number } {
  const reader = readerOf(records);
  const text = runAtOnce(responseText(reader, options));
  return { text, recordCount: reader.count };
}

test('fields come in the order of the API, headers only when there are any', () => {
  const response = responseOf([RECORD], { codec: FORMATS_BY_NAME.json });
  expect(response.text.toString()).toBe(`[${TEXT}]`);
  expect(response.recordCount).toBe(1);
  const headers = [[Buffer.from('h'), Buffer.from('x')] as const, [Buffer.from('h'), null] as const];
  expect(responseOf([{ ...RECORD, headers }], { codec: FORMATS_BY_NAME.json }).text.toString()).toBe(
    `[${TEXT.slice(0, -1)},"headers":[{"key":"h","value":"eA=="},{"key":"h","value":null}]}]`,
  );
});

test.each([
  ['far apart', [1000n, 1_700_000_000_000n, 0n]],
  ['at the ends of 64 bits', [0n, 2n ** 63n - 1n, 2n ** 53n + 1n, 2n ** 62n + 1n]],
  ['at the ends of 64 bits, backwards', [2n ** 63n - 1n, 2n ** 62n + 1n, 2n ** 53n + 1n, 0n]],
  ['whose sum with the first needs more than a double', [2n ** 52n - 1n, 2n ** 53n + 1n, 2n ** 53n - 1n]],
])('timestamps are exact in one batch: %s', (_, times) => {
  const { text } = responseOf(
    times.map((timestampMs) => ({ ...RECORD, timestampMs })),
    { codec: FORMATS_BY_NAME.json },
  );
  expect(text.toString().match(/(?<="timestamp":)\d+/g)).toEqual(times.map(String));
});

test('a response has as many records as fit, counted in bytes of UTF-8', () => {
  const records = [RECORD, { ...RECORD, value: Buffer.from('"é"') }, RECORD];
  const codec = FORMATS_BY_NAME.json;
  const twoBytes = responseOf(records.slice(0, 2), { codec }).text.length;
  expect(responseOf(records, { codec, maxBytes: twoBytes }).recordCount).toBe(2);
  expect(responseOf(records, { codec, maxBytes: twoBytes - 1 }).recordCount).toBe(1);
  expect(responseOf([], { codec, maxBytes: 2 }).text.toString()).toBe('[]');
});

test('a response ends at the wanted size; a longer record comes alone, if the client accepts it', () => {
  const long = { ...RECORD, value: Buffer.from(`"${'x'.repeat(200)}"`) };
  const codec = FORMATS_BY_NAME.json;
  const of = (records: StoredRecord[], limits: object) => responseOf(records, { codec, ...limits });
  const two = of([RECORD, RECORD], {}).text.length;
  expect(of([RECORD, RECORD, RECORD], { wantedBytes: two }).recordCount).toBe(2);
  expect(of([RECORD, RECORD, RECORD], { wantedBytes: two - 1 }).recordCount).toBe(1);
  expect(of([RECORD, long], { wantedBytes: two }).recordCount).toBe(1);
  const alone = of([long, RECORD], { wantedBytes: two });
  expect([alone.recordCount, JSON.parse(alone.text.toString())]).toMatchObject([1, [{ offset: 7 }]]);
  expect(of([long, RECORD], { wantedBytes: two, maxBytes: 1_000 }).recordCount).toBe(1);
  expect(of([RECORD, RECORD], { wantedBytes: 1_000, maxBytes: two - 1 }).recordCount).toBe(1);
  expect(() => of([long, RECORD], { wantedBytes: 1_000, maxBytes: 150 })).toThrow(
    expect.objectContaining({ code: 'responseTooLarge' }),
  );
});

test('a record that does not fit alone, or is not JSON, fails the response', () => {
  expect(() => responseOf([RECORD], { codec: FORMATS_BY_NAME.json, maxBytes: 50 })).toThrow(
    expect.objectContaining({ code: 'responseTooLarge' }),
  );
  expect(() => responseOf([], { codec: FORMATS_BY_NAME.json, maxBytes: 1 })).toThrow(
    expect.objectContaining({ code: 'responseTooLarge' }),
  );
  expect(() =>
    responseOf([{ ...RECORD, value: Buffer.from('x') }], { codec: FORMATS_BY_NAME.json, maxBytes: 1000 }),
  ).toThrow(expect.objectContaining({ code: 'recordUndecodable' }));
});

test('a response that was cut has no part of the record that did not fit', () => {
  const records = [RECORD, { ...RECORD, value: Buffer.from('"not in it"') }];
  const { text, recordCount } = responseOf(records, { codec: FORMATS_BY_NAME.json, maxBytes: TEXT.length + 3 });
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
  const { text } = responseOf([record, RECORD, record], { codec: FORMATS_BY_NAME[format] });
  const entries = JSON.parse(text.toString()) as { key: unknown; value: unknown }[];
  expect(entries.map(({ key }) => key)).toEqual([value, null, value]);
  expect(entries[2]?.value).toEqual(value);
});

describe('bytes that are not UTF-8 fail the response or are reported, and never become other text', () => {
  const bad = Buffer.from([0x22, 0x61, 0xff, 0x22]);
  test.each([
    ['json', { value: bad }],
    ['json', { key: bad }],
    ['text', { value: bad }],
    ['text', { key: bad }],
    ...(['json', 'text', 'binary'] as const).map((format) => [format, { headers: [[bad, bad] as const] }] as const),
  ] as const)('in %s', (format, fields) => {
    const records = [RECORD, { ...RECORD, ...fields }, RECORD];
    expect(() => responseOf(records, { codec: FORMATS_BY_NAME[format] })).toThrow(
      expect.objectContaining({ code: 'recordUndecodable', message: expect.stringContaining('not UTF-8') }),
    );
    const { text, recordCount } = responseOf(records, { codec: FORMATS_BY_NAME[format], onError: 'report' });
    const entries = JSON.parse(text.toString()) as object[];
    expect(entries.map((entry) => 'error_code' in entry)).toEqual([false, true, false]);
    expect(recordCount).toBe(3);
  });
});

test('responses grow beyond their estimated size, also with headers and names outside ASCII', () => {
  const value = Buffer.from('\u0001é'.repeat(20_000));
  const headers = [[Buffer.from('ключ😀'), Buffer.from('x')] as const];
  const { text } = responseOf([{ ...RECORD, value, headers }, RECORD], { codec: FORMATS_BY_NAME.text });
  const [first, second] = JSON.parse(text.toString()) as { value: string; headers?: { key: string }[] }[];
  expect(first?.value).toBe(value.toString());
  expect(first?.headers?.[0]?.key).toBe('ключ😀');
  expect(second?.value).toBe('{"a":1}');
});
