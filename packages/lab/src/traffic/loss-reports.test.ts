import type { LossReport } from '@causeway/protocol/clusters.ts';
import { expect, test } from 'vitest';
import { TopicLosses } from './loss-reports.ts';

function report(isFinal: boolean, ...ranges: LossReport['ranges']): LossReport {
  const promotion = { number: 2, cluster: 'west' };
  return { promotion, lost: 'east', at: '2026-01-01T00:00:00Z', endsAgeMs: 400, isFinal, ranges };
}

const RANGE = { topic: 'orders', partition: 1, from: 10, to: 14, records: 3 };

test('a final report has the records of its ranges, and no others', () => {
  const losses = new TopicLosses('orders', [report(true, RANGE, { ...RANGE, topic: 'other', records: 50 })]);
  expect(losses).toMatchObject({ reportCount: 1, isFinal: true, reportedRecords: 3 });
  const offsets = [9, 10, 13, 14].map((offset) => losses.has({ partition: 1, offset }));
  expect(offsets).toEqual([false, true, true, false]);
  expect(losses.has({ partition: 0, offset: 12 })).toBe(false);
});

test('until the lost cluster returns, its records behind the last known end are reported, too', () => {
  const losses = new TopicLosses('orders', [report(false, RANGE)]);
  expect(losses.isFinal).toBe(false);
  expect([9, 14, 99].map((offset) => losses.has({ partition: 1, offset }))).toEqual([false, true, true]);
});

test('without a report nothing may be lost', () => {
  const losses = new TopicLosses('orders', []);
  expect(losses).toMatchObject({ reportCount: 0, isFinal: true, reportedRecords: 0 });
  expect(losses.has({ partition: 0, offset: 0 })).toBe(false);
});
