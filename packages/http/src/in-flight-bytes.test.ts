import { expect, test } from 'vitest';
import { defaultInFlightBytes } from './in-flight-bytes.ts';

const MIB = 1_048_576;

test.each([
  { memory: 100, expected: 64 },
  { memory: 512, expected: 128 },
  { memory: 1_024, expected: 256 },
  { memory: 24_000, expected: 512 },
])('of $memory MiB of memory, $expected MiB hold bodies and responses', ({ memory, expected }) => {
  expect(defaultInFlightBytes(memory * MIB)).toBe(expected * MIB);
});

test('a process has a default', () => {
  expect(defaultInFlightBytes()).toBeGreaterThanOrEqual(64 * MIB);
});
