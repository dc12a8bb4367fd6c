import { expect, test } from 'vitest';
import { FleetLedger } from './fleet-ledger.ts';

test('each acknowledged record must reach every group, and be in Kafka', () => {
  const ledger = new FleetLedger(() => 0);
  const [one, two] = [ledger.addGroup('one', 1), ledger.addGroup('two', 1)];
  for (let record = 1; record <= 4; record += 1) ledger.nextRecord();
  for (const record of [1, 2, 3]) ledger.acknowledge(record);
  const got = (record: number) => [{ record, partition: 0, offset: record }];
  for (const record of [1, 2, 3]) one.delivered('c', got(record));
  for (const record of [1, 4]) two.delivered('c', got(record));
  expect(ledger.undelivered()).toEqual([{ group: 'two', records: [2, 3] }]);
  expect(ledger.summarize()).toMatchObject({ produced: 4, acknowledged: 3, lost: 2, notStored: undefined });
  const at = (offset: number) => ({ partition: 0, offset });
  ledger.compareWithKafka({
    places: new Map([
      [1, [at(1)]],
      [2, [at(2), at(9)]],
      [4, [at(4)]],
    ]),
    abortedCount: 2,
    openCount: 1,
  });
  // Record 3 was delivered, and is not in Kafka: its transaction was aborted.
  expect(ledger.summarize()).toMatchObject({
    lost: 3,
    notStored: 1,
    storedTwice: 1,
    uncommitted: 3,
    uncommittedDeliveries: 1,
  });
});

test('errors of producers and consumers are counted separately, and a second create is counted', () => {
  const ledger = new FleetLedger(() => 0);
  const books = ledger.addGroup('one', 2);
  for (let create = 1; create <= 3; create += 1) books.creating();
  books.clientError({ operation: 'poll', kind: 'HTTP 404' });
  ledger.clientError({ operation: 'send', kind: 'HTTP 503' });
  expect(ledger.summarize()).toMatchObject({ extraCreates: 1, consumerErrors: 1, produceErrors: 1 });
});

test('duplicates and gaps are those of the group and of the consumer with the most', () => {
  let nowMs = 0;
  const ledger = new FleetLedger(() => nowMs);
  const [one, two] = [ledger.addGroup('one', 2), ledger.addGroup('two', 1)];
  const got = (offset: number) => [{ record: 1, partition: 0, offset }];
  for (const books of [one, two]) books.delivered('a', got(1));
  nowMs = 400;
  one.delivered('b', got(1));
  nowMs = 700;
  for (const books of [one, two]) books.delivered('a', got(1));
  ledger.endTraffic();
  expect(ledger.summarize()).toMatchObject({
    duplicates: 3,
    mostDuplicatesToOne: 1,
    longestGapMs: 700,
    longestWaitMs: 700,
  });
});

test('records that a lost cluster has alone are neither lost nor awaited', () => {
  const ledger = new FleetLedger(() => 5);
  const books = ledger.addGroup('one', 1);
  for (const record of [1, 2]) {
    ledger.nextRecord();
    ledger.acknowledge(record, 1, { partition: 0, offset: record });
  }
  books.delivered('a', [{ record: 1, partition: 0, offset: 1 }]);
  ledger.excuse(new Set([2]));
  ledger.compareWithKafka({ places: new Map([[1, [{ partition: 0, offset: 1 }]]]), abortedCount: 0, openCount: 0 });
  expect(ledger.undelivered()).toEqual([]);
  expect(ledger.summarize()).toMatchObject({ acknowledged: 2, lost: 0, notStored: 0, undelivered: {} });
  expect(ledger.acknowledgements.get(2)).toEqual({ atMs: 5, place: { partition: 0, offset: 2 } });
});

test('the longest time without an acknowledgement counts up to the end of the traffic', () => {
  let nowMs = 0;
  const ledger = new FleetLedger(() => nowMs);
  for (const atMs of [100, 150, 400]) {
    nowMs = atMs;
    ledger.acknowledge(ledger.nextRecord());
  }
  nowMs = 900;
  expect(ledger.summarize().longestProduceGapMs).toBe(500);
  ledger.endTraffic();
  nowMs = 9_000;
  expect(ledger.summarize().longestProduceGapMs).toBe(500);
});
