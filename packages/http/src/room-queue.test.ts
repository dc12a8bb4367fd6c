import { expect, test } from 'vitest';
import { until } from '../../../test/harness/until.ts';
import { HeldBytes } from './held-bytes.ts';

const BUDGET = 1_000_000;
/** What large ones may use. */
const LARGE = 750_000;

function heldBytes(now: () => number = () => 0) {
  return new HeldBytes({ limits: () => ({ maxInFlightBytes: BUDGET }), now });
}

test('those who wait for room get it in turn, as soon as bytes are given back', () => {
  const held = heldBytes();
  expect(held.take(LARGE, 0)).toBe(true);
  const ended: string[] = [];
  const waitFor = (name: string, bytes: number) =>
    held.takeInTurn(bytes, 0, (hasRoom) => ended.push(`${name} ${hasRoom}`));
  waitFor('first', 400_000);
  const leaves = waitFor('leaves', 100_000);
  waitFor('second', 300_000);
  waitFor('third', 100_000);
  held.give(100_000);
  expect(ended).toEqual([]);
  leaves();
  held.give(LARGE - 100_000);
  expect(ended).toEqual(['first true', 'second true']);
  expect(held.bytes).toBe(700_000);
  held.give(700_000);
  expect([ended.at(-1), held.bytes]).toEqual(['third true', 100_000]);
});

test('the wait ends without room after two seconds', async () => {
  let nowMs = 0;
  const held = heldBytes(() => nowMs);
  held.take(LARGE, 0);
  let ended: boolean | undefined;
  held.takeInTurn(100_000, 0, (hasRoom) => {
    ended = hasRoom;
  });
  nowMs = 1_999;
  held.give(1);
  expect(ended).toBeUndefined();
  nowMs = 2_000;
  await until('the wait is over', () => ended !== undefined);
  expect([ended, held.bytes]).toEqual([false, LARGE - 1]);
});

test('a slow client makes room for those who wait, once', async () => {
  let nowMs = 0;
  const held = heldBytes(() => nowMs);
  held.take(LARGE, 0);
  const slow = {
    heldBytes: LARGE,
    pacedUntilMs: 0,
    onEvicted() {
      held.give(this.heldBytes);
    },
  };
  held.awaiting(slow, 0);
  const ended: boolean[] = [];
  for (let index = 0; index < 2; index += 1) held.takeInTurn(300_000, 0, (hasRoom) => ended.push(hasRoom));
  nowMs = 1_500;
  await until('both have their room', () => ended.length === 2);
  expect([ended, held.bytes, held.counts.evicted]).toEqual([[true, true], 600_000, 1]);
});
