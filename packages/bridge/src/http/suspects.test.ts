import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Suspects } from './suspects.ts';

function logged(): { suspects: Suspects; lines: { path: string; bodyBytes: number }[]; clock: { nowMs: number } } {
  const lines: { path: string; bodyBytes: number }[] = [];
  const clock = { nowMs: 0 };
  const log = pino({}, { write: (text) => lines.push(JSON.parse(text)) });
  return { suspects: new Suspects(log, () => clock.nowMs), lines, clock };
}

test('suspects start in order, with turns of the event loop in between, and each is logged before it starts', async () => {
  const { suspects, lines } = logged();
  const begun: string[] = [];
  let turnCount = 0;
  let isOver = false;
  const turning = (async () => {
    for (; !isOver; turnCount += 1) await nextTurn();
  })();
  await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      await suspects.turn({ method: 'POST', target: `/topics/t${index}?async=true`, bodyBytes: index });
      begun.push(`${lines.length} ${lines.at(-1)?.path}`);
    }),
  );
  isOver = true;
  await turning;
  expect(begun).toEqual(Array.from({ length: 10 }, (_, index) => `${index + 1} /topics/t${index}`));
  expect(turnCount).toBeGreaterThanOrEqual(10);
});

test('hundreds do not fill the log', async () => {
  const { suspects, lines, clock } = logged();
  const comeAll = () =>
    Promise.all(Array.from({ length: 500 }, () => suspects.turn({ method: 'GET', target: '/', bodyBytes: 0 })));
  await comeAll();
  expect(lines).toHaveLength(200);
  clock.nowMs = 10_000;
  await comeAll();
  expect(lines).toHaveLength(400);
});
