import { expect, test } from 'vitest';
import { OpenRequests } from './open-requests.ts';

test('producers share their memory: what one holds, the others do not have', () => {
  const shared = { bytes: 0 };
  const options = { maxBytes: 1000, shared, timeoutMs: 60_000 };
  const [first, second] = [new OpenRequests(options), new OpenRequests(options)];
  const record = {
    key: null,
    value: Buffer.alloc(600),
    headers: undefined,
    partition: undefined,
    timestampMs: undefined,
  };
  const { entries } = first.open([record], 0);
  expect(() => second.open([record], 0)).toThrow(/overloaded/);
  expect([first.bytes, second.bytes]).toEqual([shared.bytes, 0]);
  first.settleAll(entries, { partition: 0, offset: 0n });
  expect(shared.bytes).toBe(0);
  second.open([record], 0);
});
