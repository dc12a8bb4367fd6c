import { Distribution } from '@causeway/metrics/distribution.ts';
import { expect, test } from 'vitest';
import { KafkaRates } from './kafka-rates.ts';

function counters() {
  return { requestCount: 0, failureCount: 0, produceDurations: new Distribution({ bounds: [5, 10, 100] }) };
}

test('rates are absent before a second has passed', () => {
  const rates = new KafkaRates(counters());
  expect([0, 400, 999].map((nowMs) => rates.at(nowMs))).toEqual([undefined, undefined, undefined]);
  expect(rates.at(1_000)).toEqual({ requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null });
});

test('rates and percentiles are those of the last ten seconds, however often it is asked', () => {
  const counted = counters();
  const rates = new KafkaRates(counted);
  for (let nowMs = 0; nowMs <= 20_000; nowMs += 250) {
    // Ten slow ones at the beginning, then twenty a second of which one fails.
    if (nowMs === 250) for (let index = 0; index < 10; index += 1) counted.produceDurations.observe(50);
    if (nowMs > 5_000) {
      counted.requestCount += 5;
      counted.failureCount += 0.25;
      counted.produceDurations.observe(2);
    }
    rates.at(nowMs);
  }
  expect(rates.at(20_000)).toEqual({ requestsPerSecond: 20, errorsPerSecond: 1, p50Ms: 5, p99Ms: 5 });
});

test('rates cover the whole time since the last probe', () => {
  const counted = counters();
  const rates = new KafkaRates(counted);
  rates.at(0);
  rates.at(1_000);
  counted.requestCount = 290;
  expect(rates.at(30_000)?.requestsPerSecond).toBe(10);
  expect(rates.at(40_000)?.requestsPerSecond).toBe(0);
});
