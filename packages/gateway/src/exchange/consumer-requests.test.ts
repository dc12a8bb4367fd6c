import { describe, expect, test } from 'vitest';
import { maxResponseBytes, responseToRepeated, shortenPoll } from './consumer-requests.ts';

test.each([
  ['/x?timeout=3000', 1_000, '/x?timeout=2000'],
  ['/x?max_bytes=5&Timeout=3000&a=1', 1_000, '/x?max_bytes=5&timeout=2000&a=1'],
  ['/x?timeout=3000', 5_000, '/x?timeout=500'],
  ['/x?timeout=3000', 2_700, '/x?timeout=500'],
  ['/x?timeout=50', 5_000, '/x?timeout=50'],
  ['/x', 5_000, '/x'],
  ['/x?timeout=3e3', 1_000, '/x?timeout=2000'],
  ['/x?%74imeout=3000', 1_000, '/x?timeout=2000'],
  ['/x?TIMEOUT=3000&timeout=9', 1_000, '/x?timeout=2000&timeout=9'],
  ['/x?timeout=99999999999999999999', 5_000, '/x?timeout=99999999999999999999'],
  ['/x?timeout=abc', 5_000, '/x?timeout=abc'],
])('%s after %d ms is %s', (target, elapsedMs, expected) => {
  expect(shortenPoll(target, elapsedMs)).toBe(expected);
});

test.each([
  { received: undefined, bufferBytes: 1_000, roomBytes: 5_000, expected: 1_000 },
  { received: undefined, bufferBytes: 9_000, roomBytes: 5_000.5, expected: 5_000 },
  { received: '700', bufferBytes: 1_000, roomBytes: 5_000, expected: 700 },
  { received: '7000', bufferBytes: 1_000, roomBytes: 5_000, expected: 1_000 },
  { received: '700', bufferBytes: 0, roomBytes: 5_000, expected: 700 },
  { received: undefined, bufferBytes: 0, roomBytes: 5_000, expected: undefined },
])('a poll asks for what fits all gateways: $received, $bufferBytes and $roomBytes make $expected', (row) => {
  expect(maxResponseBytes(row.received, row)).toBe(row.expected);
});

describe('a repeated request', () => {
  const created = { instance: 'c1', baseUri: (name: string) => `http://h/${name}` };

  test('already deleted is deleted', () => {
    expect(responseToRepeated('deleteConsumer', 404, created)?.status).toBe(204);
  });

  test('already there is created', () => {
    const answer = responseToRepeated('createConsumer', 409, created);
    expect(answer?.status).toBe(200);
    expect(JSON.parse(String(answer?.body))).toEqual({
      instance_id: 'c1',
      base_uri: 'http://h/c1',
    });
  });

  test('anything else is what was answered', () => {
    expect(responseToRepeated('deleteConsumer', 204, created)).toBeUndefined();
    expect(responseToRepeated('createConsumer', 200, created)).toBeUndefined();
    expect(responseToRepeated('poll', 404, created)).toBeUndefined();
    expect(responseToRepeated('createConsumer', 409, { ...created, instance: undefined })).toBeUndefined();
  });
});
