import { expect, test } from 'vitest';
import { GoodBooks } from './good-books.ts';

function delivery(record: number) {
  return { record, partition: 0, offset: record };
}

test('a window has its own errors, latencies and gaps, and an open gap continues', () => {
  let nowMs = 0;
  const books = new GoodBooks(() => nowMs);
  const group = books.addGroup('a');
  books.clientError({ operation: 'poll', kind: 'HTTP 503' });
  books.acknowledge(books.nextRecord(), 900);
  nowMs = 100;
  group.delivered('c', [delivery(1)]);
  books.openWindow();
  books.acknowledge(books.nextRecord(), 5);
  nowMs = 400;
  group.delivered('c', []);
  nowMs = 450;
  group.delivered('c', [delivery(2)]);
  nowMs = 500;
  expect(books.closeWindow()).toEqual({
    produced: 1,
    acknowledged: 1,
    errors: [],
    p99Ms: 5,
    maxMs: 5,
    longestGapMs: 350,
  });
});

test('a group without further records has a gap until the end of the window', () => {
  let nowMs = 0;
  const books = new GoodBooks(() => nowMs);
  books.addGroup('a');
  books.openWindow();
  nowMs = 3_000;
  expect(books.closeWindow().longestGapMs).toBe(3_000);
});

test('an acknowledged record must reach every group and Kafka, once', () => {
  const books = new GoodBooks(() => 0);
  const groups = [books.addGroup('a'), books.addGroup('b')];
  for (let count = 0; count < 3; count += 1) books.acknowledge(books.nextRecord(), 1);
  for (const group of groups) group.delivered('c', [delivery(1)]);
  groups[0]?.delivered('c', [delivery(2), delivery(3)]);
  expect(books.undeliveredCount()).toBe(2);
  expect(
    books.compareWithKafka(
      new Map([
        [1, 1],
        [2, 2],
      ]),
    ),
  ).toEqual({ notStored: 1, storedTwice: 1 });
});
