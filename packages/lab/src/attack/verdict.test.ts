import { expect, test } from 'vitest';
import type { AttackAllowance } from './attack.ts';
import type { Window } from './good-books.ts';
import { damageOf, type Measured } from './verdict.ts';
import type { Vitals } from './watch.ts';

const CALM: Window = { produced: 100, acknowledged: 100, errors: [], p99Ms: 20, maxMs: 30, longestGapMs: 100 };
const HEALTHY: Vitals = {
  name: 'east bridge',
  isRestarted: false,
  rssBytes: 0,
  growthBytes: 0,
  lateMs: 10,
  incidents: {},
};
const REFUSED = { operation: 'poll', kind: 'HTTP 503', message: 'Kafka does not answer.', count: 2 } as const;

interface Case {
  window?: Partial<Window>;
  vitals?: Partial<Vitals>;
  ownLateMs?: number;
  allowed?: AttackAllowance;
}

test.each<[string, Case, string[]]>([
  ['no effect', {}, []],
  ['nothing came through', { window: { acknowledged: 0 } }, ['no record of the good producer was acknowledged']],
  ['an error', { window: { errors: [REFUSED] } }, ['good client: 2 × poll: HTTP 503 (Kafka does not answer.)']],
  ['an allowed error', { window: { errors: [REFUSED] }, allowed: { consumerStatuses: [503] } }, []],
  [
    'an error of the producer, which no attack may cause',
    { window: { errors: [{ ...REFUSED, operation: 'send' }] }, allowed: { consumerStatuses: [503] } },
    ['good client: 2 × send: HTTP 503 (Kafka does not answer.)'],
  ],
  ['a gap', { window: { longestGapMs: 1_650 } }, ['a good group waited 1650 ms (allowed 1640)']],
  ['an allowed gap', { window: { longestGapMs: 1_650 }, allowed: { extraGapMs: 2_000 } }, []],
  ['a gap on a stalled machine', { window: { longestGapMs: 1_650 }, ownLateMs: 500 }, []],
  ['a stalled loop', { vitals: { lateMs: 400 } }, ['east bridge: stalled for 400 ms (allowed 290)']],
  ['a loop that stalled with the machine', { vitals: { lateMs: 400 }, ownLateMs: 50 }, []],
  ['memory', { vitals: { growthBytes: 2 ** 30 } }, ['east bridge: grew by 1024 MiB (allowed 300 MiB)']],
  ['allowed memory', { vitals: { growthBytes: 2 ** 30 }, allowed: { growthBytes: 2 ** 30 } }, []],
  ['a process that exited', { vitals: { isRestarted: true } }, ['east bridge: exited']],
  ['an allowed incident', { vitals: { incidents: { panic: 3 } }, allowed: { incidents: ['panic'] } }, []],
  ['an open breaker', { vitals: { incidents: { 'breaker open': 3 } } }, ['east bridge: breaker open, 3 ×']],
])('%s', (_, { window, vitals, ownLateMs = 10, allowed }, expected) => {
  const measured: Measured = { window: { ...CALM, ...window }, vitals: [{ ...HEALTHY, ...vitals }], ownLateMs };
  expect(damageOf(measured, CALM, allowed)).toEqual(expected);
});
