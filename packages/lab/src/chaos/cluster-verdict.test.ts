import { expect, test } from 'vitest';
import type { ClusterAllowance } from './cluster-scenario.ts';
import { type ClusterFindings, faultsOfClusters } from './cluster-verdict.ts';

const GOOD: ClusterFindings = {
  summary: {
    produced: 10,
    acknowledged: 10,
    lost: 0,
    notStored: 0,
    undelivered: {},
    storedTwice: 0,
    uncommitted: 0,
    uncommittedDeliveries: 0,
    produceErrors: 0,
    consumerErrors: 0,
    errors: [],
    extraCreates: 0,
    duplicates: 4,
    // Of a loss: judged by what the last sync knew.
    lateDuplicates: 4,
    mostDuplicatesToOne: 4,
    longestGapMs: 7_900,
    longestWaitMs: 9_000,
    longestProduceGapMs: 7_900,
  },
  accounts: {
    lostWithCluster: 2,
    reportedRecords: 3,
    standingRecords: 3,
    isFinal: true,
    silentlyMissing: { east: 0, west: 0 },
    wronglyReported: 0,
  },
  probes: { refused: { fenced: 9, standby: 9 }, accepted: 0 },
  promotions: 1,
  reportCount: 1,
  refusals: [],
  excessRepeats: 0,
  committedRepeats: 4,
  lateRepeats: 0,
  slowness: 1,
};
const ALLOWED: ClusterAllowance = { fixedMs: 6_500, workMs: 1_500, duplicates: 'unsynced', promotions: 1, losses: 1 };

function changed<Key extends 'summary' | 'accounts'>(key: Key, change: Partial<ClusterFindings[Key]>) {
  return { [key]: { ...GOOD[key], ...change } };
}

test.each<[string, Partial<ClusterFindings>, string[]]>([
  ['no fault', {}, []],
  [
    'no acknowledgements',
    changed('summary', { longestProduceGapMs: 8_001 }),
    ['nothing was acknowledged for 8001 ms (allowed 8000)'],
  ],
  ['no deliveries', changed('summary', { longestGapMs: 8_001 }), ['a group waited 8001 ms (allowed 8000)']],
  [
    'more time on a slow machine',
    { ...changed('summary', { longestGapMs: 9_000, longestProduceGapMs: 9_000 }), slowness: 2 },
    [],
  ],
  ['a consumer made again', changed('summary', { extraCreates: 1 }), ['1 consumers created again']],
  [
    'a record that a group skipped',
    changed('summary', { undelivered: { one: 1 } }),
    ['1 acknowledged records were not delivered to group one'],
  ],
  [
    'a record that is in no report',
    changed('accounts', { silentlyMissing: { east: 0, west: 1 } }),
    ["1 acknowledged records are not in west's Kafka, and in no report"],
  ],
  [
    'a report that counts wrongly',
    changed('accounts', { standingRecords: 2 }),
    ['the report counts 3 records, and 2 are in its ranges'],
  ],
  [
    'a report of records that are not lost',
    changed('accounts', { wronglyReported: 1 }),
    ['1 records are reported as lost, and were not'],
  ],
  [
    'a report that is not final',
    changed('accounts', { isFinal: false }),
    ['the report is not final, though the lost cluster returned'],
  ],
  ['no report', { reportCount: 0 }, ['0 reports of losses (expected 1)']],
  ['too many duplicates', { excessRepeats: 2 }, ['2 duplicates of records that the last sync knew to be delivered']],
  ['duplicates in the promoted cluster', { lateRepeats: 2 }, ['2 duplicates of acknowledged records']],
  ['a second promotion', { promotions: 2 }, ['2 promotions (expected 1)']],
  ['a switch-over that is refused', { refusals: ['not now'] }, ['not now']],
  [
    'a cluster that does not serve, and takes a write',
    { probes: { refused: { fenced: 9 }, accepted: 1 } },
    ['1 writes were accepted by a cluster that does not serve'],
  ],
  ['no probe', { probes: { refused: { standby: 9 }, accepted: 0 } }, ['no write to the fenced cluster was tried']],
])('after a loss: %s', (_, change, expected) => {
  expect(faultsOfClusters({ ...GOOD, ...change }, ALLOWED)).toEqual(expected);
});

test('after a switch-over nothing that was committed comes twice, nothing is reported, and no cluster is fenced', () => {
  const allowed: ClusterAllowance = { ...ALLOWED, duplicates: 'uncommitted', losses: 0 };
  expect(faultsOfClusters(GOOD, allowed)).toEqual([
    '1 reports of losses (expected 0)',
    '4 duplicates of committed records',
  ]);
  expect(faultsOfClusters({ ...GOOD, reportCount: 0, committedRepeats: 0 }, allowed)).toEqual([]);
});
