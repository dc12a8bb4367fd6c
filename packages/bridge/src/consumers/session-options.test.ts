import { describe, expect, test } from 'vitest';
import { readSessionOptions } from './session-options.ts';

const DEFAULTS = {
  resetPolicy: 'latest',
  fetchMinBytes: 1,
  requestTimeoutMs: 10_000,
  isolationLevel: 'read_uncommitted',
} as const;

test('an option that a client leaves out has its default', () => {
  expect(readSessionOptions({}, DEFAULTS)).toEqual({
    format: 'binary',
    resetPolicy: 'latest',
    fetchMinBytes: 1,
    requestTimeoutMs: 10_000,
    isAutoCommit: true,
    isolationLevel: 'read_uncommitted',
  });
});

test('an operator may make brokers wait for more bytes, and a client may override that', () => {
  const defaults = { ...DEFAULTS, fetchMinBytes: 1000 };
  expect(readSessionOptions({}, defaults).fetchMinBytes).toBe(1000);
  expect(readSessionOptions({ 'fetch.min.bytes': 5 }, defaults).fetchMinBytes).toBe(5);
});

test('an operator may choose what consumers read of transactions, and a client may override that', () => {
  const LEVELS = ['read_uncommitted', 'read_committed'] as const;
  for (const isolationLevel of LEVELS) {
    const defaults = { ...DEFAULTS, isolationLevel };
    expect(readSessionOptions({}, defaults).isolationLevel).toBe(isolationLevel);
    for (const own of LEVELS) expect(readSessionOptions({ 'isolation.level': own }, defaults).isolationLevel).toBe(own);
  }
});

describe('a bad value is refused in the words of Kafka', () => {
  test.each([
    [{ format: 'xml' }, 'Invalid format type.'],
    [
      { 'auto.offset.reset': 'foo' },
      "Invalid value foo for configuration auto.offset.reset: Invalid value `foo` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.",
    ],
    [{ 'fetch.min.bytes': -1 }, 'Invalid value -1 for configuration fetch.min.bytes: Value must be at least 0'],
    [
      { 'fetch.min.bytes': 2 ** 31 },
      'Invalid value 2147483648 for configuration fetch.min.bytes: Not a number of type INT',
    ],
    // How the body has a number that a double cannot hold.
    [
      { 'fetch.min.bytes': (JSON as unknown as { rawJSON(text: string): number }).rawJSON('12345678901234567890') },
      'Invalid value 12345678901234567890 for configuration fetch.min.bytes: Not a number of type INT',
    ],
    [
      { 'consumer.request.timeout.ms': -1 },
      'Invalid value -1 for configuration request.timeout.ms: Value must be at least 0',
    ],
    [
      { 'isolation.level': 'foo' },
      'Invalid value foo for configuration isolation.level: String must be one of: read_committed, read_uncommitted',
    ],
  ])('%j', (body, message) => {
    expect(() => readSessionOptions(body, DEFAULTS)).toThrow(
      expect.objectContaining({ code: 'invalidValue', message }),
    );
  });
});
