import { describe, expect, test } from 'vitest';
import { GatewayError } from '../errors.ts';
import { isFaultOfRequest } from './own-errors.ts';

describe('a gateway before this one', () => {
  test('sends a request on that failed here, unless it would be the third target, or its own fault', () => {
    const failed = new GatewayError('regionFailed', 'as it happened');
    expect([0, 1, 2].map((lossCount) => isFaultOfRequest(failed, lossCount))).toEqual([false, false, true]);
    expect(isFaultOfRequest(new GatewayError('overloaded', 'as it happened'), 0)).toBe(true);
  });
});
