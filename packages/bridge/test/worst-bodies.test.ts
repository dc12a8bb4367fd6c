import process from 'node:process';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { GoodClient } from '../../../test/harness/good-client.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { MeasuredBridge } from '../../../test/harness/measured-bridge.ts';
import { until } from '../../../test/harness/until.ts';

/** The rule: no request holds the event loop longer, on a machine of normal speed that has nothing else to do. */
const MAX_TURN_MS = 50;
/** What {@link MeasuredBridge.calibrationMs} is on such a machine. */
const NORMAL_CALIBRATION_MS = 8;
/** A turn may also have to collect garbage, and shares the caches of the machine with whatever else runs. */
const TOLERANCE = 1.5;
/** `CAUSEWAY_LARGEST_BODIES=1` sends the largest that the bridge takes; a quarter shows squares as well. */
const PRODUCE_BYTES = (process.env['CAUSEWAY_LARGEST_BODIES'] === '1' ? 16 : 4) * 1024 * 1024;
const CONTROL_BYTES = 1024 * 1024;
/** How long a request may take that is read in time linear to its size; with the square of it, it takes minutes. */
const TIMEOUT_MS = 60_000;

/** Of a client's small records, while others send the worst. */
const MAX_P99_MS = 100;
/** So many of its records are sent before. */
const ALONE_COUNT = 100;

let bridge: MeasuredBridge;
let goodClient: GoodClient;
let aloneP99Ms = 0;
const topic = unique('worst');
const consumer = `/consumers/${unique('worst')}/instances/c`;

beforeAll(async () => {
  bridge = await MeasuredBridge.start(inject('kafkaBootstrap'));
  await post('/admin/topics', JSON.stringify({ topic_name: topic, partitions_count: 2 }));
  await post(consumer.split('/instances')[0] ?? '', '{"name":"c","format":"json"}');
  // Code is compiled while it first runs.
  await post(`/topics/${topic}`, `{"records":[${repeated('{"value":{"a":[1,"\\u0041"]}}', 1000)}]}`);
  const goodTopic = unique('good');
  await post('/admin/topics', JSON.stringify({ topic_name: goodTopic, partitions_count: 1 }));
  goodClient = new GoodClient(bridge.url, `/topics/${goodTopic}`);
  const isMeasured = async () => (await goodClient.report()).durationsMs.length >= ALONE_COUNT;
  await until('the client with small records has sent some', isMeasured, { timeoutMs: TIMEOUT_MS });
  aloneP99Ms = p99((await goodClient.report()).durationsMs);
  await goodClient.restart();
}, TIMEOUT_MS);

afterAll(async () => {
  await goodClient?.close();
  await bridge?.close();
});

async function post(path: string, body: string | Buffer, type = 'application/vnd.kafka.v2+json') {
  const records = path.startsWith('/topics/') ? 'application/vnd.kafka.json.v2+json' : type;
  const headers = { 'content-type': type.includes('kafka.v2') ? records : type };
  const response = await fetch(bridge.url + path, { method: 'POST', headers, body });
  return { status: response.status, text: await response.text() };
}

/** Elements of a list, or whatever is separated by commas. */
function repeated(element: string, count: number): string {
  return `${element},`.repeat(count - 1) + element;
}

/** A text as long as `bytes`, about: as many of `unit` as fit between what opens and closes it. */
function filled(opening: string, unit: string, closing: string): (bytes: number) => string {
  return (bytes) => {
    const count = Math.floor((bytes - opening.length - closing.length) / Buffer.byteLength(unit)) - 1;
    return `${opening}${unit.repeat(count)}${unit.replace(/,$/, '')}${closing}`;
  };
}

const inValue = (unit: string, [open, close] = ['[', ']']) =>
  filled(`{"records":[{"value":${open}`, unit, `${close}}]}`);
const named =
  (opening: string, closing: string) =>
  (bytes: number): string => {
    const count = Math.floor((bytes - opening.length - closing.length) / 14);
    return opening + Array.from({ length: count }, (_, i) => `"${String(i).padStart(9, '0')}":1`).join(',') + closing;
  };

/** By its shape, a body that takes long to read, and the statuses that answer it. */
const PRODUCED: readonly (readonly [string, (bytes: number) => string, number])[] = [
  ['numbers of 999 digits', inValue(`${'9'.repeat(999)},`), 200],
  ['exponents', inValue('1e999,'), 200],
  ['a string of escapes', inValue('\\u00e9', ['"', '"']), 200],
  ['short strings with escapes', inValue('"\\/",'), 200],
  ['characters beyond the BMP', inValue('😀', ['"', '"']), 200],
  ['deep nesting', inValue(`${'['.repeat(900)}${']'.repeat(900)},`), 200],
  ['empty objects', inValue('{},'), 200],
  ['many names', named('{"records":[{"value":{', '}}]}'), 200],
  ['one name again and again', inValue('"a":1,', ['{', '}']), 200],
  ['many unknown members', named('{"records":[],', '}'), 400],
  ['many unknown members of a record', named('{"records":[{"value":"",', '}]}'), 400],
  ['empty records', filled('{"records":[', '{},', ']}'), 400],
  ['many records', filled('{"records":[', '{"value":""},', ']}'), 413],
  ['100,000 records', () => `{"records":[${repeated('{"value":{"a":1.0}}', 100_000)}]}`, 200],
  [
    '60,000 records of another shape',
    () => `{"records":[${repeated('{"value":"","headers":[{"key":"","value":"","x":1}]}', 60_000)}]}`,
    200,
  ],
  ['many headers', filled('{"records":[{"value":"","headers":[', '{"key":"","value":""},', ']}]}'), 413],
  [
    'many headers, and another mistake',
    filled('{"records":[{"value":1,"headers":[', '{"key":"a","value":""},', ']}]}'),
    400,
  ],
  ['invalid headers', filled('{"records":[{"value":"","headers":[', '{},', ']}]}'), 400],
  [
    'many records with many headers',
    () => `{"records":[${repeated(`{"value":"","headers":[${repeated('{"key":"","value":"","x":1}', 5000)}]}`, 25)}]}`,
    200,
  ],
  [
    'a long header',
    (bytes) => `{"records":[{"value":"","headers":[{"key":"","value":"${'A'.repeat(bytes - 1000)}"}]}]}`,
    200,
  ],
  ['space', (bytes) => `{"records":[{"value":[${' '.repeat(bytes - 100)}]}]}`, 400],
  ['comments', (bytes) => `{"records":[{"value":[${'/**/'.repeat(bytes / 4 - 100)}]}]}`, 400],
  ['an error at the last byte', (bytes) => `{"records":[{"value":["${'\\n'.repeat(bytes / 2 - 100)}"]]}]`, 400],
  ['brackets that are never closed', (bytes) => '['.repeat(bytes), 400],
];

const hundredThousand = (record: string) => `{"records":[${repeated(record, 100_000)}]}`;
/** By why each of 100,000 records is refused by itself, a topic, a body, and the code of each entry of the answer. */
const REFUSED: readonly (readonly [string, string, string, number])[] = [
  ['by Kafka, for its time', topic, hundredThousand('{"value":"","timestamp":1234567890123456}'), 500],
  ['for its partition', topic, hundredThousand('{"value":"","partition":7}'), 404],
  ['for its topic, which is internal', '__consumer_offsets', hundredThousand('{"value":""}'), 500],
  ['for its topic, which has a long name', 'x'.repeat(3900), hundredThousand('{"value":""}'), 500],
];

const nested = '['.repeat(900) + ']'.repeat(900);
const header = '{"key":"","value":""}';
/** By shape, records that take long to show. */
const POLLED: readonly (readonly [string, string])[] = [
  ['many headers', repeated(`{"value":"","headers":[${repeated(header, 10_000)}]}`, 45)],
  ['one value that is nested deeply', `{"value":[${repeated(nested, 550)}]}`],
  ['values that are nested deeply', repeated(`{"value":${nested}}`, 500)],
  ['a string of escapes', `{"value":"${'\\u0001'.repeat(160_000)}"}`],
  ['many small records', repeated('{"value":""}', 100_000)],
];

const entries = (unit: string, name: string) => filled(`{"${name}":[`, `${unit},`, ']}');
const place = '{"topic":"t","partition":0}';
const offset = '{"topic":"t","partition":0,"offset":1e300}';
const CONTROLLED: readonly (readonly [string, readonly (readonly [string, (bytes: number) => string])[]])[] = [
  ['/admin/topics', []],
  [consumer.split('/instances')[0] ?? '', []],
  [`${consumer}/subscription`, [['many topics', entries('1', 'topics')]]],
  [`${consumer}/assignments`, [['bad entries', entries('{"partition":"0"}', 'partitions')]]],
  [`${consumer}/offsets`, [['many entries', entries(offset, 'offsets')]]],
  [`${consumer}/positions`, [['many entries', entries(offset, 'offsets')]]],
  [`${consumer}/positions/beginning`, [['bad entries', entries(`{"offset":${place}}`, 'partitions')]]],
  [`${consumer}/positions/end`, [['empty objects', entries('[{}]', 'partitions')]]],
];
const EVERYWHERE: readonly (readonly [string, (bytes: number) => string])[] = [
  ['many unknown members', named('{', '}')],
  ['numbers of 999 digits', filled('{"a":[', `${'9'.repeat(999)},`, ']}')],
  ['brackets that are never closed', (bytes) => '['.repeat(bytes)],
];

const CONTROL_STATUSES = [200, 204, 400, 404, 409, 413, 422, 500];

async function measured(path: string, body: string): Promise<{ status: number; text: string; turnMs: number }> {
  const bytes = Buffer.from(body);
  await bridge.longestTurnMs();
  const answer = await post(path, bytes);
  return { ...answer, turnMs: await bridge.longestTurnMs() };
}

/** Calibrates beside each request: other processes of the machine come and go. */
async function allowedTurnMs(): Promise<number> {
  return MAX_TURN_MS * TOLERANCE * Math.max(1, (await bridge.calibrationMs()) / NORMAL_CALIBRATION_MS);
}

async function expectShortTurns(path: string, body: string, statuses: readonly number[]): Promise<string> {
  let { status, text, turnMs } = await measured(path, body);
  const maxTurnMs = await allowedTurnMs();
  // A collection of garbage that others left behind is not the fault of this request twice.
  if (turnMs > maxTurnMs) ({ status, text, turnMs } = await measured(path, body));
  expect(statuses, text.slice(0, 200)).toContain(status);
  expect(turnMs).toBeLessThan(maxTurnMs);
  if (status !== 200) expect(text.length).toBeLessThan(20_000);
  return text;
}

describe('no body holds the event loop, up to the largest', { timeout: TIMEOUT_MS }, () => {
  test.each(PRODUCED)('of records: %s', async (_shape, bodyOf, status) => {
    await expectShortTurns(`/topics/${topic}`, bodyOf(PRODUCE_BYTES), [status]);
  });

  test.each(REFUSED)('of 100,000 records that are refused one by one: %s', async (_why, refusing, body, code) => {
    const text = await expectShortTurns(`/topics/${refusing}`, body, [200]);
    const { offsets } = JSON.parse(text) as { offsets: { error_code?: number; message?: string }[] };
    expect(offsets.length).toBe(100_000);
    expect(offsets.every(({ error_code, message = '' }) => error_code === code && message.length < 1000)).toBe(true);
  });

  test.each(CONTROLLED)('of %s', async (path, shapes) => {
    for (const [, bodyOf] of [...EVERYWHERE, ...shapes]) {
      await expectShortTurns(path, bodyOf(CONTROL_BYTES), CONTROL_STATUSES);
    }
    const tooLarge = await post(path, ' '.repeat(CONTROL_BYTES + 1));
    expect(tooLarge.status).toBe(413);
  });
});

test.each(POLLED)('no answer of a poll holds the event loop: %s', { timeout: TIMEOUT_MS }, async (_shape, records) => {
  const polled = unique('polled');
  await post('/admin/topics', JSON.stringify({ topic_name: polled, partitions_count: 1 }));
  const produced = await post(`/topics/${polled}`, `{"records":[${records}]}`);
  const { offsets } = JSON.parse(produced.text) as { offsets: { offset?: number }[] };
  expect(offsets.every(({ offset: at }) => at !== undefined)).toBe(true);
  const group = `/consumers/${polled}`;
  await post(group, '{"name":"c","format":"json","auto.offset.reset":"earliest"}');
  await post(`${group}/instances/c/assignments`, JSON.stringify({ partitions: [{ topic: polled, partition: 0 }] }));
  await bridge.longestTurnMs();
  let count = 0;
  while (count < offsets.length) {
    const response = await fetch(`${bridge.url}${group}/instances/c/records?timeout=5000`, {
      headers: { accept: 'application/vnd.kafka.json.v2+json' },
    });
    expect(response.status).toBe(200);
    count += ((await response.json()) as unknown[]).length;
  }
  expect(await bridge.longestTurnMs()).toBeLessThan(await allowedTurnMs());
});

test('many large bodies at a time are read one slice a turn', { timeout: TIMEOUT_MS }, async () => {
  const body = Buffer.from(inValue('{"a":[1e999,"\\u00e9"]},')(1_000_000));
  const { durationsMs: before } = await goodClient.report();
  await bridge.longestTurnMs();
  const large = await Promise.all(Array.from({ length: 8 }, () => post(`/topics/${topic}`, body)));
  expect(large.map(({ status }) => status)).toEqual(new Array(8).fill(200));
  expect(await bridge.longestTurnMs()).toBeLessThan(await allowedTurnMs());
  const { durationsMs: after } = await goodClient.report();
  expect(after.length).toBeGreaterThan(before.length);
});

test('a client with small records continues beside all of these', { timeout: TIMEOUT_MS }, async () => {
  const { durationsMs, failures, slowness } = await goodClient.report();
  expect(failures).toEqual([]);
  expect(durationsMs.length).toBeGreaterThan(ALONE_COUNT);
  const p99Ms = p99(durationsMs);
  expect(p99Ms).toBeLessThan(aloneP99Ms + MAX_P99_MS * slowness);
});

function p99(durationsMs: readonly number[]): number {
  const sorted = durationsMs.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}
