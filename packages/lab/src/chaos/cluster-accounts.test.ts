import type { LossReport } from '@causeway/protocol/clusters.ts';
import { expect, test } from 'vitest';
import type { Place } from '../traffic/read-back.ts';
import { accountFor, type ClusterAccounts, type Evidence } from './cluster-accounts.ts';

const LOST_AT_MS = 1_000;

function report(change: Partial<LossReport> = {}): LossReport {
  return {
    promotion: { number: 2, cluster: 'west' },
    lost: 'east',
    at: '2026-11-28T03:00:00.000Z',
    endsAgeMs: 100,
    isFinal: true,
    ranges: [{ topic: 't', partition: 0, from: 3, to: 5, records: 2 }],
    ...change,
  };
}

function places(...records: [record: number, offset: number][]): Map<number, Place[]> {
  return new Map(records.map(([record, offset]) => [record, [{ partition: 0, offset }]]));
}

/** East had records 1 to 4 at offsets 1 to 4; 3 and 4 were not replicated. West then stored 5, which came to east later. */
const EVIDENCE: Evidence = {
  topic: 't',
  acknowledgements: new Map(
    [1, 2, 3, 4, 5].map((record) => {
      const place = { partition: 0, offset: record === 5 ? 3 : record };
      return [record, { atMs: record === 5 ? 2_000 : 500, place }];
    }),
  ),
  stored: { east: places([1, 1], [2, 2], [3, 3], [4, 4], [5, 5]), west: places([1, 1], [2, 2], [5, 3]) },
  reports: [report()],
  lostAtMs: LOST_AT_MS,
};

test('what the report names is lost with the cluster, and nothing else is missing', () => {
  expect(accountFor(EVIDENCE)).toEqual({
    tail: new Set([3, 4]),
    lostWithCluster: 2,
    reportedRecords: 2,
    standingRecords: 2,
    isFinal: true,
    silentlyMissing: { east: 0, west: 0 },
    wronglyReported: 0,
  });
});

test.each<[string, Partial<Evidence>, Partial<ClusterAccounts>]>([
  ['without a report, what west lacks is missing silently', { reports: [] }, { silentlyMissing: { east: 0, west: 2 } }],
  [
    'a report that begins too late leaves a record out',
    { reports: [report({ ranges: [{ topic: 't', partition: 0, from: 4, to: 5, records: 1 }] })] },
    { lostWithCluster: 1, silentlyMissing: { east: 0, west: 1 } },
  ],
  [
    'a report that begins too early calls lost what west has',
    { reports: [report({ ranges: [{ topic: 't', partition: 0, from: 2, to: 5, records: 3 }] })] },
    { lostWithCluster: 2, standingRecords: 3, wronglyReported: 1 },
  ],
  [
    'a range counts for its own partition and topic',
    { reports: [report({ ranges: [{ topic: 'u', partition: 0, from: 3, to: 5, records: 2 }] })] },
    { reportedRecords: 0, silentlyMissing: { east: 0, west: 2 } },
  ],
  [
    'a record that west has lost is not in the report of the records that east took with it',
    { stored: { ...EVIDENCE.stored, west: places([1, 1], [5, 3]) } },
    { silentlyMissing: { east: 0, west: 1 } },
  ],
  [
    'a record that did not come back to east is missing there',
    { stored: { ...EVIDENCE.stored, east: places([1, 1], [2, 2], [3, 3], [4, 4]) } },
    { silentlyMissing: { east: 1, west: 0 } },
  ],
  [
    'a record that was sent again is in west, and its first copy in the tail',
    {
      stored: { ...EVIDENCE.stored, west: places([1, 1], [2, 2], [4, 4], [5, 3]) },
      acknowledgements: new Map([
        ...EVIDENCE.acknowledgements,
        [4, { atMs: 1_500, place: { partition: 0, offset: 4 } }],
      ]),
    },
    { lostWithCluster: 1, standingRecords: 2, wronglyReported: 0 },
  ],
  ['a report that is not final', { reports: [report({ isFinal: false })] }, { isFinal: false }],
])('%s', (_, change, expected) => {
  expect(accountFor({ ...EVIDENCE, ...change })).toMatchObject(expected);
});
