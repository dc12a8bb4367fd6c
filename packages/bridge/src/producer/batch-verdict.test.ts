import { expect, test } from 'vitest';
import { type ErrorId, errorText } from '../kafka/client/kafka-errors.ts';
import type { BatchOutcome } from '../kafka/produce/produce.ts';
import { verdictOf } from './batch-verdict.ts';

function refused(errorId: ErrorId, badRecords: [number, string][] = []): BatchOutcome {
  return { kind: 'refused', errorId, message: errorText(errorId), badRecords: new Map(badRecords) };
}

test('a batch without a response goes again as it was', () => {
  expect(verdictOf(undefined, 't', 2)).toEqual({ kind: 'sendAgain' });
});

test('a stored batch keeps its offset', () => {
  expect(verdictOf({ kind: 'stored', baseOffset: 7n }, 't', 2)).toEqual({ kind: 'stored', baseOffset: 7n });
});

test.each<[ErrorId, string]>([
  ['UNKNOWN_TOPIC_OR_PARTITION', 'sendAgain'],
  ['LEADER_NOT_AVAILABLE', 'sendAgain'],
  ['NOT_LEADER_OR_FOLLOWER', 'sendAgain'],
  ['REQUEST_TIMED_OUT', 'sendAgain'],
  ['NOT_ENOUGH_REPLICAS', 'sendAgain'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'sendAgain'],
  ['KAFKA_STORAGE_ERROR', 'sendAgain'],
  ['FENCED_LEADER_EPOCH', 'sendAgain'],
  ['UNKNOWN_LEADER_EPOCH', 'sendAgain'],
  ['NETWORK_EXCEPTION', 'sendAgain'],
  ['THROTTLING_QUOTA_EXCEEDED', 'sendAgain'],
  ['UNKNOWN_TOPIC_ID', 'sendAgain'],
  ['DUPLICATE_SEQUENCE_NUMBER', 'stored'],
  ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'startOver'],
  ['UNKNOWN_PRODUCER_ID', 'startOver'],
  ['INVALID_PRODUCER_EPOCH', 'startOver'],
  ['INVALID_PRODUCER_ID_MAPPING', 'startOver'],
  ['PRODUCER_FENCED', 'startOver'],
  ['MESSAGE_TOO_LARGE', 'separate'],
  ['RECORD_LIST_TOO_LARGE', 'separate'],
  ['INVALID_RECORD', 'separate'],
  ['INVALID_TIMESTAMP', 'separate'],
  ['CORRUPT_MESSAGE', 'separate'],
  ['TOPIC_AUTHORIZATION_FAILED', 'refused'],
  ['INVALID_REQUIRED_ACKS', 'refused'],
  ['UNKNOWN_SERVER_ERROR', 'refused'],
  ['UNSUPPORTED_COMPRESSION_TYPE', 'refused'],
])('%s: %s', (errorId, kind) => {
  expect(verdictOf(refused(errorId), 't', 2).kind).toBe(kind);
});

test('a batch that an earlier attempt stored has no known offset', () => {
  expect(verdictOf(refused('DUPLICATE_SEQUENCE_NUMBER'), 't', 2)).toEqual({ kind: 'stored', baseOffset: undefined });
});

test('a record alone is not separated: it fails with the text that the broker gave it', () => {
  const outcome = refused('INVALID_RECORD', [[0, 'no key']]);
  expect(verdictOf(outcome, 't', 1)).toEqual({ kind: 'refused', errorCode: 500, message: 'no key' });
  expect(verdictOf(refused('MESSAGE_TOO_LARGE'), 't', 1)).toEqual({
    kind: 'refused',
    errorCode: 500,
    message: errorText('MESSAGE_TOO_LARGE'),
  });
});

test('a right that the bridge lacks fails with 403 and the name of the topic', () => {
  expect(verdictOf(refused('TOPIC_AUTHORIZATION_FAILED'), 't', 1)).toEqual({
    kind: 'refused',
    errorCode: 403,
    message: 'Not authorized to access topics: [t]',
  });
});
