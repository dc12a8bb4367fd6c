import { describe, expect, test } from 'vitest';
import { MAX_ENTRIES, violations } from './violations.ts';

const ENTRY = {
  $id: 'Entry',
  type: 'object',
  additionalProperties: false,
  required: ['topic'],
  properties: { topic: { type: 'string' }, partition: { type: 'integer', format: 'int32' } },
};
const LIST = {
  type: 'object',
  additionalProperties: false,
  required: ['entries'],
  properties: { entries: { type: 'array', items: ENTRY } },
};

/** More than a call can have as arguments. */
const MANY = 300_000;

describe('the violations of a body', () => {
  test('follow their summary, in the order of the schema, then of the body', () => {
    expect(violations(LIST, { entries: [{ topic: 'a' }, { partition: 'x', other: 1 }] })).toEqual([
      'Property "entries" does not match schema',
      'Items did not match schema',
      'A subschema had errors',
      'Instance does not have required property "topic"',
      'Property "partition" does not match schema',
      'Instance type string is invalid. Expected integer',
      'Integer does not match the format "int32"',
      'Property "partition" does not match additional properties schema',
      'Property "other" does not match additional properties schema',
      'Property "entries" does not match additional properties schema',
    ]);
  });

  test.each<[string, unknown, number]>([
    ['entries without a member', { entries: new Array(MANY).fill({}) }, 2 + 3 * MANY],
    ['entries of another type', { entries: new Array(MANY).fill(0) }, 2 + 3 * MANY],
    [
      'unknown members',
      { entries: [], ...Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`k${i}`, i])) },
      MANY,
    ],
  ])('are counted, and not listed, beyond a fixed number: %s', (_what, body, count) => {
    const found = violations(LIST, body);
    expect(found).toHaveLength(MAX_ENTRIES + 1);
    expect(found.at(-1)).toBe(`and ${count - MAX_ENTRIES} more`);
  });

  test.each([MAX_ENTRIES - 1, MAX_ENTRIES, MAX_ENTRIES + 1])('%i of them are listed or counted', (count) => {
    const body = Object.fromEntries([['entries', []], ...Array.from({ length: count }, (_, i) => [`k${i}`, i])]);
    const found = violations(LIST, body);
    expect(found).toHaveLength(Math.min(count, MAX_ENTRIES + 1));
    expect(found.at(-1)?.startsWith('and ')).toBe(count > MAX_ENTRIES);
  });

  test('a long name is cut', () => {
    const [entry = ''] = violations(LIST, { entries: [], ['n'.repeat(1_000_000)]: 1 });
    expect(entry.length).toBeLessThan(200);
  });
});
