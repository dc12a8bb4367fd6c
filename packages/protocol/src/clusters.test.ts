import { describe, expect, test } from 'vitest';
import {
  CLUSTER_MODES,
  comparePromotions,
  formatClusterMode,
  formatPromotion,
  highestPromotion,
  parseClusterMode,
  parsePromotion,
  positionsAhead,
} from './clusters.ts';

describe('a promotion', () => {
  const ORDERED = ['0;east', '0;west', '1;east', '1;west', '2;east', '10;east'].map((text) => {
    const promotion = parsePromotion(text);
    if (promotion === undefined) throw new Error(text);
    return promotion;
  });

  test('is read as it was written', () => {
    expect(ORDERED.map(formatPromotion).map(parsePromotion)).toEqual(ORDERED);
  });

  test.each([
    undefined,
    '',
    ';',
    '1',
    '1;',
    ';east',
    '-1;east',
    '01;east',
    '1.5;east',
    '1;ea st',
    '1;east;x',
    `1;${'x'.repeat(101)}`,
    '1e3;east',
    '9999999999999999;east',
  ])('is not %j', (text) => {
    expect(parsePromotion(text)).toBeUndefined();
  });

  test('has one place in the order, by number and then by name', () => {
    for (const [i, a] of ORDERED.entries()) {
      for (const [j, b] of ORDERED.entries()) {
        expect(Math.sign(comparePromotions(a, b))).toBe(Math.sign(i - j));
        expect(highestPromotion(a, b)).toEqual(ORDERED[Math.max(i, j)]);
      }
    }
    expect(highestPromotion(undefined, ORDERED[0])).toBe(ORDERED[0]);
    expect(highestPromotion(ORDERED[0], undefined)).toBe(ORDERED[0]);
    expect(highestPromotion(undefined, undefined)).toBeUndefined();
  });
});

describe('the mode of a cluster', () => {
  test.each(CLUSTER_MODES)('%s is read as it was written', (mode) => {
    expect(parseClusterMode(formatClusterMode({ cluster: 'east-1', mode }))).toEqual({ cluster: 'east-1', mode });
  });

  test.each([undefined, '', 'east', 'east;', ';active', 'east;asleep', 'ea st;active', 'east;active;x'])(
    'is not %j',
    (text) => {
      expect(parseClusterMode(text)).toBeUndefined();
    },
  );
});

test.each([
  ['the next one', 0, 5, 4, true],
  ['the same', 0, 5, 5, false],
  ['one before', 0, 5, 6, false],
  ['of another partition', 1, 5, 6, true],
  ['the first of a partition', 0, 0, undefined, true],
  ['the first, where one was removed', 0, 0, -1, true],
])('a position moves ahead alone: %s', (_, partition, offset, kept, isAhead) => {
  const position = { topic: 't', partition, offset };
  const keptPositions = kept === undefined ? [] : [{ topic: 't', partition: 0, offset: kept }];
  expect(positionsAhead([position], keptPositions)).toEqual(isAhead ? [position] : []);
});
