import { describe, expect, test } from 'vitest';
import { openApiDocument } from './openapi.ts';
import { OPERATIONS, rightOf } from './operations/table.ts';

interface OperationObject {
  operationId: string;
  tags: string[];
  parameters: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: { required: boolean; content: Record<string, object> };
  responses: Record<string, object>;
}

const V = 'application/vnd.kafka.v2+json';
const J = 'application/vnd.kafka.json.v2+json';
const RECORDS = [J, 'application/vnd.kafka.binary.v2+json', 'application/vnd.kafka.text.v2+json'];
const INSTANCE = '/consumers/{groupid}/instances/{name}';
const PARTITION = '/topics/{topicname}/partitions/{partitionid}';

interface Fact {
  path: string;
  statuses: number[];
  query?: string[];
  types?: string[];
}

/** From the document of the Strimzi Kafka Bridge 1.0.0. */
const ORIGINAL: Readonly<Record<string, Fact>> = {
  createConsumer: { path: 'POST /consumers/{groupid}', statuses: [200, 409, 422], types: [V] },
  deleteConsumer: { path: `DELETE ${INSTANCE}`, statuses: [204, 404] },
  listSubscriptions: { path: `GET ${INSTANCE}/subscription`, statuses: [200, 404] },
  subscribe: { path: `POST ${INSTANCE}/subscription`, statuses: [204, 404, 409, 422], types: [V] },
  unsubscribe: { path: `DELETE ${INSTANCE}/subscription`, statuses: [204, 404] },
  assign: { path: `POST ${INSTANCE}/assignments`, statuses: [204, 404, 409], types: [V] },
  poll: { path: `GET ${INSTANCE}/records`, statuses: [200, 404, 406, 422], query: ['timeout', 'max_bytes'] },
  commit: { path: `POST ${INSTANCE}/offsets`, statuses: [204, 404], types: [V] },
  seek: { path: `POST ${INSTANCE}/positions`, statuses: [204, 404], types: [V] },
  seekToBeginning: { path: `POST ${INSTANCE}/positions/beginning`, statuses: [204, 404], types: [V] },
  seekToEnd: { path: `POST ${INSTANCE}/positions/end`, statuses: [204, 404], types: [V] },
  listTopics: { path: 'GET /topics', statuses: [200] },
  getTopic: { path: 'GET /topics/{topicname}', statuses: [200, 404] },
  send: { path: 'POST /topics/{topicname}', statuses: [200, 404, 422], query: ['async'], types: RECORDS },
  createTopic: { path: 'POST /admin/topics', statuses: [201], types: [J] },
  listPartitions: { path: 'GET /topics/{topicname}/partitions', statuses: [200, 404] },
  getPartition: { path: `GET ${PARTITION}`, statuses: [200, 404] },
  sendToPartition: { path: `POST ${PARTITION}`, statuses: [200, 404, 422], query: ['async'], types: RECORDS },
  getOffsets: { path: `GET ${PARTITION}/offsets`, statuses: [200, 404] },
  healthy: { path: 'GET /healthy', statuses: [200, 500] },
  ready: { path: 'GET /ready', statuses: [200, 500] },
  openapi: { path: 'GET /openapi', statuses: [200] },
  openapiv3: { path: 'GET /openapi/v3', statuses: [200] },
  metrics: { path: 'GET /metrics', statuses: [200, 404] },
  info: { path: 'GET /', statuses: [200] },
};

/** Operations that the peer API does not have. */
const ADDED = ['listAssignments', 'listCommitted', 'listPositions'];

/** The peer API documents these and never sends them: an unknown topic is an error of each record, and `/ready` is 503. */
const NEVER_ANSWERED: Readonly<Record<string, number[]>> = {
  send: [404],
  sendToPartition: [404],
  healthy: [500],
  ready: [500],
};

/** The peer API sends these, or closes the connection, and does not document them. 401: it knows no clients. 409: the consumer is busy. */
const UNDOCUMENTED = new Set(['204', '400', '401', '403', '409', '413', '415', '422', '500', '503']);
/** With `async`, the peer API responds 204 whatever the outcome for the records. */
const OWN_STATUSES: Readonly<Record<string, string[]>> = {
  send: ['404', '421', '501', '504'],
  sendToPartition: ['404', '421', '501', '504'],
  createConsumer: ['429'],
};

const OWN_QUERIES: Readonly<Record<string, string[]>> = {
  poll: ['on_error'],
  send: ['acks'],
  sendToPartition: ['acks'],
};
const OWN_TYPES: Readonly<Record<string, string[]>> = { createTopic: [V] };

const document = openApiDocument('1.2.3') as {
  paths: Record<string, Record<string, OperationObject>>;
  components: { schemas: Record<string, { properties?: object; required?: string[]; additionalProperties?: unknown }> };
};
const operations = new Map(
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => [operation.operationId, { path: `${method.toUpperCase()} ${path}`, operation }] as const,
    ),
  ),
);

test('the document is one of OpenAPI 3.1, and declares the tags that its operations have', () => {
  const { openapi, info, tags } = document as unknown as {
    openapi: string;
    info: { version: string };
    tags: { name: string }[];
  };
  expect({ openapi, version: info.version }).toEqual({ openapi: '3.1.0', version: '1.2.3' });
  const used = new Set([...operations.values()].flatMap(({ operation }) => operation.tags));
  expect(tags.map(({ name }) => name).sort()).toEqual([...used].sort());
  expect(operations.get('seek')?.operation.tags).toEqual(['Seek', 'Consumers']);
  expect(operations.get('send')?.operation.tags).toEqual(['Topics', 'Producer']);
});

test('parameters of a path are required, those of a query are not; a body is, except where the API does without', () => {
  for (const [name, { operation }] of operations) {
    for (const { in: place, required } of operation.parameters) expect(required).toBe(place === 'path');
    const isRequired = operation.requestBody?.required;
    const expected = operation.requestBody === undefined ? undefined : !['createConsumer', 'commit'].includes(name);
    expect({ name, isRequired }).toEqual({ name, isRequired: expected });
    // With a body come 413 and 415.
    expect('413' in operation.responses).toBe(operation.requestBody !== undefined);
    expect('415' in operation.responses).toBe(operation.requestBody !== undefined);
  }
  const parameters = [...operations.values()].flatMap(({ operation }) => operation.parameters);
  const schemas = new Map(parameters.map(({ name, schema }) => [name, schema]));
  expect(schemas.get('groupid')).toEqual({ type: 'string' });
  expect(schemas.get('name')).toEqual({ type: 'string' });
  expect(schemas.get('topicname')).toEqual({ type: 'string' });
  expect(schemas.get('partitionid')).toEqual({ type: 'integer', minimum: 0 });
});

test('the operations that store records document the Idempotency-Key, what its responses say and mean; others have no headers', () => {
  for (const [name, { operation }] of operations) {
    const { parameters, responses } = operation;
    const inHeader = parameters.filter(({ in: place }) => place === 'header').map(({ name: header }) => header);
    const withHeaders = Object.keys(responses).filter((status) => 'headers' in (responses[status] ?? {}));
    const stores = name === 'send' || name === 'sendToPartition';
    expect({ name, inHeader, withHeaders }).toEqual({
      name,
      inHeader: stores ? ['idempotency-key'] : [],
      withHeaders: stores ? ['200', '204'] : [],
    });
    if (!stores) continue;
    expect(responses['200']).toMatchObject({ headers: { 'idempotency-replayed': { required: false } } });
    for (const status of ['400', '409', '421', '422', '501', '503']) {
      expect(responses[status]).toMatchObject({ description: expect.stringContaining('Idempotency-Key') });
    }
  }
});

test('what Kafka or the rules of a gateway may refuse has a 403', () => {
  const refused = [...operations].filter(([, { operation }]) => '403' in operation.responses).map(([name]) => name);
  const withRight = OPERATIONS.flatMap(({ operation }) => (rightOf(operation) === undefined ? [] : [operation]));
  expect(refused.sort()).toEqual(withRight.sort());
});

test('the peer API’s operations are there under their names, and three more', () => {
  expect([...operations.keys()].sort()).toEqual([...Object.keys(ORIGINAL), ...ADDED].sort());
});

describe.each(Object.entries(ORIGINAL))('%s', (name, { path, statuses, query = [], types = [] }) => {
  const found = operations.get(name);
  const namesIn = (place: string) => found?.operation.parameters.filter((it) => it.in === place).map((it) => it.name);

  test('has its path and its parameters', () => {
    expect(found?.path).toBe(path);
    expect(namesIn('path')).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter));
    expect(namesIn('query')).toEqual([...query, ...(OWN_QUERIES[name] ?? [])]);
  });

  test('accepts the media types of the peer API, and plain JSON', () => {
    const plain = types.length === 0 ? [] : ['application/json'];
    const expected = [...types, ...(OWN_TYPES[name] ?? []), ...plain];
    expect(Object.keys(found?.operation.requestBody?.content ?? {}).sort()).toEqual(expected.sort());
  });

  test('has the statuses of the peer API', () => {
    const own = Object.keys(found?.operation.responses ?? {});
    const known = statuses.filter((status) => NEVER_ANSWERED[name]?.includes(status) !== true).map(String);
    expect(own).toEqual(expect.arrayContaining(known));
    const allowed = [...known, ...UNDOCUMENTED, ...(OWN_STATUSES[name] ?? [])];
    for (const status of own) expect(allowed).toContain(status);
  });
});

/** Properties of the peer API's components, and whether others are rejected. */
const COMPONENTS: readonly (readonly [name: string, properties: string[], isClosed: boolean])[] = [
  ['KafkaHeader', ['key', 'value'], false],
  ['ConsumerRecord', ['headers', 'key', 'offset', 'partition', 'timestamp', 'topic', 'value'], false],
  ['CreatedConsumer', ['base_uri', 'instance_id'], false],
  ['OffsetRecordSent', ['offset', 'partition'], false],
  ['OffsetRecordSentList', ['offsets'], false],
  ['OffsetsSummary', ['beginning_offset', 'end_offset'], false],
  ['Error', ['error_code', 'message', 'validation_errors'], false],
  [
    'Consumer',
    [
      ...['auto.offset.reset', 'consumer.request.timeout.ms', 'enable.auto.commit', 'fetch.min.bytes', 'format'],
      ...['isolation.level', 'name'],
    ],
    true,
  ],
  ['OffsetCommitSeek', ['offset', 'partition', 'topic'], true],
  ['OffsetCommitSeekList', ['offsets'], true],
  ['Partition', ['partition', 'topic'], true],
  ['Partitions', ['partitions'], true],
  ['ProducerRecord', ['headers', 'key', 'partition', 'timestamp', 'value'], true],
  ['ProducerRecordList', ['records'], true],
  ['ProducerRecordToPartition', ['headers', 'key', 'value'], true],
  ['ProducerRecordToPartitionList', ['records'], true],
  ['Topics', ['topic_pattern', 'topics'], true],
  ['SubscribedTopicList', ['partitions', 'topics'], false],
  ['TopicMetadata', ['configs', 'name', 'partitions'], true],
  ['BridgeInfo', ['bridge_version'], false],
  ['NewTopic', ['partitions_count', 'replication_factor', 'topic_name'], true],
];

/** With `on_error=report`, an entry may be an error. */
const OWN_PROPERTIES: Readonly<Record<string, string[]>> = { ConsumerRecord: ['error_code', 'message'] };

test.each(COMPONENTS)('the component %s has its properties', (name, properties, isClosed) => {
  const schema = document.components.schemas[name];
  const expected = [...properties, ...(OWN_PROPERTIES[name] ?? [])];
  expect(Object.keys(schema?.properties ?? {}).sort()).toEqual(expected.sort());
  expect(schema?.additionalProperties === false).toBe(isClosed);
});

test.each([
  ['NewTopic', ['topic_name']],
  ['ProducerRecord', ['value']],
  ['OffsetCommitSeek', ['partition', 'offset', 'topic']],
  ['KafkaHeader', ['key', 'value']],
])('%s requires the properties that the peer API requires', (name, required) => {
  expect(document.components.schemas[name]?.required).toEqual(required);
});
