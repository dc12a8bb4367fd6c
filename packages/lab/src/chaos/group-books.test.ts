import { expect, test } from 'vitest';
import { GroupBooks } from './group-books.ts';

function newBooks(): { books: GroupBooks; pass: (ms: number) => void } {
  let nowMs = 500;
  const books = new GroupBooks('g', () => nowMs);
  return {
    books,
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

/** A poll with these offsets of partition 0; the record's number is the offset. */
function poll(books: GroupBooks, consumer: string, ...offsets: number[]): void {
  books.delivered(
    consumer,
    offsets.map((offset) => ({ record: offset, partition: 0, offset })),
  );
}

test('a record that comes again before its consumer polled again is an allowed duplicate', () => {
  const { books } = newBooks();
  poll(books, 'a', 1, 2);
  poll(books, 'a', 1, 2, 3);
  poll(books, 'b', 3);
  expect(books.summarize()).toMatchObject({ lateDuplicates: 0 });
  expect([...books.summarize().duplicatesTo]).toEqual([
    ['a', 2],
    ['b', 1],
  ]);
});

test('a record that comes again after its consumer polled again is late, at any consumer', () => {
  const { books } = newBooks();
  poll(books, 'a', 1);
  poll(books, 'a');
  poll(books, 'b', 1);
  expect(books.summarize().lateDuplicates).toBe(1);
  poll(books, 'b', 2);
  poll(books, 'b', 2);
  poll(books, 'b', 1);
  expect(books.summarize().lateDuplicates).toBe(2);
});

test('a record that is twice in Kafka is not a duplicate of the group', () => {
  const { books } = newBooks();
  books.delivered('a', [
    { record: 7, partition: 0, offset: 1 },
    { record: 7, partition: 0, offset: 2 },
  ]);
  expect(books.has(7)).toBe(true);
  expect(books.summarize().duplicatesTo.size).toBe(0);
});

test('of records that move between Kafka clusters, the record says what comes again', () => {
  const books = new GroupBooks('g', () => 7, 'record');
  books.delivered('a', [{ record: 1, partition: 0, offset: 4 }]);
  books.delivered('b', [
    { record: 2, partition: 0, offset: 4 },
    { record: 1, partition: 0, offset: 3 },
  ]);
  const before = { record: 1, partition: 0, offset: 4 };
  expect(books.repeats).toEqual([{ consumer: 'b', before, beforeAtMs: 7, isLate: false }]);
});

test('the longest time without a delivery is that of the group, and that of the consumer that waited longest', () => {
  const { books, pass } = newBooks();
  pass(9_000);
  poll(books, 'a', 1);
  poll(books, 'b', 2);
  pass(300);
  poll(books, 'b', 3);
  pass(200);
  poll(books, 'b');
  poll(books, 'a', 4);
  expect(books.summarize()).toMatchObject({ longestGapMs: 300, longestWaitMs: 500 });
  pass(800);
  books.endTraffic();
  pass(5_000);
  poll(books, 'a', 5);
  expect(books.summarize()).toMatchObject({ longestGapMs: 800, longestWaitMs: 1_000 });
});
