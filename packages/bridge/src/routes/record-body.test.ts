import type { EmbeddedFormat } from '@causeway/protocol/content-types.ts';
import { ProducerRecordList, ProducerRecordToPartitionList } from '@causeway/protocol/topics.ts';
import { expect, test } from 'vitest';
import { scanRecords } from '../codec/record-scan.ts';
import { BridgeError } from '../errors.ts';
import type { RecordToProduce } from '../records.ts';
import { parseRecords } from './record-body.ts';

const USUAL = [
  '{"records":[{"value":{"a":1,"b":[true,false,null,-2.5,0,0.000001,123456789012345],"c":{"d":"é\\n\\"\\\\"}}}]}',
  ' {\n "records" : [ { "key" : "k" , "value" : [ 1, "a b" , { "x" : { } } ] } , {"value":null,"partition":2,"timestamp":1700000000000} ] } ',
  '{"records":[]}',
];

/** As the parser would store it, whatever may stand around it. */
const UNUSUAL = [
  '1.0',
  '1e3',
  '-0',
  '0.0000001',
  '1234567890123456',
  '0.1234567890123456',
  '"\\u0041"',
  '"\\/"',
  '"😀"',
  '{"b":1,"b":2}',
  '{"b":1,"1":2}',
  '{"\\n":1}',
  `${'['.repeat(70)}${']'.repeat(70)}`,
];

interface Plain {
  key: string | undefined;
  value: string | undefined;
  partition: number | undefined;
  timestampMs: bigint | undefined;
}

function plain(records: readonly RecordToProduce[]): Plain[] {
  return records.map(({ key, value, partition, timestampMs, headers }) => {
    expect(headers).toBeUndefined();
    return { key: key?.toString('latin1'), value: value?.toString('latin1'), partition, timestampMs };
  });
}

function parsed(text: string, format: EmbeddedFormat, isPlacing: boolean): Plain[] | string {
  const schema = isPlacing ? ProducerRecordList : ProducerRecordToPartitionList;
  try {
    return plain(parseRecords(Buffer.from(text), format, { schema, partition: undefined }));
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
}

function scanned(text: string, format: EmbeddedFormat, isPlacing: boolean): Plain[] | undefined {
  const records = scanRecords(Buffer.from(text), { format, isPlacing });
  return records === undefined ? undefined : plain(records);
}

test.each(USUAL)('a usual body is read without parsing it: %s', (text) => {
  expect(scanned(text, 'json', true)).toEqual(parsed(text, 'json', true));
});

test.each(UNUSUAL)('what would be stored in another form than it came is left to the parser: %s', (text) => {
  for (const value of [`{"a":${text}}`, `[${text}]`]) {
    expect(scanned(`{"records":[{"value":${value}}]}`, 'json', true)).toBeUndefined();
  }
});

test('text and base64 are read without parsing, escapes are not', () => {
  const text = '{"records":[{"key":"é😀","value":"a b"},{"value":""}]}';
  expect(scanned(text, 'text', true)).toEqual(parsed(text, 'text', true));
  const binary = '{"records":[{"key":"aGVsbG8=","value":"AAEC"},{"value":""}]}';
  expect(scanned(binary, 'binary', true)).toEqual(parsed(binary, 'binary', true));
  expect(scanned('{"records":[{"value":"a\\n"}]}', 'text', true)).toBeUndefined();
  expect(scanned('{"records":[{"value":"aGVsbG8"}]}', 'binary', true)).toBeUndefined();
});

test('bodies that are not UTF-8 are left to the parser', () => {
  const body = Buffer.from('{"records":[{"value":"x"}]}');
  body[body.indexOf('x')] = 0xff;
  expect(scanRecords(body, { format: 'json', isPlacing: true })).toBeUndefined();
});

test('what is read without parsing is what the parser reads, for bodies changed at every place', () => {
  const changes = [...' "\\,:{}[]0e.-+tu1nk', '\n', '\u0001', 'é', '"value":"v",', '"key":[],', '{"value":"a"},', ''];
  const texts = [
    ...USUAL,
    '{"records":[{"key":"aGVsbG8=","value":"AAEC","partition":1,"timestamp":12}]}',
    ...UNUSUAL.slice(0, -1).map((value) => `{"records":[{"value":[${value}]}]}`),
  ];
  let scannedCount = 0;
  for (const text of texts) {
    for (let at = 0; at <= text.length; at += 1) {
      for (const change of changes) {
        for (const rest of [at, at + 1]) {
          const changed = text.slice(0, at) + change + text.slice(rest);
          for (const format of ['json', 'binary', 'text'] as const) {
            for (const isPlacing of [true, false]) {
              const found = scanned(changed, format, isPlacing);
              if (found === undefined) continue;
              scannedCount += 1;
              const expected = parsed(changed, format, isPlacing);
              // Comparing by hand: `expect` is too slow for so many.
              if (textOf(found) !== textOf(expected)) expect(found, `${format} ${changed}`).toEqual(expected);
            }
          }
        }
      }
    }
  }
  expect(scannedCount).toBeGreaterThan(1000);
});

function textOf(value: Plain[] | string): string {
  return JSON.stringify(value, (_key, field) => (typeof field === 'bigint' ? `${field}n` : field));
}
