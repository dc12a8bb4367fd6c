import type { LossReport } from '@causeway/protocol/clusters.ts';
import { describe, expect, test } from 'vitest';
import { Ledger } from './ledger.ts';
import { TopicLosses } from './loss-reports.ts';

/** A ledger with a manual clock. */
function ledgerWithClock(): { ledger: Ledger; pass: (ms: number) => void } {
  let nowMs = 1_000;
  const ledger = new Ledger(() => nowMs);
  return {
    ledger,
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

/** A history: `p` produce the next record, `aN` acknowledge, `dN` deliver. */
function play(ledger: Ledger, script: string): void {
  for (const step of script.split(' ').filter((word) => word !== '')) {
    const record = Number(step.slice(1));
    if (step === 'p') ledger.nextRecord();
    else if (step.startsWith('a')) ledger.acknowledge(record, 1);
    else ledger.deliver(record, 'consumer-1');
  }
}

describe('the counts', () => {
  test.each([
    ['nothing', '', { produced: 0, acknowledged: 0, delivered: 0, duplicates: 0, lost: 0 }],
    ['one record, all the way', 'p a1 d1', { produced: 1, acknowledged: 1, delivered: 1, duplicates: 0, lost: 0 }],
    ['a delivery before the acknowledgement', 'p d1 a1', { acknowledged: 1, delivered: 1, duplicates: 0, lost: 0 }],
    ['a record that was never acknowledged', 'p p a2 d2', { produced: 2, acknowledged: 1, delivered: 1, lost: 0 }],
    ['a record acknowledged and never delivered', 'p p a1 a2 d2', { acknowledged: 2, delivered: 1, lost: 1 }],
    ['deliveries of the same record', 'p a1 d1 d1 d1', { delivered: 1, duplicates: 2, lost: 0 }],
    ['a record delivered without acknowledgement', 'p d1', { acknowledged: 0, delivered: 1, lost: 0 }],
    ['a record of another client', 'p a1 d1 d77', { delivered: 1, duplicates: 0, lost: 0 }],
  ])('%s', (_, script, expected) => {
    const { ledger } = ledgerWithClock();
    play(ledger, script);
    expect(ledger.summarize()).toMatchObject(expected);
    expect(ledger.undelivered).toBe(expected.lost);
  });

  test('deliveries by consumer', () => {
    const { ledger } = ledgerWithClock();
    play(ledger, 'p p p d1 d2');
    ledger.deliver(3, 'consumer-2');
    expect(ledger.summarize().deliveredTo).toEqual({ 'consumer-1': 2, 'consumer-2': 1 });
  });

  test('errors by operation and kind, those of the producer apart', () => {
    const { ledger } = ledgerWithClock();
    ledger.clientError({ operation: 'send', kind: 'HTTP 503' });
    ledger.clientError({ operation: 'send', kind: 'HTTP 503' });
    ledger.clientError({ operation: 'poll', kind: 'timeout' });
    expect(ledger.summarize()).toMatchObject({
      clientErrors: 3,
      produceErrors: 2,
      consumerErrors: 1,
      errors: [
        { operation: 'send', kind: 'HTTP 503', count: 2 },
        { operation: 'poll', kind: 'timeout', count: 1 },
      ],
    });
  });
});

describe('the longest time without a delivery', () => {
  test('starts with the first delivery', () => {
    const { ledger, pass } = ledgerWithClock();
    play(ledger, 'p');
    pass(5_000);
    play(ledger, 'd1');
    expect(ledger.counts().longestGapMs).toBe(0);
  });

  test('is the longest of several, and grows while it lasts', () => {
    const { ledger, pass } = ledgerWithClock();
    play(ledger, 'p p p d1');
    pass(300);
    play(ledger, 'd2');
    pass(100);
    play(ledger, 'd3');
    expect(ledger.counts().longestGapMs).toBe(300);
    pass(900);
    expect(ledger.counts().longestGapMs).toBe(900);
  });

  test('ends with the traffic, and takes the time up to it into account', () => {
    const { ledger, pass } = ledgerWithClock();
    play(ledger, 'p p d1');
    pass(400);
    ledger.endTraffic();
    pass(9_000);
    play(ledger, 'd2');
    pass(9_000);
    expect(ledger.summarize()).toMatchObject({ longestGapMs: 400, durationMs: 400, delivered: 2 });
  });
});

describe('the comparison with Kafka', () => {
  test('a record that is acknowledged and not in Kafka is lost, delivered or not', () => {
    const { ledger } = ledgerWithClock();
    play(ledger, 'p p p p a1 a2 a3 d1 d2');
    ledger.compareWithKafka(
      new Map([
        [1, 1],
        [4, 1],
      ]),
    );
    // 2 is not stored, 3 is neither stored nor delivered; 4 was not acknowledged.
    expect(ledger.summarize()).toMatchObject({ lost: 2, undelivered: 1, notStored: 2, storedTwice: 0 });
  });

  test('a record that is stored twice is reported, and not lost', () => {
    const { ledger } = ledgerWithClock();
    play(ledger, 'p a1 d1 d1');
    ledger.compareWithKafka(new Map([[1, 2]]));
    expect(ledger.summarize()).toMatchObject({ lost: 0, notStored: 0, storedTwice: 1, duplicates: 1 });
  });

  test('is unknown until it was made', () => {
    const { ledger } = ledgerWithClock();
    expect(ledger.summarize()).toMatchObject({ notStored: undefined, storedTwice: undefined });
  });
});

test('latencies of produce: the 99th of a hundred, and the longest', () => {
  const { ledger } = ledgerWithClock();
  for (let latencyMs = 100; latencyMs >= 1; latencyMs -= 1) ledger.acknowledge(ledger.nextRecord(), latencyMs);
  expect(ledger.summarize()).toMatchObject({ produceP99Ms: 99, produceMaxMs: 100 });
});

describe('a cluster that was lost', () => {
  const range = { topic: 'orders', partition: 0, from: 10, to: 20, records: 4 };
  const report: LossReport = {
    promotion: { number: 2, cluster: 'west' },
    lost: 'east',
    at: '2026-01-01T00:00:00Z',
    endsAgeMs: 100,
    isFinal: true,
    ranges: [range],
  };

  test('takes the records of its report with it, delivered or not; all others count as lost', () => {
    const { ledger } = ledgerWithClock();
    for (const offset of [9, 10, 11, 20]) ledger.acknowledge(ledger.nextRecord(), 1, { partition: 0, offset });
    ledger.deliver(1, 'consumer-1');
    ledger.deliver(2, 'consumer-1');
    ledger.compareWithKafka(new Map([[1, 1]]));
    ledger.compareWithReports(new TopicLosses('orders', [report]));
    expect(ledger.summarize()).toMatchObject({
      lost: 1,
      notStored: 1,
      undelivered: 1,
      losses: { reportCount: 1, isFinal: true, reportedRecords: 4, lostWithCluster: 2 },
    });
  });

  test('interrupts acknowledgements for as long as nothing is acknowledged', () => {
    const { ledger, pass } = ledgerWithClock();
    play(ledger, 'p a1');
    pass(50);
    play(ledger, 'p a2');
    pass(6_200);
    play(ledger, 'p a3');
    ledger.endTraffic();
    pass(60_000);
    ledger.compareWithReports(new TopicLosses('orders', []));
    expect(ledger.summarize().losses).toMatchObject({ longestProduceGapMs: 6_200 });
  });
});
