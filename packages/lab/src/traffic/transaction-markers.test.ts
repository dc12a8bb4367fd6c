import { expect, test } from 'vitest';
import { type LogEntry, TransactionMarkers } from './transaction-markers.ts';

/** `A1`: record 1 of producer A's transaction; `A+` and `A-`: its commit and abort; `1`: a record without a transaction. */
function entryOf(text: string): LogEntry {
  const [, producerId = '', rest = ''] = /^([A-Z]?)(.+)$/.exec(text) ?? [];
  const isControlRecord = rest === '+' || rest === '-';
  const key = Buffer.from([0, 0, 0, rest === '+' ? 1 : 0]);
  return { key, isControlRecord, batchContext: { producerId, inTransaction: producerId !== '' } };
}

test.each([
  ['1 2', ['1', '2'], [], []],
  ['A1 A2 A+', ['A1', 'A2'], [], []],
  ['A1 A- A2 A+', ['A2'], ['A1'], []],
  ['A1 B1 A2 B- A+', ['A1', 'A2'], ['B1'], []],
  // Kafka lists A before B, whose transaction began first.
  ['B1 A1 A- B- 3', ['3'], ['A1', 'B1'], []],
  ['A1 2 B1 B+', ['2', 'B1'], [], ['A1']],
  ['A- A+ A1', [], [], ['A1']],
])('%s', (log, committed, aborted, open) => {
  const markers = new TransactionMarkers<string>();
  for (const text of log.split(' ')) markers.add(entryOf(text), text);
  expect(markers).toMatchObject({ committed, aborted, open });
});
