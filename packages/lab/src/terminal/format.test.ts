import { describe, expect, test } from 'vitest';
import { LabError } from '../errors.ts';
import type { KeyedSummary } from '../exactly-once/history-check.ts';
import type { LedgerSummary } from '../traffic/ledger.ts';
import {
  type ClustersNow,
  formatError,
  formatLiveLine,
  formatProcessEvent,
  formatSummary,
  judge,
  type Paint,
} from './format.ts';

const plain: Paint = (_, text) => text;
const marked: Paint = (colour, text) => `<${colour}>${text}`;

const GOOD: LedgerSummary = {
  produced: 800,
  acknowledged: 800,
  delivered: 800,
  duplicates: 0,
  clientErrors: 0,
  longestGapMs: 412,
  durationMs: 40_012,
  deliveredTo: { 'consumer-1': 390, 'consumer-2': 410 },
  produceErrors: 0,
  consumerErrors: 0,
  errors: [],
  lost: 0,
  undelivered: 0,
  notStored: 0,
  storedTwice: 0,
  produceP99Ms: 11.6,
  produceMaxMs: 1_240,
};

const LOSSES = { reportCount: 1, isFinal: true, reportedRecords: 5, lostWithCluster: 4, longestProduceGapMs: 6_120 };

test('the live line, while a region is down', () => {
  const regions = { east: 'down', west: 'up' } as const;
  expect(formatLiveLine(12_040, GOOD, { regions, paint: plain, columns: 120 })).toBe(
    '12 s  produced 800  acknowledged 800  delivered 800  duplicates 0  errors 0  gap 0.4 s  east ○ west ●',
  );
  expect(formatLiveLine(12_040, { ...GOOD, clientErrors: 3 }, { regions, paint: marked, columns: 120 })).toMatch(
    /<red>errors 3.* east <red>○ west <green>●$/,
  );
});

test('the live line fits a terminal of 80 columns, regions and all', () => {
  const regions = { east: 'restoring', west: 'up' } as const;
  const counts = { ...GOOD, produced: 12_000, acknowledged: 12_000, delivered: 11_999 };
  const line = formatLiveLine(600_000, counts, { regions, paint: plain, columns: 80 });
  expect(line).toBe('600 s sent 12000 acked 12000 got 11999 dup 0 err 0 gap 0.4 s east ◐ west ●');
  expect(line.length).toBeLessThan(80);
});

test('the live line of a lab with two clusters says which one is active, and what the other one lacks', () => {
  const regions = { east: 'up', west: 'up' } as const;
  const line = (columns: number, lag: ClustersNow['lag']): string =>
    formatLiveLine(12_040, GOOD, { regions, clusters: { active: 'east', lag }, paint: plain, columns });
  expect(line(160, { records: 3, seconds: 0.42, problem: null })).toMatch(
    / {2}east ● west ● {2}active east {2}RPO 3 records 0\.4 s$/,
  );
  expect(line(80, { records: 3, seconds: 0.42, problem: null })).toMatch(/ east ● west ● →east RPO 3 0\.4 s$/);
  expect(line(160, { records: 3, seconds: 0.42, problem: 'no peer' })).toMatch(/RPO \?$/);
  expect(line(160, undefined)).toMatch(/RPO \?$/);
});

test('two clusters have rows for the recovery point and the recovery time', () => {
  const rows = formatSummary({ ...GOOD, losses: LOSSES }, plain).split('\n');
  expect(rows).toContain(
    '  lost                    0   the active Kafka holds all others, read back with another client',
  );
  expect(rows).toContain('  RPO                     4   acknowledged by the lost cluster alone; its report has 5');
  expect(rows).toContain('  RTO                 6.1 s   longest time without an acknowledged record');
  const none = { ...LOSSES, reportCount: 0, reportedRecords: 0, lostWithCluster: 0 };
  expect(formatSummary({ ...GOOD, losses: none }, plain)).toContain(
    '  RPO                     0   no cluster was lost\n',
  );
});

test('the table at the end', () => {
  const errors = [{ operation: 'poll', kind: 'HTTP 502', message: 'No region is available.', count: 2 }] as const;
  const summary = { ...GOOD, clientErrors: 2, errors: [...errors] };
  expect(formatSummary(summary, plain).split('\n')).toEqual([
    '',
    '  Result',
    '  produced              800   in 40.0 s',
    '  acknowledged          800',
    '  delivered             800   consumer-1 390, consumer-2 410',
    '  duplicates              0',
    '  lost                    0   Kafka holds all 800, read back with another client',
    '  client errors           2',
    '    poll                  2   HTTP 502: No region is available.',
    '  longest gap         0.4 s   without any delivery',
    '  produce latency     12 ms   p99; at most 1.2 s',
    '',
  ]);
});

const KEYED: KeyedSummary = { keys: 9, requests: 12, replayed: 3, replayedAtOnce: 1, faults: [] };

test('keys have a line of their own', () => {
  expect(formatSummary({ ...GOOD, keyed: KEYED }, plain)).toContain(
    '  keys                    9   12 requests, of which 3 got the answer of an earlier one\n',
  );
});

describe('the verdict', () => {
  test.each<[string, Partial<LedgerSummary>, boolean, string]>([
    ['good', {}, true, 'No record was lost, and no request failed.'],
    ['a lost record', { lost: 1 }, false, '1 acknowledged record was lost.'],
    ['failed requests', { clientErrors: 2 }, false, '2 requests failed.'],
    ['both', { lost: 2, clientErrors: 1 }, false, '2 acknowledged records were lost and 1 request failed.'],
    ['Kafka was not read back', { notStored: undefined }, false, 'Kafka could not be read back.'],
    [
      'what a lost cluster took with it',
      { losses: LOSSES },
      true,
      'The lost cluster took 4 acknowledged records with it, as its report says; no other was lost.',
    ],
    ['more than a lost cluster took', { lost: 1, losses: LOSSES }, false, '1 acknowledged record was lost.'],
    ['keys', { storedTwice: 0, keyed: KEYED }, true, 'No record was lost or is twice in Kafka, and no request failed.'],
    ['a record twice in spite of keys', { storedTwice: 1, keyed: KEYED }, false, '1 record is twice in Kafka.'],
    ['a broken promise', { keyed: { ...KEYED, faults: ['a', 'b'] } }, false, 'a (and 1 more).'],
    ['no traffic came through', { delivered: 0 }, false, 'Nothing was delivered.'],
  ])('%s', (_, change, isGood, sentence) => {
    expect(judge({ ...GOOD, ...change })).toEqual({ isGood, sentence });
  });
});

describe('the life of a process', () => {
  const common = { name: 'east bridge', pid: 7 };
  const exit = { type: 'exited', ...common, logFile: 'east-bridge.log' } as const;
  test.each([
    [{ type: 'ready', ...common, isRestart: false, afterMs: 640 }, 'ready after 0.6 s (process 7)'],
    [{ type: 'started', ...common, isRestart: true }, 'starting again (process 7)'],
    [{ type: 'ready', ...common, isRestart: true, afterMs: 640 }, 'ready again after 0.6 s (process 7)'],
    [{ ...exit, reason: 'killed', exitCode: null, signal: 'SIGKILL' }, 'killed by the lab with SIGKILL (process 7)'],
    [{ ...exit, reason: 'stopped', exitCode: 0, signal: null }, 'stopped (process 7)'],
    [{ ...exit, reason: 'stopped', exitCode: null, signal: 'SIGKILL' }, 'stopped (SIGKILL) (process 7)'],
    [
      { ...exit, reason: 'unexpected', exitCode: 1, signal: null },
      'died: exit code 1 (process 7), its log is east-bridge.log',
    ],
  ] as const)('%j', (event, expected) => {
    expect(formatProcessEvent(event, plain)).toBe(`  east bridge      ${expected}`);
  });
});

test('an error is one sentence with its cause', () => {
  const cause = new Error('getaddrinfo ENOTFOUND kafka');
  expect(formatError(new LabError('kafkaUnreachable', 'No Kafka.', { cause }))).toBe(
    'No Kafka. (getaddrinfo ENOTFOUND kafka)',
  );
});
