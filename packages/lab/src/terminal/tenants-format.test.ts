import { describe, expect, test } from 'vitest';
import type { LedgerSummary } from '../traffic/ledger.ts';
import type { Paint } from './format.ts';
import { formatTenants, type GuestResult, judgeTenants } from './tenants-format.ts';

const plain: Paint = (_, text) => text;
const marked: Paint = (colour, text) => `<${colour}>${text}`;

const GOOD: LedgerSummary = {
  produced: 400,
  acknowledged: 400,
  delivered: 400,
  duplicates: 0,
  clientErrors: 0,
  longestGapMs: 412,
  durationMs: 40_012,
  deliveredTo: { 'consumer-1': 400 },
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
const FAILED: Partial<LedgerSummary> = {
  clientErrors: 2,
  errors: [{ operation: 'poll', kind: 'HTTP 403', message: 'tenant-2 may not consume.', count: 2 }],
};
const REFUSED: GuestResult = { refusals: { unauthenticated: 40, forbidden: 39 }, surprises: new Map() };
const SERVED: GuestResult = { ...REFUSED, surprises: new Map([['HTTP 200', 1]]) };

const tenants = (change: Partial<LedgerSummary> = {}) => [
  { name: 'tenant-1', summary: GOOD },
  { name: 'tenant-2', summary: { ...GOOD, ...change } },
];

test('the table at the end has a line for each tenant, and the guest', () => {
  expect(formatTenants(tenants(FAILED), SERVED, plain).split('\n')).toEqual([
    '',
    '  Result',
    '                produced  acknowledged  delivered  duplicates  lost  errors  longest gap  produce p99',
    '  tenant-1           400           400        400           0     0       0        0.4 s        12 ms',
    '  tenant-2           400           400        400           0     0       2        0.4 s        12 ms',
    '    poll 2 × HTTP 403: tenant-2 may not consume.',
    '  guest         refused 40 × without a token (401), 39 × with its own token (403), 1 × HTTP 200',
    '',
  ]);
});

test('what is wrong is red', () => {
  const text = formatTenants(tenants({ ...FAILED, notStored: undefined }), SERVED, marked);
  expect(text.match(/<red>.*?(?= |$)/gm)).toEqual(['<red>?', '<red>2', '<red>1']);
});

describe('the verdict', () => {
  test.each<[string, Partial<LedgerSummary>, GuestResult, boolean, string]>([
    ['good', {}, REFUSED, true, 'No record was lost, and no request failed; the guest was refused each time.'],
    ['a failed request of one tenant', FAILED, REFUSED, false, 'tenant-2: 2 requests failed.'],
    ['nothing delivered to one', { delivered: 0 }, REFUSED, false, 'tenant-2: Nothing was delivered.'],
    ['a guest who was served', {}, SERVED, false, 'The guest got a response that is no refusal.'],
    [
      'a guest who never came',
      {},
      { ...REFUSED, refusals: { unauthenticated: 3, forbidden: 0 } },
      false,
      'The guest was not refused both ways.',
    ],
  ])('%s', (_, change, guest, isGood, sentence) => {
    expect(judgeTenants(tenants(change), guest)).toEqual({ isGood, sentence });
  });
});
