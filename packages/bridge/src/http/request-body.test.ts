import { ConsumerOptions, OffsetCommitSeekList } from '@causeway/protocol/consumers.ts';
import { ProducerRecordList } from '@causeway/protocol/topics.ts';
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../errors.ts';
import { decodeBody } from './request-body.ts';
import { runAtOnce } from './sliced-work.ts';

const ADDITIONAL = (name: string): string => `Property "${name}" does not match additional properties schema`;
const BAD = (name: string): string => `Property "${name}" does not match schema`;

function problems(schema: object, text: string | Buffer): { code: string; errors: string[] | undefined } {
  try {
    runAtOnce(decodeBody(Buffer.from(text as string), schema));
    return { code: 'fits', errors: undefined };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { code: error.code, errors: error.validationErrors };
  }
}

describe('violations have the words and the order of the peer API', () => {
  test.each([
    ['[]', ['Instance type array is invalid. Expected object']],
    ['null', ['Instance type null is invalid. Expected object']],
    ['{"name":1}', [BAD('name'), 'Instance type number is invalid. Expected string', ADDITIONAL('name')]],
    [
      '{"max.poll.records":1,"enable.auto.commit":"true","format":null}',
      [
        BAD('format'),
        'Instance type null is invalid. Expected string',
        BAD('enable.auto.commit'),
        'Instance type string is invalid. Expected boolean',
        ADDITIONAL('max.poll.records'),
        ADDITIONAL('enable.auto.commit'),
        ADDITIONAL('format'),
      ],
    ],
  ])('consumer %s', (text, errors) => {
    expect(problems(ConsumerOptions, text)).toEqual({ code: 'schemaViolation', errors });
  });

  test.each([
    [
      '{"records":[{"value":5}]}',
      [
        BAD('records'),
        'Items did not match schema',
        'A subschema had errors',
        BAD('value'),
        'A subschema had errors',
        'Instance does not match exactly one subschema (0 matches)',
        'Instance type number is invalid. Expected array',
        'Instance type number is invalid. Expected object',
        'Instance type number is invalid. Expected string',
        'Instance type number is invalid. Expected null',
        ADDITIONAL('value'),
        ADDITIONAL('records'),
      ],
    ],
    [
      '{"records":[{"value":"v","partition":2147483648},{"key":"k"}]}',
      [
        BAD('records'),
        'Items did not match schema',
        'A subschema had errors',
        BAD('partition'),
        'Integer does not match the format "int32"',
        ADDITIONAL('partition'),
        'Items did not match schema',
        'A subschema had errors',
        'Instance does not have required property "value"',
        ADDITIONAL('records'),
      ],
    ],
    [
      '{"records":[{"value":"v","headers":[{"key":"k","value":"?","more":1}]}]}',
      [
        BAD('records'),
        'Items did not match schema',
        'A subschema had errors',
        BAD('headers'),
        'A subschema had errors',
        'Items did not match schema',
        'A subschema had errors',
        BAD('value'),
        'String does not match format "byte"',
        ADDITIONAL('headers'),
        ADDITIONAL('records'),
      ],
    ],
  ])('records %s', (text, errors) => {
    expect(problems(ProducerRecordList, text)).toEqual({ code: 'schemaViolation', errors });
  });

  test('violations of sized integers name both type and size', () => {
    expect(problems(OffsetCommitSeekList, '{"offsets":[{"topic":"t","partition":"0","offset":1}]}').errors).toEqual([
      BAD('offsets'),
      'Items did not match schema',
      'A subschema had errors',
      BAD('partition'),
      'Instance type string is invalid. Expected integer',
      'Integer does not match the format "int32"',
      ADDITIONAL('partition'),
      ADDITIONAL('offsets'),
    ]);
  });
});

describe('JSON is read as leniently as the peer API reads it, and no more', () => {
  test.each([
    ['\ufeff{"records":[]}', 'fits'],
    ['/* a */ {"records": [] /* "b" */}', 'fits'],
    ['{"records":[],"records":[{"value":"/* not a comment */"}]}', 'fits'],
    ['{"records":[{"value":null}]}', 'fits'],
    ['{"records":[{"value":{"__proto__":1}}]}', 'fits'],
    [`{"records":[{"value":${'['.repeat(900)}${']'.repeat(900)}}]}`, 'fits'],
    [`{"records":[{"value":${'['.repeat(1500)}${']'.repeat(1500)}}]}`, 'bodyUndecodable'],
    [`{"records":[{"value":"${'['.repeat(3000)}"}]}`, 'fits'],
    [`{"records":[{"value":{"a":${'1'.repeat(1000)}}}]}`, 'fits'],
    [`{"records":[{"value":{"a":${'1'.repeat(1001)}}}]}`, 'bodyUndecodable'],
    [`{"records":[{"value":"${'1'.repeat(5000)}"}]}`, 'fits'],
    ['{"records":[]} x', 'bodyUndecodable'],
    ['{"records":[],}', 'bodyUndecodable'],
    ["{'records':[]}", 'bodyUndecodable'],
    ['{"records":[{"value":{"a":NaN}}]}', 'bodyUndecodable'],
    ['/* {"records":[]}', 'bodyUndecodable'],
    [Buffer.from([0x22, 0xff, 0x22]), 'bodyUndecodable'],
    ['', 'bodyMissing'],
  ])('%s', (text, code) => {
    expect(problems(ProducerRecordList, text).code).toBe(code);
  });

  test('integers that a double cannot hold keep their digits', () => {
    const text =
      '{"offsets":[{"topic":"t","partition":0,"offset":9007199254740993},{"topic":"t","partition":1,"offset":-9223372036854775808}]}';
    expect(JSON.stringify(runAtOnce(decodeBody(Buffer.from(text), OffsetCommitSeekList)))).toBe(text);
    expect(problems(ProducerRecordList, '{"records":[{"value":12345678901234567890}]}').code).toBe('schemaViolation');
    expect(
      problems(OffsetCommitSeekList, '{"offsets":[{"topic":"t","partition":0,"offset":9223372036854775807}]}').code,
    ).toBe('fits');
    expect(
      problems(OffsetCommitSeekList, '{"offsets":[{"topic":"t","partition":0,"offset":19223372036854775807}]}').code,
    ).toBe('schemaViolation');
    // The same double as the greatest one, and one too many.
    expect(
      problems(OffsetCommitSeekList, '{"offsets":[{"topic":"t","partition":0,"offset":9223372036854775808}]}').code,
    ).toBe('schemaViolation');
  });
});
