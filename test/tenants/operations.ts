/** A request for each operation of the API: what it names, and where. */
import { KAFKA_V2, RECORDS } from '@causeway/protocol/content-types.ts';
import type { OperationEntry } from '@causeway/protocol/operations/operation.ts';
import { entryOf, type NamedOperation } from '@causeway/protocol/operations/table.ts';

export interface Row {
  /** The body that names these topics. Default: none, or one that names no topic. */
  body?: (topics: readonly string[]) => object;
  /** Whether the body names topics: one, or several. Default: no topic. */
  bodyTopics?: 'one' | 'several';
  /** The topic must not exist. Default: it must. */
  isNewTopic?: boolean;
  /** Of a success through a gateway. Default: as in the table of operations. */
  status?: number;
  query?: string;
}

const partitions = (topics: readonly string[]): object => ({
  partitions: topics.map((topic) => ({ topic, partition: 0 })),
});
const offsets = (topics: readonly string[]): object => ({
  offsets: topics.map((topic) => ({ topic, partition: 0, offset: 0 })),
});
const records = (): object => ({ records: [{ value: 'by the matrix' }] });

/** In an order in which a consumer serves them all. */
export const ROWS: Readonly<Record<NamedOperation, Row>> = {
  info: {},
  healthy: {},
  ready: {},
  // Gateways serve metrics on their admin port.
  metrics: { status: 404 },
  openapi: {},
  openapiv3: {},
  createTopic: {
    body: ([topic]) => ({ topic_name: topic, partitions_count: 1, replication_factor: 1 }),
    bodyTopics: 'one',
    isNewTopic: true,
  },
  listTopics: {},
  getTopic: {},
  send: { body: records },
  listPartitions: {},
  getPartition: {},
  sendToPartition: { body: records },
  getOffsets: {},
  createConsumer: { body: () => ({ name: 'made-by-the-matrix', format: 'json' }) },
  assign: { body: partitions, bodyTopics: 'several' },
  seek: { body: offsets, bodyTopics: 'several' },
  seekToBeginning: { body: partitions, bodyTopics: 'several' },
  seekToEnd: { body: partitions, bodyTopics: 'several' },
  listPositions: {},
  listAssignments: {},
  commit: { body: offsets, bodyTopics: 'several' },
  listCommitted: {},
  poll: { query: '?timeout=0' },
  unsubscribe: {},
  subscribe: { body: (topics) => ({ topics }), bodyTopics: 'several' },
  listSubscriptions: {},
  deleteConsumer: {},
};

export const OPERATION_NAMES = Object.keys(ROWS) as NamedOperation[];

/** What a request names. */
export interface Named {
  topics: readonly string[];
  group: string;
  consumer: string;
}

export interface MatrixRequest {
  method: OperationEntry['method'];
  path: string;
  type?: string | undefined;
  body?: string | undefined;
}

export function requestOf(operation: NamedOperation, { topics, group, consumer }: Named): MatrixRequest {
  const { method, path, kind } = entryOf(operation);
  const { body, query = '' } = ROWS[operation];
  const filled = path
    .replace('{topic}', encodeURIComponent(topics[0] ?? ''))
    .replace('{partition}', '0')
    .replace('{group}', encodeURIComponent(group))
    .replace('{instance}', encodeURIComponent(consumer));
  return {
    method,
    path: `${filled}${query}`,
    type: body && (kind === 'produce' ? RECORDS.json : KAFKA_V2),
    body: body && JSON.stringify(body(topics)),
  };
}

/** For operations that name nothing. */
export const NOTHING: Named = { topics: [], group: '', consumer: '' };
