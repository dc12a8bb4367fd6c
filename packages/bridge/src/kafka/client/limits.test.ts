import { expect, test } from 'vitest';
import { retrying, within } from './limits.ts';

test('the error of an attempt is thrown when the next one gets no response in time', async () => {
  const operation = (attempt: number): Promise<never> =>
    attempt === 0 ? Promise.reject(new Error('refused')) : new Promise(() => {});
  await expect(retrying(operation, within(2000), () => true)).rejects.toThrow('refused');
});

test('an operation that never settles is out of time', async () => {
  const never = (): Promise<never> => new Promise(() => {});
  await expect(retrying(never, within(20), () => true)).rejects.toMatchObject({ code: 'kafkaUnavailable' });
});
