import { expect, test } from 'vitest';
import { unknownIn } from './harness/promql.ts';

const known = new Map([
  ['requests_total', new Set(['region', 'outcome'])],
  ['duration_seconds_bucket', new Set(['region', 'le'])],
  ['up', new Set<string>()],
]);

test.each([
  ['sum by (region) (rate(requests_total{outcome!="2xx"}[5m]))', []],
  ['histogram_quantile(0.99, sum by (le, instance) (rate(duration_seconds_bucket[5m])))', []],
  ['up{job="gateway"} == 0 unless on (instance) requests_total', []],
  ['rate(request_total[5m])', ['metric request_total']],
  ['requests_total{operation="send"}', ['label operation of requests_total']],
  ['sum by (group) (requests_total)', ['label group']],
  ['duration_seconds_bucket / on (region) group_left (outcome) requests_total{le="1"}', ['label le of requests_total']],
])('the unknown names in %s', (query, unknown) => {
  expect(unknownIn(query, known)).toEqual(unknown);
});

test('an invalid query is an error', () => {
  expect(() => unknownIn('sum(rate(requests_total[5m])', known)).toThrow(/invalid PromQL/);
});
