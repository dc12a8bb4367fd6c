import type { FormatName } from '@causeway/protocol/content-types.ts';
import { ProducerRecordList, ProducerRecordToPartitionList } from '@causeway/protocol/topics.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BridgeError } from '../errors.ts';
import { FORMATS_BY_NAME } from '../formats/formats.ts';
import { scanRecords } from '../formats/record-scan.ts';
import type { RecordToProduce } from '../records.ts';
import { readTree } from './body-tree.ts';
import { parseRecords } from './record-body.ts';
import { runAtOnce } from './sliced-work.ts';

/** The seed of the generated bodies: every run has the same. */
const SEED = 20_261_121;

const LIMITS = { maxRecords: 100, maxRecordBytes: 1_000_000, maxHeaders: 500_000 };

const USUAL = [
  '{"records":[{"value":{"a":1,"b":[true,false,null,-2.5,0,0.000001,123456789012345],"c":{"d":"é\\n\\"\\\\"}}}]}',
  ' {\n "records" : [ { "key" : "k" , "value" : [ 1, "a b" , { "x" : { } } ] } , {"value":null,"partition":2,"timestamp":1700000000000} ] } ',
  '{"records":[]}',
];

/** Values that are stored in another form than the client sent, or of special interest. */
const UNUSUAL = [
  '1.0',
  '1e3',
  '-0',
  '0.0000001',
  '1234567890123456',
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
  headers: unknown;
  partition: number | undefined;
  timestampMs: bigint | undefined;
}

function plain(records: readonly RecordToProduce[]): Plain[] {
  return records.map(({ key, value, partition, timestampMs, headers }) => {
    const plainHeaders = headers?.map((header) => header.map((bytes) => bytes?.toString('latin1') ?? null));
    return {
      key: key?.toString('latin1'),
      value: value?.toString('latin1'),
      headers: plainHeaders,
      partition,
      timestampMs,
    };
  });
}

function parsed(text: string, format: FormatName, isPlacing: boolean): Plain[] | string {
  const schema = isPlacing ? ProducerRecordList : ProducerRecordToPartitionList;
  try {
    const found = runAtOnce(
      parseRecords(Buffer.from(text), FORMATS_BY_NAME[format], { schema, partition: undefined, ...LIMITS }),
    );
    return plain(found.records);
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
}

function scanned(text: string, format: FormatName, isPlacing: boolean): Plain[] | undefined {
  const found = runAtOnce(scanRecords(Buffer.from(text), { codec: FORMATS_BY_NAME[format], isPlacing, ...LIMITS }));
  return found === undefined ? undefined : plain(found.records);
}

test.each(USUAL)('a usual body is read without parsing: %s', (text) => {
  expect(scanned(text, 'json', true)).toEqual(parsed(text, 'json', true));
});

test.each(UNUSUAL)('so is one with unusual values: %s', (text) => {
  for (const value of [`{"a":${text}}`, `[${text}]`]) {
    const body = `{"records":[{"value":${value}}]}`;
    expect(scanned(body, 'json', true)).toEqual(parsed(body, 'json', true));
  }
});

test('text and base64 are read without parsing, escapes are not', () => {
  const text = '{"records":[{"key":"é😀","value":"a b"},{"value":""}]}';
  expect(scanned(text, 'text', true)).toEqual(parsed(text, 'text', true));
  const binary = '{"records":[{"key":"aGVsbG8=","value":"AAEC"},{"value":""}]}';
  expect(scanned(binary, 'binary', true)).toEqual(parsed(binary, 'binary', true));
  const headers =
    '{"records":[{"value":"aGVsbG8","headers":[{"key":"a\\n","value":"AAE"},{"value":null,"key":""},{"key":"k","value":""}]}]}';
  expect(scanned(headers, 'binary', true)).toEqual(parsed(headers, 'binary', true));
  expect(scanned(headers, 'text', true)).toHaveLength(1);
});

test('reading without parsing and the parser agree, for bodies changed at every place', () => {
  const changes = [...' "\\,:{}[]0e.-+tu1nk', '\n', '\u0001', 'é', '"value":"v",', '"key":[],', '{"value":"a"},', ''];
  const texts = [
    ...USUAL,
    '{"records":[{"key":"aGVsbG8=","value":"AAEC","partition":1,"timestamp":12}]}',
    '{"records":[{"value":"AA==","headers":[{"key":"k","value":"AAE="}]}]}',
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

test('keys and values cut out of a body equal those of the parser, for bodies changed at random', () => {
  const word = fc.string({ unit: fc.constantFrom(...'ab1"\\/é😀\n\u0000=+ '), maxLength: 8 });
  const embedded = fc.oneof(
    ...[word, fc.base64String({ maxLength: 12 })],
    ...[
      fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }),
      fc.dictionary(word, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
    ],
  );
  const record = fc.record(
    {
      key: embedded,
      value: embedded,
      partition: fc.oneof(fc.nat({ max: 9 }), fc.constantFrom(-1, 2 ** 31, 1.5)),
      timestamp: fc.oneof(fc.maxSafeNat(), fc.constantFrom(-1, 1e300, 0.1)),
      headers: fc.array(
        fc.record({
          key: word,
          value: fc.oneof(fc.base64String({ maxLength: 8 }), fc.constantFrom(null, '', 'AA', '?')),
        }),
        { maxLength: 2 },
      ),
    },
    { requiredKeys: ['value'] },
  );
  const body = fc
    .tuple(fc.array(record, { maxLength: 3 }), fc.constantFrom('', ' ', '\t'))
    .map(([records, space]) => JSON.stringify({ records }, null, space));
  const change = fc.record({
    at: fc.nat(),
    cut: fc.nat({ max: 2 }),
    put: fc.oneof(
      fc.constantFrom(...' "\\,:{}[]0123.eE-+u/*', '\ufeff', 'null', '""'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    ),
  });
  let cutCount = 0;
  fc.assert(
    fc.property(
      body,
      fc.array(change, { maxLength: 1 }),
      fc.constantFrom('json', 'binary', 'text'),
      fc.boolean(),
      (original, changes, format, isPlacing) => {
        let text = original;
        for (const { at, cut, put } of changes) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + put + text.slice(place + cut);
        }
        const found = scanned(text, format, isPlacing);
        if (found === undefined) return;
        cutCount += 1;
        const expected = parsed(text, format, isPlacing);
        if (textOf(found) !== textOf(expected)) expect(found, `${format} ${text}`).toEqual(expected);
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
  expect(cutCount).toBeGreaterThan(300);
});

const HEADER = '{"key":"k","value":"","x":1}';

test.each([
  ['of a record', [10_000, 10_001], 'Record 1 has 10001 headers, more than the limit of 10000'],
  ['of a request', new Array(51).fill(9_900), 'The request has 504900 headers, more than the limit of 500000'],
])('too many headers %s are refused', (_what, counts, message) => {
  const records = counts.map((count) => `{"value":"","headers":[${`${HEADER},`.repeat(count - 1)}${HEADER}]}`);
  const body = Buffer.from(`{"records":[${records.join(',')}]}`);
  const target = { schema: ProducerRecordList, partition: undefined, ...LIMITS };
  expect(() => runAtOnce(parseRecords(body, FORMATS_BY_NAME.json, target))).toThrow(message);
});

test('the parts of a body that are read are bounded, and all are counted', () => {
  const body = Buffer.from(`{"records":[${`{"headers":[${'{},'.repeat(99)}{}]},`.repeat(9)}{"headers":[{},{},{}]}]}`);
  const options = { maxItems: 8, maxInnerItems: { ofList: 70, ofBody: 460 }, maxRecordBytes: 1000 };
  const schema: object = ProducerRecordList;
  const tree = runAtOnce(readTree(body, { schema, start: 0, ...options }));
  expect(tree).toMatchObject({ innerCount: 800, omittedCount: 2 });
  const { records } = (tree as { value: unknown }).value as { records: { headers: unknown[] }[] };
  expect(records.map(({ headers }) => headers.length)).toEqual([70, 70, 70, 70, 60, 0, 0, 0]);
});
