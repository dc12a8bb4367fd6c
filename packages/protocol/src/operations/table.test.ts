import { expect, test } from 'vitest';
import type { OperationEntry } from './operation.ts';
import {
  entryOf,
  INTERNAL_OPERATIONS,
  isEnforcedByBridge,
  isManagement,
  OPERATIONS,
  type Operation,
  retryClassOf,
  routeTemplateOf,
} from './table.ts';

const named = (holds: (entry: OperationEntry) => boolean): string[] =>
  OPERATIONS.filter(holds)
    .map(({ operation }) => operation)
    .sort();

const READ = ['info', 'healthy', 'ready', 'metrics', 'openapi', 'openapiv3', 'listTopics', 'getTopic'];
const READ_OF_PARTITIONS = ['listPartitions', 'getPartition', 'getOffsets'];

test('every operation has its retry class', () => {
  expect(named(({ retry }) => retry === 'read')).toEqual([...READ, ...READ_OF_PARTITIONS].sort());
  expect(named(({ retry }) => retry === 'stores')).toEqual(['createTopic', 'send', 'sendToPartition']);
  expect(named(({ retry }) => retry === 'repeatable')).toEqual(named(({ kind }) => kind === 'consumer'));
  expect(retryClassOf('unknown')).toBe('unknown');
});

test('every operation has its kind', () => {
  expect(named(({ kind }) => kind === 'management')).toEqual(['healthy', 'metrics', 'ready']);
  expect(named(({ kind }) => kind === 'service')).toEqual(['info', 'openapi', 'openapiv3']);
  expect(named(({ kind }) => kind === 'produce')).toEqual(['send', 'sendToPartition']);
  expect(named(({ kind }) => kind === 'consumer')).toEqual(named(({ path }) => path.startsWith('/consumers/')));
  expect(OPERATIONS.map(({ operation }) => operation).filter(isManagement)).toEqual(['healthy', 'ready', 'metrics']);
  expect(isManagement('unknown')).toBe(false);
});

test('every operation on topics and consumers has its right', () => {
  const rights = Object.fromEntries(OPERATIONS.map(({ operation, right }: OperationEntry) => [operation, right]));
  expect(named(({ right }) => right === 'produce')).toEqual(named(({ kind }) => kind === 'produce'));
  expect(named(({ right }) => right === 'consume')).toEqual(named(({ kind }) => kind === 'consumer'));
  expect(rights['createTopic']).toBe('createTopics');
  expect(named(({ right }) => right === undefined)).toEqual(
    named(({ kind }) => kind === 'management' || kind === 'service'),
  );
});

test('bridges have a part in deciding about consumers, lists and new topics', () => {
  expect(named(({ operation }) => isEnforcedByBridge(operation as Operation))).toEqual(
    named(({ kind, operation }) => kind === 'consumer' || operation === 'listTopics' || operation === 'createTopic'),
  );
  expect(isEnforcedByBridge('unknown')).toBe(false);
});

test('operations with a body', () => {
  expect(named(({ body }) => body !== undefined)).toEqual(named(({ method }) => method === 'POST'));
  expect(named(({ body }) => body?.isOptional === true)).toEqual(['commit', 'createConsumer']);
  expect(named(({ body }) => body?.holdsRecords === true)).toEqual(['send', 'sendToPartition']);
});

test('routes of traces do not contain names', () => {
  expect(routeTemplateOf('getTopic')).toBe('/topics/{topic}');
  expect(routeTemplateOf('unknown')).toBeUndefined();
});

test('an entry is found by its name', () => {
  for (const entry of OPERATIONS) expect(entryOf(entry.operation)).toBe(entry);
  expect(() => entryOf('toString' as 'info')).toThrow('no operation toString');
});

test('internal operations have the paths that other versions use', () => {
  expect(INTERNAL_OPERATIONS).toEqual([
    {
      internal: 'confirmDelivery',
      method: 'POST',
      path: '/consumers/{group}/instances/{instance}/causeway-delivered',
    },
    { internal: 'listSessions', method: 'GET', path: '/causeway-sessions' },
    { internal: 'clusterStatus', method: 'GET', path: '/causeway-clusters' },
    { internal: 'promoteCluster', method: 'POST', path: '/causeway-clusters/promote' },
    { internal: 'rejoinCluster', method: 'POST', path: '/causeway-clusters/rejoin' },
    { internal: 'prepareReplication', method: 'POST', path: '/causeway-clusters/prepare' },
    { internal: 'endReplication', method: 'POST', path: '/causeway-clusters/replication-ended' },
    { internal: 'readTail', method: 'POST', path: '/causeway-clusters/tail' },
  ]);
});
