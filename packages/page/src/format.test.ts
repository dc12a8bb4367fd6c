import { expect, test } from 'vitest';
import { formatDuration, formatHost, formatMs, formatPercent, formatRate, plural } from './format.ts';

test.each([
  [-5, '0 s'],
  [999, '0 s'],
  [12_300, '12 s'],
  [60_000, '1 min'],
  [245_000, '4 min 5 s'],
  [2_520_000, '42 min'],
  [3_600_000, '1 h'],
  [11_400_000, '3 h 10 min'],
  [432_000_000, '5 days'],
])('%i ms are "%s"', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [0, '0'],
  [0.01, '<0.1'],
  [0.15, '0.2'],
  [9.96, '10'],
  [42.4, '42'],
  [12_345.6, '12,346'],
])('%f per second is "%s"', (rate, text) => {
  expect(formatRate(rate)).toBe(text);
});

test('a percentile is shown as an upper bound', () => {
  expect(formatMs(2.5)).toBe('≤ 2.5 ms');
  expect(formatMs(2_500)).toBe('≤ 2.5 s');
  expect(formatMs(null)).toBe('–');
});

test('shares, hosts and counted things', () => {
  expect(formatPercent(0.483)).toBe('48 %');
  expect(formatHost('http://127.0.0.1:8180/')).toBe('127.0.0.1:8180');
  expect(plural(1, 'consumer')).toBe('1 consumer');
  expect(plural(10_000, 'consumer')).toBe('10,000 consumers');
});
