import type { FormatName } from '@causeway/protocol/content-types.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile, type TestConsumer } from '../../../test/harness/bridge.ts';
import { unique } from '../../../test/harness/kafka-view.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

/** Of the generated records: every run has the same. */
const SEED = 20_261_127;

async function assigned(topic: string, format: FormatName): Promise<TestConsumer> {
  const consumer = await bridge.consumer(unique('group'), 'c', [], { format });
  await bridge.post(`${consumer.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
  return consumer;
}

test('a JSON value is stored with the members in the order and the numbers in the spelling of its client', async () => {
  const texts = [
    '{"b":1,"a":2,"10":3,"9":4}',
    '{"x":[1.0,1E5,-0.0,-0,4.9e-324,1e-400,1e400,2.50,12345678901234567890,0.30000000000000004]}',
    '["\\u0000","\\uD800","\\uDBFF\\uDFFF","é\u007f"]',
    '{"__proto__":{"2":0,"1":0}}',
    `{"long":"${'x'.repeat(300_000)}","2":[1.0],"1":[1E5]}`,
  ];
  const topic = await kafka.topic();
  const records = texts.map((text) => `{"value":${text},"key":${text.length > 1000 ? '"k"' : text}}`);
  const spaced = texts.map((text) => `{ "key" : "k" , "value" : /* a */ ${text.replace(':', ' : ')} }`);
  const sent = await bridge.produce(topic, `{"records":[${[...records, ...spaced].join(',')}]}`);
  expect(sent.status).toBe(200);
  const stored = await kafka.read(topic, 2 * texts.length);
  expect(stored.map(({ value }) => value?.toString())).toEqual([...texts, ...texts]);
  expect(stored[0]?.key?.toString()).toBe(texts[0]);
  const consumer = await assigned(topic, 'json');
  const { text } = await consumer.poll();
  for (const value of texts.slice(0, 4)) expect(text).toContain(`,"value":${value},`);
});

describe('what can be read can be written, and is the same bytes again', () => {
  const name = fc.string({ unit: 'binary', maxLength: 4 });
  const header = fc.record({ key: name, value: fc.option(fc.base64String({ maxLength: 8 })) });
  const number = fc.stringMatching(/^-?(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,9})?(?:[eE][+-]?[0-9]{1,3})?$/);
  const member = fc.tuple(fc.string({ unit: 'binary', maxLength: 3 }), number);
  const json = fc
    .uniqueArray(member, { maxLength: 6, selector: ([key]) => key })
    .map((members) => `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`);
  const values: Record<FormatName, fc.Arbitrary<string>> = {
    json,
    text: name.map((text) => JSON.stringify(text)),
    binary: fc.base64String({ maxLength: 20 }).map((text) => JSON.stringify(text)),
  };

  test.each(['json', 'text', 'binary'] as const)('as %s', async (format) => {
    const topic = await kafka.topic();
    const record = fc.tuple(fc.option(values[format], { freq: 6 }), fc.array(header, { minLength: 1, maxLength: 3 }));
    const records = fc
      .sample(record, { seed: SEED, numRuns: 60 })
      .map(([value, headers]) => `{"value":${value},"headers":${JSON.stringify(headers)}}`);
    expect((await bridge.produce(topic, `{"records":[${records.join(',')}]}`, { format })).status).toBe(200);
    const consumer = await assigned(topic, format);
    const { text } = await consumer.poll();
    const opening = `{"topic":"${topic}","key":null,"value":`;
    const read = text.slice(1 + opening.length, -1).split(`,${opening}`);
    expect(read).toHaveLength(records.length);
    const again = read.map((entry, offset) => {
      const placed = `,"partition":0,"offset":${offset},`;
      const [value, rest = ''] = entry.split(placed);
      return `{"value":${value},${rest}`;
    });
    expect((await bridge.produce(topic, `{"records":[${again.join(',')}]}`, { format })).status).toBe(200);
    const stored = await kafka.read(topic, 2 * records.length);
    const plain = stored.map(({ value, headers }) => ({ value: value?.toString('hex'), headers }));
    expect(plain.slice(records.length)).toEqual(plain.slice(0, records.length));
  });
});

describe('what others stored', () => {
  test('is JSON also with a byte order mark, in UTF-16, with comments, and with nothing but space', async () => {
    const topic = await kafka.topic();
    const utf16 = Buffer.from('\ufeff{"a":"é"}', 'utf16le');
    const values = ['\ufeff{"a":1.0}', '\ufeff', ' \t\r\n', '/* c */ [1, 2] // d', utf16];
    await kafka.write(
      topic,
      values.map((value) => ({ value })),
    );
    const records = await (await assigned(topic, 'json')).take(values.length);
    expect(records.map(({ value }) => value)).toEqual([{ a: 1 }, null, null, [1, 2], { a: 'é' }]);
  });

  test.each([
    ['json', { value: Buffer.from('"\xff"', 'latin1') }],
    ['json', { key: Buffer.from('{"\xc3":1}', 'latin1'), value: '1' }],
    ['text', { value: Buffer.from('\xed\xa0\x80', 'latin1') }],
    ['text', { key: Buffer.from('\xc0\x80', 'latin1'), value: '1' }],
  ] as const)('is refused in %s where it is not UTF-8, or reported, and nothing else is lost', async (format, bad) => {
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: '1' }, bad, { value: '3' }]);
    const consumer = await assigned(topic, format);
    for (let time = 0; time < 2; time += 1) {
      const answer = await consumer.poll();
      expect(answer.body).toEqual({ error_code: 406, message: expect.stringContaining('not UTF-8') });
    }
    const { body } = await consumer.poll('timeout=20000&on_error=report');
    expect(body).toEqual([
      expect.objectContaining({ offset: 0 }),
      { topic, partition: 0, offset: 1, error_code: 406, message: expect.stringContaining('not UTF-8') },
      expect.objectContaining({ offset: 2 }),
    ]);
    const others = await assigned(topic, 'binary');
    expect(await others.take(3)).toHaveLength(3);
  });
});

test.each([
  ['text', '{"records":[{"value":"\\ud800"}]}'],
  ['text', '{"records":[{"value":"v","key":"a\\udc00"}]}'],
  ['json', '{"records":[{"value":"v","headers":[{"key":"\\ud83d","value":"AA=="}]}]}'],
])('half a surrogate pair is refused, and not stored as another character: %s %s', async (format, body) => {
  const answer = await bridge.produce(await kafka.topic(), body, { format });
  expect(answer.body).toEqual({ error_code: 422, message: expect.stringContaining('surrogate pair') });
});
