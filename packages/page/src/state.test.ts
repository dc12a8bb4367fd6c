import type { History, RecordedEvent } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { initialState, withEvents, withSample } from './state.ts';

function eventOf(id: number, second: number): RecordedEvent {
  return { id, at: `2026-11-21T12:00:${String(second).padStart(2, '0')}.000Z`, type: 'stopping', reason: 'asked to' };
}

test('events are sorted newest first, each once, also after a restart of the gateway, which counts from 1 again', () => {
  let state = withEvents(initialState(null), [eventOf(1, 1), eventOf(2, 2)]);
  state = withEvents(state, [eventOf(2, 2), eventOf(1, 5)]);
  expect(state.events.map(({ event }) => [event.id, event.at.slice(17, 19)])).toEqual([
    [1, '05'],
    [2, '02'],
    [1, '01'],
  ]);
  expect(withEvents(state, [eventOf(1, 5)])).toBe(state);
});

test('a late event is sorted into its place', () => {
  const state = withEvents(withEvents(initialState(null), [eventOf(3, 9)]), [eventOf(2, 4)]);
  expect(state.events.map(({ event }) => event.id)).toEqual([3, 2]);
});

test('a sample is added to every curve, and samples older than 15 minutes are dropped', () => {
  const history: History = {
    stepMs: 5_000,
    atSeconds: [100, 105],
    regions: { east: { requestsPerSecond: [1, 2], errorsPerSecond: [0, 0], p50Ms: [5, 5], p99Ms: [9, null] } },
  };
  const rates = { requestsPerSecond: 3, errorsPerSecond: 0, p50Ms: 4, p99Ms: 8 };
  const state = withSample({ ...initialState(null), history }, { atSeconds: 1_003, regions: { west: rates } });
  expect(state.history?.atSeconds).toEqual([105, 1_003]);
  expect(state.history?.regions['east']?.requestsPerSecond).toEqual([2, null]);
  expect(state.history?.regions['west']?.requestsPerSecond).toEqual([null, 3]);
});
