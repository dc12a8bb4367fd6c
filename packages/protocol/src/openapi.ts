/** The OpenAPI document, made from the table of operations and from the schemas that bodies are checked with. */
import { Type } from 'typebox';
import {
  ConsumerOptions,
  ConsumerRecordList,
  CreatedConsumer,
  OffsetCommitSeekList,
  Partitions,
  SubscribedTopicList,
  Topics,
} from './consumers.ts';
import { KAFKA_V2, RECORDS } from './content-types.ts';
import { ErrorBody } from './errors.ts';
import { NewTopic } from './new-topic.ts';
import { OPERATIONS, type Operation } from './paths.ts';
import {
  OffsetRecordSentList,
  OffsetsSummary,
  PartitionMetadata,
  ProducerRecordList,
  ProducerRecordToPartitionList,
  TopicMetadata,
} from './topics.ts';

type NamedOperation = Exclude<Operation, 'unknown'>;

/** A body of a request or an answer. */
interface Content {
  schema: object;
  types: readonly string[];
}

interface Description {
  summary: string;
  tags: readonly string[];
  query?: Readonly<Record<string, object>>;
  body?: Content & { isOptional?: boolean };
  /** Status of a success. */
  status: number;
  answer?: Content;
  /** Statuses of errors; 413 and 415 come with a body, 403 is Kafka's, and 503 also says that the bridge has too much in hand. */
  errors?: readonly number[];
}

const OF_BODIES = [413, 415];
/** A URL with an invalid percent-encoding, at any operation. */
const BAD_URL = 400;

const RECORD_TYPES = Object.values(RECORDS);
const JSON_TYPE = 'application/json';

const v2 = (schema: object): Content => ({ schema, types: [KAFKA_V2] });
const plain = (schema: object): Content => ({ schema, types: [JSON_TYPE] });
const consumerBody = (schema: object): Content => ({ schema, types: [KAFKA_V2, JSON_TYPE] });
const recordsBody = (schema: object): Content => ({ schema, types: [...RECORD_TYPES, JSON_TYPE] });

const CONSUMER = { tags: ['Consumers'], errors: [404, 422, 500, 503] } as const;
const SEEK = { tags: ['Seek', 'Consumers'], status: 204, errors: [400, 403, 404, 409, 422, 500, 503] } as const;
const TOPIC = { tags: ['Topics'], status: 200, errors: [403, 404, 500, 503] } as const;
const PARTITION = { tags: ['Topics'], status: 200, errors: [400, 403, 404, 422, 500, 503] } as const;
const PRODUCE = {
  tags: ['Topics', 'Producer'],
  query: {
    async: Type.Boolean({ description: 'Whether to answer 204 without waiting until Kafka has stored the records.' }),
  },
  status: 200,
  answer: v2(OffsetRecordSentList),
  /** 403 and 404: with `async`, for what cannot be stored; otherwise the record's entry says so. */
  errors: [400, 403, 404, 422, 503],
} as const;
const POLL_QUERY = {
  timeout: Type.Integer({
    description:
      'How long to wait for records, in milliseconds; at most consumers.maxPollTimeoutMs of the bridge. Default: 100.',
  }),
  max_bytes: Type.Integer({ description: 'Largest answer, in bytes.', maximum: 2_147_483_647 }),
  on_error: { type: 'string', enum: ['fail', 'report'], description: 'What becomes of a record that cannot be shown.' },
};

const DESCRIPTIONS: Readonly<Record<NamedOperation, Description>> = {
  info: { summary: 'The version.', tags: [], status: 200, answer: plain(bridgeInfo()), errors: [503] },
  healthy: { summary: 'Whether the process lives.', tags: [], status: 200 },
  ready: { summary: 'Whether Kafka answers.', tags: [], status: 200, errors: [503] },
  metrics: {
    summary: 'Metrics in the text format of Prometheus.',
    tags: [],
    status: 200,
    answer: { schema: Type.String(), types: ['text/plain'] },
    errors: [404],
  },
  openapi: { summary: 'This document.', tags: [], status: 200, answer: plain(Type.Object({})), errors: [503] },
  openapiv3: { summary: 'This document.', tags: [], status: 200, answer: plain(Type.Object({})), errors: [503] },
  createTopic: {
    summary: 'Creates a topic.',
    tags: ['Topics'],
    body: { schema: NewTopic, types: [RECORDS.json, KAFKA_V2, JSON_TYPE] },
    status: 201,
    answer: v2(Type.Object({})),
    errors: [400, 403, 500, 503],
  },
  listTopics: { ...TOPIC, summary: 'Names of all topics.', answer: v2(Type.Array(Type.String())), errors: [500, 503] },
  getTopic: { ...TOPIC, summary: 'A topic with its settings and partitions.', answer: v2(TopicMetadata) },
  send: { ...PRODUCE, summary: 'Stores records in a topic.', body: recordsBody(ProducerRecordList) },
  listPartitions: { ...TOPIC, summary: 'Partitions of a topic.', answer: v2(Type.Array(PartitionMetadata)) },
  getPartition: { ...PARTITION, summary: 'One partition.', answer: v2(PartitionMetadata) },
  sendToPartition: {
    ...PRODUCE,
    summary: 'Stores records in one partition.',
    body: recordsBody(ProducerRecordToPartitionList),
  },
  getOffsets: { ...PARTITION, summary: 'Where a partition begins and ends.', answer: v2(OffsetsSummary) },
  createConsumer: {
    summary: 'Creates a consumer in a group.',
    tags: ['Consumers'],
    body: { ...consumerBody(ConsumerOptions), isOptional: true },
    status: 200,
    answer: v2(CreatedConsumer),
    errors: [400, 409, 422, 500, 503],
  },
  deleteConsumer: { ...CONSUMER, summary: 'Deletes a consumer.', status: 204 },
  subscribe: {
    ...CONSUMER,
    summary: 'Subscribes to topics, or to those that match a pattern.',
    body: consumerBody(Topics),
    status: 204,
    errors: [400, 403, 404, 409, 422, 500, 503],
  },
  unsubscribe: {
    ...CONSUMER,
    summary: 'Ends subscription and assignment.',
    status: 204,
    errors: [404, 409, 422, 500, 503],
  },
  listSubscriptions: {
    ...CONSUMER,
    summary: 'Topics and partitions that the consumer reads now.',
    status: 200,
    answer: v2(SubscribedTopicList),
  },
  assign: {
    ...CONSUMER,
    summary: "Reads partitions of the client's choice.",
    body: consumerBody(Partitions),
    status: 204,
    errors: [400, 403, 404, 409, 422, 500, 503],
  },
  poll: {
    ...CONSUMER,
    summary: 'Records, as soon as there are any.',
    query: POLL_QUERY,
    status: 200,
    answer: { schema: ConsumerRecordList, types: RECORD_TYPES },
    errors: [400, 403, 404, 406, 409, 422, 500, 503],
  },
  commit: {
    ...CONSUMER,
    summary: 'Commits offsets; without a body, the positions of all partitions.',
    body: { ...consumerBody(OffsetCommitSeekList), isOptional: true },
    status: 204,
    errors: [400, 403, 404, 409, 422, 500, 503],
  },
  listCommitted: {
    ...CONSUMER,
    summary: "What the group has committed for the consumer's partitions.",
    status: 200,
    errors: [403, 404, 422, 500, 503],
    answer: v2(OffsetCommitSeekList),
  },
  listAssignments: {
    ...CONSUMER,
    summary: 'Partitions that the consumer reads now.',
    status: 200,
    answer: v2(Partitions),
  },
  listPositions: {
    ...CONSUMER,
    summary: 'The next offset to read of each partition.',
    status: 200,
    errors: [403, 404, 422, 500, 503],
    answer: v2(OffsetCommitSeekList),
  },
  seek: { ...SEEK, summary: 'Moves positions.', body: consumerBody(OffsetCommitSeekList) },
  seekToBeginning: { ...SEEK, summary: 'Moves positions to the beginning.', body: consumerBody(Partitions) },
  seekToEnd: { ...SEEK, summary: 'Moves positions to the end.', body: consumerBody(Partitions) },
};

function bridgeInfo(): object {
  return Type.Object({ bridge_version: Type.String() }, { $id: 'BridgeInfo', title: 'BridgeInfo' });
}

/** Names of parameters in paths, as the original's document has them. */
const PATH_PARAMETERS: Readonly<Record<string, { name: string; schema: object }>> = {
  group: { name: 'groupid', schema: { type: 'string' } },
  instance: { name: 'name', schema: { type: 'string' } },
  topic: { name: 'topicname', schema: { type: 'string' } },
  partition: { name: 'partitionid', schema: { type: 'integer', minimum: 0 } },
};

/** An OpenAPI 3.1 document of every operation. */
export function openApiDocument(version: string): Record<string, unknown> {
  const components: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { operation, method, path } of OPERATIONS) {
    const template = path.replace(/:(\w+)/g, (_found, name: string) => `{${PATH_PARAMETERS[name]?.name}}`);
    paths[template] = { ...paths[template], [method.toLowerCase()]: operationObject(operation, path, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Kafka REST API', description: 'HTTP over Apache Kafka.', version },
    paths,
    components: { schemas: components },
    tags: ['Consumers', 'Topics', 'Seek', 'Producer'].map((name) => ({ name })),
  };
}

function operationObject(operation: NamedOperation, path: string, components: Record<string, unknown>): object {
  const { summary, tags, query = {}, body, status, answer, errors = [] } = DESCRIPTIONS[operation];
  const content = ({ schema, types }: Content): object =>
    Object.fromEntries(types.map((type) => [type, { schema: referring(schema, components) }]));
  const responses: Record<string, object> = {
    [status]: { description: 'Success.', ...(answer === undefined ? {} : { content: content(answer) }) },
  };
  if ('async' in query) responses['204'] = { description: 'Taken over, with async=true.' };
  const statuses = new Set([BAD_URL, ...errors, ...(body === undefined ? [] : OF_BODIES)]);
  for (const error of statuses) responses[error] = { description: 'Error.', content: content(v2(ErrorBody)) };
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    in: 'path',
    required: true,
    ...PATH_PARAMETERS[name],
  }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
  return {
    operationId: operation,
    summary,
    tags,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined ? {} : { requestBody: { required: body.isOptional !== true, content: content(body) } }),
    responses,
  };
}

/** The schema with every named one inside replaced by a reference to `components`. */
function referring(schema: unknown, components: Record<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => referring(item, components));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id, ...rest } = schema as Record<string, unknown>;
  const plainSchema = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, referring(value, components)]),
  );
  if (typeof $id !== 'string') return plainSchema;
  components[$id] = plainSchema;
  return { $ref: `#/components/schemas/${$id}` };
}
