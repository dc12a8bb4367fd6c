import { expect, test } from 'vitest';
import type { RecordToProduce } from '../records.ts';
import { Lane } from './lane.ts';
import { type Entry, OpenRequests } from './open-requests.ts';

const PRODUCER_ID = 7n;
const requests = new OpenRequests({ maxBytes: 1_000_000, shared: { bytes: 0 }, timeoutMs: 60_000 });

function entriesOf(...values: string[]): Entry[] {
  const records = values.map(
    (value): RecordToProduce => ({
      key: null,
      value: Buffer.from(value),
      headers: undefined,
      partition: 0,
      timestampMs: undefined,
    }),
  );
  return requests.open(records, 0).entries;
}

function newLane(entries: readonly Entry[]): Lane {
  const lane = new Lane({ topic: 't', partition: 0 }, () => {});
  lane.beginWith(PRODUCER_ID);
  for (const entry of entries) lane.push(entry);
  return lane;
}

/** What goes next, with its stamp. */
function send(lane: Lane): { values: string[]; epoch: number | undefined; sequence: number | undefined } {
  lane.take(1_000_000, 1_000);
  const { records, stamp } = lane.batch();
  return { values: records.map(({ value }) => String(value)), epoch: stamp?.epoch, sequence: stamp?.sequence };
}

function isLate(entry: Entry): void {
  requests.settle(entry, { errorCode: 500, message: 'late' });
}

test('a batch that was refused goes again without the records that came too late meanwhile', () => {
  const entries = entriesOf('a', 'b', 'c');
  const lane = newLane(entries);
  expect(send(lane)).toEqual({ values: ['a', 'b', 'c'], epoch: 0, sequence: 0 });
  isLate(entries[1] as Entry);
  lane.putBack(lane.land());
  expect(send(lane)).toEqual({ values: ['a', 'c'], epoch: 1, sequence: 0 });
});

test('a batch that may be stored goes again with them', () => {
  const entries = entriesOf('a', 'b');
  const lane = newLane(entries);
  const first = send(lane);
  isLate(entries[0] as Entry);
  lane.sendAgain(lane.land());
  for (const entry of entriesOf('c')) lane.push(entry);
  expect(send(lane)).toEqual(first);
});

test('a batch of which all records came too late does not go again, and what follows is not taken for it', () => {
  const entries = entriesOf('a', 'b');
  const lane = newLane(entries);
  send(lane);
  for (const entry of entries) isLate(entry);
  lane.sendAgain(lane.land());
  expect(lane.isEmpty).toBe(true);
  for (const entry of entriesOf('c', 'd')) lane.push(entry);
  expect(send(lane)).toEqual({ values: ['c', 'd'], epoch: 1, sequence: 0 });
});

/** Entries that count the reads of their expiry. */
function watchedEntries(
  count: number,
  expiresAtMs: (index: number) => number,
): { entries: Entry[]; reads: () => number } {
  let reads = 0;
  const entries = entriesOf(...Array.from({ length: count }, (_, index) => `${index}`));
  for (const [index, entry] of entries.entries()) {
    Object.defineProperty(entry, 'expiresAtMs', {
      get: () => {
        reads += 1;
        return expiresAtMs(index);
      },
    });
  }
  return { entries, reads: () => reads };
}

test('a queue is not scanned before its earliest record expires', () => {
  const { entries, reads } = watchedEntries(1000, (index) => 5000 + index);
  const lane = newLane(entries);
  const before = reads();
  for (let nowMs = 0; nowMs < 5000; nowMs += 100) expect(lane.expire(nowMs)).toHaveLength(0);
  expect(reads()).toBe(before);
});

test('records expire wherever they are, and in any order', () => {
  const { entries } = watchedEntries(4, (index) => [100, 300, 200, 400][index] as number);
  const lane = newLane(entries.slice(0, 1));
  send(lane);
  for (const entry of entries.slice(1)) lane.push(entry);
  const expired = (nowMs: number): number[] => {
    const late = lane.expire(nowMs);
    for (const entry of late) isLate(entry);
    return late.map((entry) => entries.indexOf(entry));
  };
  expect([99, 100, 199, 200, 250, 300].map(expired)).toEqual([[], [0], [], [2], [], [1]]);
  lane.putBack(lane.land());
  expect(send(lane).values).toEqual(['3']);
  expect(expired(400)).toEqual([3]);
});

test('a lane is ready while records wait, none is in flight, and it is not paused', () => {
  const lane = newLane([]);
  expect(lane).toMatchObject({ isEmpty: true, isReady: false });
  for (const entry of entriesOf('a', 'b')) lane.push(entry);
  expect(lane).toMatchObject({ isEmpty: false, isReady: true });
  lane.isPaused = true;
  expect(lane.isReady).toBe(false);
  lane.isPaused = false;
  lane.take(1_000_000, 1);
  expect(lane).toMatchObject({ isEmpty: false, isReady: false });
  lane.sendAgain(lane.land());
  expect(lane).toMatchObject({ isEmpty: false, isReady: true });
});

test('a batch is as large as there is room for bytes and records', () => {
  const entries = entriesOf('a', 'b', 'c');
  const bytes = entries[0]?.bytes ?? 0;
  const taken = (roomBytes: number, roomCount: number): number => {
    const lane = newLane(entries);
    const { count } = lane.take(roomBytes, roomCount);
    expect(lane.batch().records).toHaveLength(count);
    expect(lane.isEmpty).toBe(count === entries.length);
    return count;
  };
  expect(taken(bytes - 1, 9)).toBe(0);
  expect(taken(bytes, 9)).toBe(1);
  expect(taken(2 * bytes, 9)).toBe(2);
  expect(taken(3 * bytes, 2)).toBe(2);
  expect(taken(3 * bytes, 3)).toBe(3);
  expect(taken(9 * bytes, 0)).toBe(0);
});

test('a stamped batch that goes again waits for room for all of it', () => {
  const entries = entriesOf('a', 'b');
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const lane = newLane(entries);
  send(lane);
  lane.sendAgain(lane.land());
  expect(lane.take(bytes - 1, 2)).toEqual({ count: 0, bytes: 0 });
  expect(lane.take(bytes, 1)).toEqual({ count: 0, bytes: 0 });
  expect(lane.take(bytes, 2)).toEqual({ count: 2, bytes });
});

test('what waits longest is the batch that goes again, then the queue; all of it can move to another lane', () => {
  const { entries } = watchedEntries(3, (index) => [100, 300, 200][index] as number);
  const lane = newLane(entries.slice(0, 1));
  expect(lane.firstExpiresAtMs).toBe(100);
  send(lane);
  expect(lane.firstExpiresAtMs).toBeUndefined();
  for (const entry of entries.slice(1)) lane.push(entry);
  expect(lane.firstExpiresAtMs).toBe(300);
  lane.sendAgain(lane.land());
  expect(lane.firstExpiresAtMs).toBe(100);
  expect(lane.takeAll()).toEqual(entries);
  expect(lane.isEmpty).toBe(true);
});
