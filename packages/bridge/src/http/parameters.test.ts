import { DEFAULT_POLL_TIMEOUT_MS, pollTimeoutMs, withQueryParameter } from '@causeway/protocol/parameters.ts';
import { queryParameter } from '@causeway/protocol/paths.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bridgeOfTest, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { BridgeError } from '../errors.ts';
import { integerParameter, partitionParameter } from './parameters.ts';

const kafka = await kafkaOfFile();
const MAXIMUM = 3_600_000;

function violationsOf(action: () => unknown): string[] | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return error.validationErrors ?? [error.code];
  }
}

test.each([
  ['0', 0],
  ['-0', 0],
  ['+1', 1],
  ['2147483647', 2_147_483_647],
])('the partition %j is %d', (partition, expected) => {
  expect(partitionParameter({ partition })).toBe(expected);
});

test.each([
  ['-1', '-1 is less than 0'],
  ['-1.0', '-1.0 is less than 0'],
  ['-1e3', '-1e3 is less than 0'],
  ['-2147483649', '-2147483649 is less than 0'],
  [`-${'9'.repeat(200)}`, `-${'9'.repeat(39)}… is less than 0`],
  ['1.0', 'invalidValue'],
  ['1e3', 'invalidValue'],
  ['2147483648', 'invalidValue'],
  ['-0x1', 'Instance type string is invalid. Expected integer'],
  ['-1.5', 'Instance type number is invalid. Expected integer'],
])('the partition %j is refused: %s', (partition, violation) => {
  expect(violationsOf(() => partitionParameter({ partition }))).toEqual([violation]);
});

describe('integers of queries', () => {
  test.each([
    [String(MAXIMUM), undefined],
    [String(MAXIMUM + 1), '3600001 is greater than 3600000'],
    ['99999999999999999999', '99999999999999999999 is greater than 3600000'],
    ['1e400', '1e400 is greater than 3600000'],
    ['3600000.5', '3600000.5 is greater than 3600000'],
    ['9'.repeat(2000), `${'9'.repeat(40)}… is greater than 3600000`],
    ['-1e400', 'Instance type number is invalid. Expected integer'],
    ['0.5', 'Instance type number is invalid. Expected integer'],
    ['Infinity', 'Instance type string is invalid. Expected integer'],
  ])('%s: %s', (text, violation) => {
    const found = violationsOf(() => integerParameter(`/x?timeout=${text}`, 'timeout', { maximum: MAXIMUM }));
    expect(found).toEqual(violation === undefined ? undefined : [violation]);
  });

  const query = fc
    .array(
      fc
        .tuple(
          fc.constantFrom('timeout', 'TIMEOUT', 'Timeout', '%74imeout', '+timeout', 'timeout%00', 'max_bytes', ''),
          fc.oneof(
            fc.integer({ min: -5, max: 4_000_000 }).map(String),
            fc.constantFrom('', '+1', '%2B1', '1e3', '1.0', '1.5', '0x10', '00', '1e400', 'null', 'true', '%zz', '5%'),
            fc.string({ maxLength: 4 }).map(encodeURIComponent),
          ),
        )
        .map(([name, value]) => `${name}=${value}`),
      { maxLength: 4 },
    )
    .map((fields) => `/x?${fields.join('&')}`);

  test('gateways read the timeout of a poll as bridges do, and write it so that bridges read it', () => {
    fc.assert(
      fc.property(query, (target) => {
        const timeoutOf = (text: string) => integerParameter(text, 'timeout', { maximum: MAXIMUM });
        if (violationsOf(() => timeoutOf(target)) === undefined) {
          const timeoutMs = timeoutOf(target) ?? DEFAULT_POLL_TIMEOUT_MS;
          expect(pollTimeoutMs(target)).toBe(timeoutMs < 0 ? DEFAULT_POLL_TIMEOUT_MS : timeoutMs);
        }
        const expected = queryParameter(target, 'timeout') === undefined ? undefined : 7;
        expect(timeoutOf(withQueryParameter(target, 'timeout', '7'))).toBe(expected);
        // The others stay.
        const rewritten = withQueryParameter(target, 'timeout', '7');
        expect(queryParameter(rewritten, 'max_bytes')).toBe(queryParameter(target, 'max_bytes'));
      }),
      { seed: 20_261_127, numRuns: 2000 },
    );
  });
});

test('a poll with a timeout beyond the limit is refused at once, and the next one is served', async () => {
  const bridge = await bridgeOfTest({ consumers: { maxPollTimeoutMs: 5000 } });
  const consumer = await bridge.consumer(unique('group'), 'c', [await kafka.topic()]);
  for (const [query, violation] of [
    ['timeout=5001', '5001 is greater than 5000'],
    ['timeout=99999999999999999999', '99999999999999999999 is greater than 5000'],
    ['max_bytes=2147483648', '2147483648 is greater than 2147483647'],
  ]) {
    const { status, body } = await consumer.poll(query);
    expect({ status, body }).toEqual({
      status: 400,
      body: {
        error_code: 400,
        message: 'Validation error on: Schema validation error',
        validation_errors: [violation],
      },
    });
  }
  expect((await consumer.poll('timeout=0&max_bytes=2147483647')).status).toBe(200);
});
