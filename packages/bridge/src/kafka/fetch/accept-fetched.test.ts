import { beforeEach, expect, test } from 'vitest';
import type { RecordToProduce } from '../../records.ts';
import { type ErrorId, kafkaError } from '../client/kafka-errors.ts';
import { writeBatch } from '../produce/record-batch-writer.ts';
import { acceptFetched } from './accept-fetched.ts';
import type { FetchedPartition } from './fetch.ts';
import { newPartition, type Partition } from './partition.ts';
import { ReadReplicas } from './read-replicas.ts';
import { hasRecords } from './record-buffer.ts';

const RECORD: RecordToProduce = {
  key: null,
  value: Buffer.from('v'),
  headers: undefined,
  partition: 0,
  timestampMs: 1n,
};
const REPLICA = 2;
/** Of a batch, in its head. */
const LENGTH_AT = 8;

let replicas: ReadReplicas;
let found: Partition;

beforeEach(() => {
  replicas = new ReadReplicas({ rack: 'here', maxAgeMs: 60_000 });
  found = { ...newPartition('t', 0), position: 0n };
});

function fetched(overrides: Partial<FetchedPartition> & { errorId?: ErrorId } = {}): FetchedPartition {
  const { errorId, ...rest } = overrides;
  return {
    topicId: 'id',
    partition: 0,
    errorCode: errorId === undefined ? 0 : kafkaError(errorId).code,
    highWatermark: 9n,
    lastStableOffset: 7n,
    abortedTransactions: null,
    preferredReplica: -1,
    batches: writeBatch([RECORD], 1n),
    ...rest,
  };
}

function acceptance(
  response: FetchedPartition,
  isolationLevel: 'read_uncommitted' | 'read_committed' = 'read_uncommitted',
) {
  return acceptFetched(found, response, { isolationLevel, isChecking: true, replicas });
}

test('records are buffered, and the end of the log is the one that the isolation level may read', () => {
  expect(acceptance(fetched())).toEqual({ kind: 'accepted' });
  expect(hasRecords(found.buffer)).toBe(true);
  expect(found.logEnd).toBe(9n);
  expect(acceptance(fetched({ batches: Buffer.alloc(0) }), 'read_committed')).toEqual({ kind: 'accepted' });
  expect(found.logEnd).toBe(7n);
});

test.each<[ErrorId, unknown]>([
  ['NOT_LEADER_OR_FOLLOWER', { kind: 'stale' }],
  ['UNKNOWN_TOPIC_ID', { kind: 'stale' }],
  ['FENCED_LEADER_EPOCH', { kind: 'stale' }],
  ['UNKNOWN_SERVER_ERROR', { kind: 'stale' }],
  ['OFFSET_OUT_OF_RANGE', { kind: 'outOfRange' }],
  ['CORRUPT_MESSAGE', { kind: 'failed', error: expect.objectContaining({ code: 'kafkaRefused' }) }],
  ['TOPIC_AUTHORIZATION_FAILED', { kind: 'failed', error: expect.objectContaining({ code: 'kafkaForbidden' }) }],
])('%s of a partition without buffered records', (errorId, expected) => {
  expect(acceptance(fetched({ errorId }))).toEqual(expected);
  expect(hasRecords(found.buffer)).toBe(false);
});

test.each<ErrorId>(['OFFSET_OUT_OF_RANGE', 'CORRUPT_MESSAGE'])(
  '%s waits until what is buffered has been read',
  (errorId) => {
    acceptance(fetched());
    expect(acceptance(fetched({ errorId }))).toEqual({ kind: 'accepted' });
  },
);

test.each([
  [0, true],
  [REPLICA, true],
  [-1, false],
])('a leader that names replica %i is left for it: %s', (preferredReplica, isPreferred) => {
  acceptance(fetched({ preferredReplica }));
  expect(replicas.giveUp(found, preferredReplica)).toBe(isPreferred);
});

test('records before the position are left out, also after what is buffered', () => {
  found.position = 1n;
  acceptance(fetched());
  expect(hasRecords(found.buffer)).toBe(false);
});

test('a replica that does not have the position is left for the leader', () => {
  acceptance(fetched({ batches: Buffer.alloc(0), preferredReplica: REPLICA }));
  expect(acceptance(fetched({ errorId: 'OFFSET_OUT_OF_RANGE' }))).toEqual({ kind: 'accepted' });
  expect(acceptance(fetched({ errorId: 'OFFSET_OUT_OF_RANGE' }))).toEqual({ kind: 'outOfRange' });
});

test('bytes that are no batch fail the poll, once what is buffered before them has been read', () => {
  const batches = writeBatch([RECORD], 1n);
  // Shorter than the head of a batch.
  batches.writeInt32BE(10, LENGTH_AT);
  acceptance(fetched());
  expect(acceptance(fetched({ batches }))).toEqual({ kind: 'accepted' });
  found = { ...newPartition('t', 0), position: 0n };
  expect(acceptance(fetched({ batches }))).toMatchObject({ kind: 'failed', error: { code: 'kafkaRefused' } });
});
