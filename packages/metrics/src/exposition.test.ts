import { expect, test } from 'vitest';
import { counter, gauge, histogram } from './declaration.ts';
import { Distribution, MILLISECONDS_PER_SECOND } from './distribution.ts';
import { Exposition } from './exposition.ts';

async function linesOf(exposition: Exposition, name: string): Promise<string[]> {
  const text = await exposition.text();
  exposition.close();
  return text.split('\n').filter((line) => line.includes(name));
}

test('a counter and a gauge have the values read at the scrape, without labels that no longer exist', async () => {
  const exposition = new Exposition();
  const counts = new Map([
    ['east', 1],
    ['we"st\n', 2],
  ]);
  exposition.add(counter('test_requests_total', 'Requests.', ['region']), (sample) => {
    for (const [region, count] of counts) sample({ region }, count);
  });
  exposition.addValue(gauge('test_size', 'Size.'), () => counts.size);
  counts.delete('east');
  expect(await linesOf(exposition, 'test_')).toEqual([
    '# HELP test_requests_total Requests.',
    '# TYPE test_requests_total counter',
    'test_requests_total{region="we\\"st\\n"} 2',
    '# HELP test_size Size.',
    '# TYPE test_size gauge',
    'test_size 1',
  ]);
});

test('a distribution of milliseconds is a histogram of seconds, its buckets cumulative', async () => {
  const exposition = new Exposition();
  const durations = new Distribution({ bounds: [5, 100], perBaseUnit: MILLISECONDS_PER_SECOND });
  for (const durationMs of [1, 5, 5.1, 2_000]) durations.observe(durationMs);
  exposition.addDistributions(histogram('test_duration_seconds', 'Durations.', ['operation']), (sample) =>
    sample({ operation: 'poll' }, durations),
  );
  expect(await linesOf(exposition, 'test_duration_seconds')).toEqual([
    '# HELP test_duration_seconds Durations.',
    '# TYPE test_duration_seconds histogram',
    'test_duration_seconds_bucket{operation="poll",le="0.005"} 2',
    'test_duration_seconds_bucket{operation="poll",le="0.1"} 3',
    'test_duration_seconds_bucket{operation="poll",le="+Inf"} 4',
    'test_duration_seconds_sum{operation="poll"} 2.0111',
    'test_duration_seconds_count{operation="poll"} 4',
  ]);
});

test('no gauge has a counter’s name', async () => {
  const exposition = new Exposition();
  const text = await exposition.text();
  exposition.close();
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  expect(text).not.toMatch(/^# TYPE \w+_total gauge$/m);
});
