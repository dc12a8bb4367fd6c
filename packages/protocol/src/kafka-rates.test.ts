import { expect, test } from 'vitest';
import { formatKafkaRates, type KafkaRatesTold, parseKafkaRates } from './kafka-rates.ts';

test.each<[KafkaRatesTold, string]>([
  [
    { requestsPerSecond: 41.504, errorsPerSecond: 0, p50Ms: 2.5, p99Ms: 10 },
    'requests=41.5, errors=0, p50=2.5, p99=10',
  ],
  [{ requestsPerSecond: 0, errorsPerSecond: 0.1, p50Ms: null, p99Ms: null }, 'requests=0, errors=0.1'],
])('rates are formatted, and parsed to the same values', (rates, header) => {
  expect(formatKafkaRates(rates)).toBe(header);
  expect(parseKafkaRates(header)).toEqual({
    ...rates,
    requestsPerSecond: Math.round(rates.requestsPerSecond * 10) / 10,
  });
});

test.each([
  '',
  'requests=1',
  'requests=x, errors=0',
  'requests=-1, errors=0',
  'requests=1e400, errors=0',
  'requests=1=2, errors',
  '=1, errors=0',
  'requests=1., errors=0',
  'requests, errors=0',
])('an invalid header is undefined: %s', (header) => {
  expect(parseKafkaRates(header)).toBeUndefined();
});

test('entries that a later version adds are ignored', () => {
  expect(parseKafkaRates('requests=1, errors=0, brokers=3, p99=5')).toEqual({
    requestsPerSecond: 1,
    errorsPerSecond: 0,
    p50Ms: null,
    p99Ms: 5,
  });
});
