import { once } from 'node:events';
import { expect, test } from 'vitest';
import { allOrNone } from './parallel.ts';

test('when one task fails, the others are aborted and awaited, and the first failure is thrown', async () => {
  const ended: string[] = [];
  const failure = new Error('first');
  const running = allOrNone([
    async (signal) => {
      await once(signal, 'abort');
      ended.push('aborted');
      throw new Error('second');
    },
    async () => {
      throw failure;
    },
  ]);
  await expect(running).rejects.toBe(failure);
  expect(ended).toEqual(['aborted']);
});

test('a signal from outside reaches every task', async () => {
  const outer = new AbortController();
  const running = allOrNone(
    [1, 2].map(() => async (signal: AbortSignal) => {
      await once(signal, 'abort');
      signal.throwIfAborted();
    }),
    outer.signal,
  );
  outer.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});
