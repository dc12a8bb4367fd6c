import { expect, test } from 'vitest';
import type { KeyedSummary } from '../exactly-once/history-check.ts';
import type { FleetSummary } from './fleet-ledger.ts';
import type { Allowance } from './scenario.ts';
import { faultsOf } from './verdict.ts';

const GOOD: FleetSummary = {
  produced: 10,
  acknowledged: 10,
  lost: 0,
  notStored: 0,
  undelivered: {},
  storedTwice: 1,
  uncommitted: 0,
  uncommittedDeliveries: 0,
  produceErrors: 0,
  consumerErrors: 0,
  errors: [],
  extraCreates: 0,
  duplicates: 4,
  lateDuplicates: 0,
  mostDuplicatesToOne: 4,
  longestGapMs: 900,
  longestWaitMs: 2_000,
  longestProduceGapMs: 700,
};
const ALLOWED: Allowance = { detectionMs: 600, workMs: 400, duplicates: 'lastBatch', brokenConnections: 'none' };
const BROKEN = { operation: 'poll', kind: 'connection lost', count: 2 } as const;

test.each<[string, Partial<FleetSummary>, Partial<Allowance>, string[]]>([
  ['no fault', {}, {}, []],
  ['nothing came through', { acknowledged: 0 }, {}, ['nothing was acknowledged']],
  ['Kafka was not read back', { notStored: undefined }, {}, ['Kafka could not be read back']],
  [
    'lost records',
    { lost: 3, notStored: 1, undelivered: { a: 2 } },
    {},
    ['1 acknowledged records are not in Kafka', '2 acknowledged records were not delivered to group a'],
  ],
  ['a broken connection', { errors: [BROKEN] }, {}, ['2 × poll: connection lost']],
  ["a broken connection to the client's own gateway", { errors: [BROKEN] }, { brokenConnections: 'ofOwnGateway' }, []],
  [
    'an error of another kind then',
    { errors: [{ operation: 'poll', kind: 'HTTP 404', message: 'gone', count: 1 }] },
    { brokenConnections: 'ofOwnGateway' },
    ['1 × poll: HTTP 404 (gone)'],
  ],
  ['a second create', { extraCreates: 1 }, {}, ['1 consumers created again']],
  ['a long silence', { longestGapMs: 1_200.4 }, {}, ['a group waited 1200 ms (allowed 1000)']],
  ['duplicates of an orderly move', {}, { duplicates: 'none' }, ['4 duplicates']],
  ['late duplicates', { lateDuplicates: 1 }, {}, ['1 duplicates of acknowledged records']],
])('%s', (_, change, allowance, expected) => {
  expect(faultsOf({ summary: { ...GOOD, ...change }, slowness: 1 }, { ...ALLOWED, ...allowance })).toEqual(expected);
});

test('on a slow machine the work after the detection may take longer, but not the detection', () => {
  expect(faultsOf({ summary: { ...GOOD, longestGapMs: 1_400 }, slowness: 2 }, ALLOWED)).toEqual([]);
  expect(faultsOf({ summary: { ...GOOD, longestGapMs: 1_401 }, slowness: 2 }, ALLOWED)).toEqual([
    'a group waited 1401 ms (allowed 1400)',
  ]);
});

const KEYED: KeyedSummary = { keys: 9, requests: 12, replayed: 3, replayedAtOnce: 1, faults: [] };

test.each<[string, Partial<FleetSummary>, Partial<KeyedSummary>, string[]]>([
  ['no fault', { storedTwice: 0, uncommitted: 7 }, {}, []],
  ['a record that is stored twice', {}, {}, ['1 records are in the topic more than once']],
  ['nothing had a key', { storedTwice: 0 }, { keys: 0 }, ['no request had a key']],
  [
    'aborted records that are delivered',
    { storedTwice: 0, uncommittedDeliveries: 2 },
    {},
    ['2 deliveries of records that are not committed'],
  ],
  [
    'broken promises',
    { storedTwice: 0 },
    { faults: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] },
    ['a', 'b', 'c', 'd', 'e', '2 more faults of keys'],
  ],
])('with keys: %s', (_, change, keyedChange, expected) => {
  const found = { summary: { ...GOOD, ...change }, keyed: { ...KEYED, ...keyedChange }, slowness: 1 };
  expect(faultsOf(found, ALLOWED)).toEqual(expected);
});
