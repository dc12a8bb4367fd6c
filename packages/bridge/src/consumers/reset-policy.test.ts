import { describe, expect, test } from 'vitest';
import { resetPolicyOf, resetTimestampMs } from './reset-policy.ts';

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;

test.each(['earliest', 'latest', 'none'])('%s is a policy without a duration', (text) => {
  expect(resetPolicyOf(text)).toBe(text);
  expect(resetTimestampMs('earliest', NOW_MS)).toBeUndefined();
});

/** As Java's `Duration.parse` accepts them. */
describe('durations', () => {
  test.each([
    ['PT0S', 0],
    ['PT1H', 3_600_000],
    ['pt1h', 3_600_000],
    ['PT20.345S', 20_345],
    ['PT20,345S', 20_345],
    ['PT15M', 900_000],
    ['PT10H', 36_000_000],
    ['P2D', 2 * DAY_MS],
    ['P2DT3H4M', 2 * DAY_MS + 11_040_000],
    ['PT-6H+3M', undefined],
    ['-PT-6H+3M', 21_420_000],
    ['PT+6H-3M', 21_420_000],
    ['P+1DT-1H', DAY_MS - 3_600_000],
    ['PT5.S', 5000],
    ['PT0.0000001S', 1],
    ['PT1.999999999S', 2000],
    ['PT-0.5S', undefined],
    ['-PT-0.5S', 500],
    ['P1000000D', NOW_MS],
    ['PT9223372036854775807S', NOW_MS],
    ['PT9223372036854775808S', undefined],
    [`PT${'9'.repeat(300)}S`, undefined],
    ['-PT1H', undefined],
    ['', undefined],
    ['P', undefined],
    ['PT', undefined],
    ['P1DT', undefined],
    ['T1H', undefined],
    ['1H', undefined],
    ['P1H', undefined],
    ['PT1D', undefined],
    ['P1Y', undefined],
    ['P1M', undefined],
    ['P1W', undefined],
    ['PT1M1H', undefined],
    ['PT.5S', undefined],
    ['PT1.5H', undefined],
    ['PT1.0000000001S', undefined],
    ['PT1H ', undefined],
    [' PT1H', undefined],
    ['PT1H\n', undefined],
    ['PT--1H', undefined],
    ['PT٣H', undefined],
  ])('%j begins %s ms before now', (text, beforeMs) => {
    const policy = resetPolicyOf(`by_duration:${text}`);
    if (beforeMs === undefined) return expect(policy).toBeUndefined();
    expect(policy).toBe(`by_duration:${text}`);
    expect(resetTimestampMs(policy ?? 'none', NOW_MS)).toBe(BigInt(NOW_MS - beforeMs));
  });

  test.each(['by_duration', 'BY_DURATION:PT1H', 'by_duration PT1H', 'Latest', ''])('%j is no policy', (text) => {
    expect(resetPolicyOf(text)).toBeUndefined();
  });
});
