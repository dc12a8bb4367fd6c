import { describe, expect, test } from 'vitest';
import { accepts, isConsumerBody, KAFKA_V2, RECORDS, recordsFormat } from './content-types.ts';

describe('accept', () => {
  test.each([
    [undefined, true],
    ['', true],
    [' ', true],
    ['*/*', true],
    ['application/*', true],
    [RECORDS.json, true],
    [`text/html, ${RECORDS.json};q=0.5`, true],
    ['APPLICATION/VND.KAFKA.JSON.V2+JSON', true],
    ['text/*', false],
    [RECORDS.binary, false],
    [`${RECORDS.json};q=0`, false],
    [`${RECORDS.json};q=0, */*`, false],
    [`*/*;q=0, ${RECORDS.json}`, true],
    ['application/*;q=0, */*', false],
    ['*/*, application/*;q=0', false],
    [`application/*;q=0, ${RECORDS.json}`, true],
    // Of ranges that are equally specific the first one counts.
    ['*/*, */*;q=0', true],
    ['*/*;q=0, */*', false],
    [`${RECORDS.json};Q=0`, false],
    [`${RECORDS.json};q=0.001`, true],
    ['applicationx/*', false],
    ['app/*', false],
  ])('%j admits json records: %j', (accept, expected) => {
    expect(accepts(accept, RECORDS.json)).toBe(expected);
  });
});

test('the format of a body does not depend on case and parameters', () => {
  expect(recordsFormat('Application/JSON; charset=utf-8')).toBe('json');
  expect(recordsFormat(`${RECORDS.text};x=y`)).toBe('text');
  expect(recordsFormat(RECORDS.binary)).toBe('binary');
  expect(recordsFormat(KAFKA_V2)).toBeUndefined();
  expect(recordsFormat(undefined)).toBeUndefined();
  expect(isConsumerBody(`${KAFKA_V2}; charset=utf-8`)).toBe(true);
  expect(isConsumerBody('application/json')).toBe(true);
  expect(isConsumerBody(RECORDS.json)).toBe(false);
  expect(isConsumerBody(undefined)).toBe(false);
});
