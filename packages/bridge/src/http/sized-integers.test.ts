/** Sized integers in bodies: only numbers that are spelled as integers are valid, and all their digits are kept. */
import { describe, expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();
const topic = await kafka.topic();
const consumer = await bridge.consumer(unique('group'), 'c', []);
const partitions = `{"partitions":[{"topic":"${topic}","partition":0}]}`;
const V2 = 'application/vnd.kafka.v2+json';
await send(`${consumer.path}/assignments`, partitions);

function send(path: string, body: string) {
  const isProduce = path.startsWith('/topics');
  const headers = { 'content-type': isProduce ? 'application/vnd.kafka.json.v2+json' : V2 };
  return bridge.request('POST', path, { headers, body });
}

type Place = [path: string, format: 'int32' | 'int64', body: (number: string) => string];

describe.each<Place>([
  [`/topics/${topic}`, 'int32', (number: string) => `{"records":[{"value":"v","partition":${number}}]}`],
  [`/topics/${topic}`, 'int64', (number: string) => `{"records":[{"value":"v","timestamp":${number}}]}`],
  [`${consumer.path}/assignments`, 'int32', (number: string) => partitions.replace(/0(?=\})/, number)],
  [`${consumer.path}/positions/beginning`, 'int32', (number: string) => partitions.replace(/0(?=\})/, number)],
  [`${consumer.path}/positions/end`, 'int32', (number: string) => partitions.replace(/0(?=\})/, number)],
  ...['offsets', 'positions'].flatMap((name): Place[] => [
    [
      `${consumer.path}/${name}`,
      'int32',
      (number: string) => `{"offsets":[{"topic":"${topic}","partition":${number},"offset":0}]}`,
    ],
    [
      `${consumer.path}/${name}`,
      'int64',
      (number: string) => `{"offsets":[{"topic":"${topic}","partition":0,"offset":${number}}]}`,
    ],
  ]),
])('POST %s, an %s', (path, format, body) => {
  test.each([
    ...['1.0', '0.0', '1e3', '1E0', '1e+2', '-1.0', '1.5e1', '10e-1', '1.0e400'],
    ...['9223372036854775808', '-9223372036854775809', '99999999999999999999999'],
    ...(format === 'int32' ? ['2147483648', '-2147483649', '9007199254740993'] : []),
  ])('rejects %s', async (number) => {
    const answer = await send(path, body(number));
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 400 });
    expect(answer.body.message).toBe('Validation error on: Schema validation error');
    expect(answer.body.validation_errors).toContain(`Integer does not match the format "${format}"`);
  });
});

test.each(['9007199254740993', '9223372036854775807'])(
  'the offset %s is committed and returned to the digit',
  async (offset) => {
    const body = `{"offsets":[{"topic":"${topic}","partition":0,"offset":${offset}}]}`;
    expect((await send(`${consumer.path}/offsets`, body)).status).toBe(204);
    expect((await bridge.get(`${consumer.path}/offsets`)).text).toBe(
      `{"offsets":[{"partition":0,"offset":${offset},"topic":"${topic}"}]}`,
    );
    expect((await send(`${consumer.path}/positions`, body)).status).toBe(204);
    expect((await bridge.get(`${consumer.path}/positions`)).text).toContain(`"offset":${offset},`);
  },
);
