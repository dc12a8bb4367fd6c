import { expect, test } from 'vitest';
import { ExcessReports } from './excess-reports.ts';

test('each quota is reported at once, and then at most once a minute, with the number of requests', () => {
  const reported: string[] = [];
  let nowMs = 5;
  const reports = new ExcessReports({
    onReport: ({ quota, who, requestCount }) => reported.push(`${quota} ${who} ${requestCount}`),
    now: () => nowMs,
  });
  for (let count = 0; count < 3; count += 1) reports.add('requestsPerSecond', 'alice');
  reports.add('maxInFlight', '192.0.2.1');
  expect(reported.splice(0)).toEqual(['requestsPerSecond alice 1', 'maxInFlight 192.0.2.1 1']);
  nowMs += 59_999;
  reports.add('requestsPerSecond', 'bob');
  expect(reported).toEqual([]);
  nowMs += 1;
  reports.add('requestsPerSecond', 'carol');
  expect(reported).toEqual(['requestsPerSecond carol 4']);
});
