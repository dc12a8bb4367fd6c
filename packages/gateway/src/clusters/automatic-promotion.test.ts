import { expect, test } from 'vitest';
import { decideAutomatic, type Situation, watchOf } from './automatic-promotion.ts';

const situation: Situation = {
  nowMs: 0,
  active: 'east',
  isActiveDown: true,
  promoteAfterMs: 5_000,
  candidates: ['west', 'north'],
  isPromoting: false,
};

/** What is promoted at each look. */
function looks(...steps: Partial<Situation>[]): (string | undefined)[] {
  let watch = watchOf('east');
  return steps.map((changes) => {
    const decided = decideAutomatic(watch, { ...situation, ...changes });
    watch = decided.watch;
    return decided.promote;
  });
}

test('the first other cluster is promoted once the active one has been down for long enough', () => {
  expect(looks({ nowMs: 100 }, { nowMs: 5_000 }, { nowMs: 5_100 })).toEqual([undefined, undefined, 'west']);
});

test('a region that comes back starts the time again', () => {
  expect(
    looks({ nowMs: 0 }, { nowMs: 4_900, isActiveDown: false }, { nowMs: 5_000 }, { nowMs: 9_999 }, { nowMs: 10_000 }),
  ).toEqual([undefined, undefined, undefined, undefined, 'west']);
});

test('after a failure it is asked again every second, also another cluster', () => {
  expect(
    looks(
      { nowMs: 0 },
      { nowMs: 5_000 },
      { nowMs: 5_900 },
      { nowMs: 6_000, isPromoting: true },
      { nowMs: 7_000, candidates: ['north'] },
    ),
  ).toEqual([undefined, 'west', undefined, undefined, 'north']);
});

test('nothing is promoted without a time limit, or without a cluster that can serve', () => {
  expect(looks({ nowMs: 0 }, { nowMs: 99_000, promoteAfterMs: undefined })).toEqual([undefined, undefined]);
  expect(looks({ nowMs: 0 }, { nowMs: 99_000, candidates: [] }, { nowMs: 99_100 })).toEqual([
    undefined,
    undefined,
    'west',
  ]);
});

test('the promoted cluster has its own time', () => {
  expect(
    looks(
      { nowMs: 0 },
      { nowMs: 5_000 },
      { nowMs: 5_100, active: 'west', candidates: ['east'] },
      { nowMs: 10_000, active: 'west', candidates: ['east'] },
      { nowMs: 10_100, active: 'west', candidates: ['east'] },
    ),
  ).toEqual([undefined, 'west', undefined, undefined, 'east']);
});
