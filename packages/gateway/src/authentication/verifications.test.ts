import { expect, test } from 'vitest';
import { Verifications } from './verifications.ts';

test('eight run at a time and a thousand wait; more are refused, and all that were accepted come to their end', async () => {
  const verifications = new Verifications();
  let running = 0;
  let most = 0;
  const finish: (() => void)[] = [];
  const verify = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => finish.push(resolve));
    running -= 1;
  };
  const accepted = Array.from({ length: 1_008 }, () => verifications.run(verify));
  expect(accepted).not.toContain(undefined);
  expect(verifications.run(verify)).toBeUndefined();
  expect(running).toBe(8);
  const done = Promise.all(accepted);
  const end = setInterval(() => finish.splice(0).forEach((resolve) => void resolve()), 1);
  await done;
  clearInterval(end);
  expect(most).toBe(8);
  expect(running).toBe(0);
});

test('one that fails makes room for the next', async () => {
  const verifications = new Verifications();
  const failing = Array.from({ length: 20 }, () => verifications.run(() => Promise.reject(new Error('wrong'))));
  expect((await Promise.allSettled(failing)).every(({ status }) => status === 'rejected')).toBe(true);
  expect(await verifications.run(async () => 'right')).toBe('right');
});
