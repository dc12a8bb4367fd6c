import type { RecordedEvent } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { flipsOf } from './curve-flips.ts';

function healthEvent(change: Partial<Extract<RecordedEvent, { type: 'health' }>>): RecordedEvent {
  const at = '2026-11-21T12:00:10.000Z';
  const common = { id: 1, at, type: 'health' as const, region: 'east', target: 'http://east', reason: '' };
  return { ...common, from: 'healthy', to: 'unhealthy', ...change };
}

test('flips are what this gateway probed itself; the first probes after a start are not flips', () => {
  const events = [
    healthEvent({}),
    healthEvent({ from: 'unhealthy', to: 'healthy' }),
    healthEvent({ from: 'unknown', to: 'healthy' }),
    healthEvent({ gateway: 'east/gateway' }),
  ];
  const keyed = events.map((event, index) => ({ key: String(index), event }));
  const atSeconds = Date.parse('2026-11-21T12:00:10.000Z') / 1_000;
  expect(flipsOf(keyed)).toEqual([
    { atSeconds, isUp: false },
    { atSeconds, isUp: true },
  ]);
});
