/** Operations on topics: metadata, creation, and storing records. */
import { Type } from 'typebox';
import { KAFKA_V2, RECORDS } from '../content-types.ts';
import { IDEMPOTENCY_KEY_HEADER, MAX_KEY_LENGTH, REPLAYED_HEADER } from '../idempotency.ts';
import { NewTopic } from '../new-topic.ts';
import {
  OffsetRecordSentList,
  OffsetsSummary,
  PartitionMetadata,
  ProducerRecordList,
  ProducerRecordToPartitionList,
  TopicMetadata,
} from '../topics.ts';
import { JSON_TYPE, recordsBody, v2 } from './content.ts';
import { defineOperations } from './operation.ts';

const TOPIC = {
  method: 'GET',
  kind: 'topics',
  retry: 'read',
  right: 'describe',
  tags: ['Topics'],
  status: 200,
  errors: [403, 404, 500, 503],
} as const;
const PARTITION = { ...TOPIC, errors: [400, 403, 404, 422, 500, 503] } as const;
const PRODUCE = {
  method: 'POST',
  kind: 'produce',
  retry: 'stores',
  right: 'produce',
  tags: ['Topics', 'Producer'],
  query: {
    async: Type.Boolean({
      description: 'Whether to respond 204 before Kafka has stored the records; with an Idempotency-Key, after.',
    }),
    acks: Type.String({
      description:
        'replicated: respond when the other Kafka cluster has the records, too. A record that it does not have in time has an error in its entry, 504, and is stored in one cluster alone. 400 where there is no other cluster, and with async.',
      enum: ['replicated'],
    }),
  },
  headers: {
    [IDEMPOTENCY_KEY_HEADER]: Type.String({
      description: `Stores the records once, however often the request is repeated with the same key, and gives every repetition the same response. 1 to ${MAX_KEY_LENGTH} visible ASCII characters, with or without double quotes.`,
      minLength: 1,
      // Quotes, and a backslash before each quote and backslash inside.
      maxLength: 2 * MAX_KEY_LENGTH + 2,
    }),
  },
  status: 200,
  response: v2(OffsetRecordSentList),
  responseHeaders: {
    [REPLAYED_HEADER]: Type.String({
      description: 'The response to an earlier request with the same Idempotency-Key. Nothing was stored now.',
      enum: ['true'],
    }),
  },
  // 403 and 404 are for `async`; without it, the record's entry in the response has the error. 409, 421 and 501 are for keys.
  // 504 is for several Kafka clusters.
  errors: [400, 403, 404, 409, 421, 422, 501, 503, 504],
  meanings: {
    400: 'The URL, the body or the Idempotency-Key is invalid. Nothing was stored.',
    409: 'The first request with this Idempotency-Key is still under way. Repeat it later.',
    421: 'Without a gateway: the bridge in causeway-owner serves this Idempotency-Key. Nothing was stored.',
    422: 'The records cannot be stored, or the Idempotency-Key was used for another request. Nothing was stored.',
    501: 'The bridge does not serve requests with an Idempotency-Key. Nothing was stored.',
    503: 'The request cannot be served now. Without an Idempotency-Key nothing was stored; with one, repeat it with the same key.',
    504: 'Another Kafka cluster became active meanwhile, or the time is over: whether the records are stored is not known.',
  },
} as const;

export const TOPIC_OPERATIONS = defineOperations([
  {
    operation: 'createTopic',
    method: 'POST',
    path: '/admin/topics',
    kind: 'topics',
    retry: 'stores',
    right: 'createTopics',
    body: { schema: NewTopic, types: [RECORDS.json, KAFKA_V2, JSON_TYPE] },
    summary: 'Creates a topic.',
    tags: ['Topics'],
    status: 201,
    response: v2(Type.Object({})),
    errors: [400, 403, 500, 503],
  },
  {
    ...TOPIC,
    operation: 'listTopics',
    path: '/topics',
    summary: 'Names of all topics.',
    response: v2(Type.Array(Type.String())),
    errors: [403, 500, 503],
  },
  {
    ...TOPIC,
    operation: 'getTopic',
    path: '/topics/{topic}',
    summary: 'A topic with its settings and partitions.',
    response: v2(TopicMetadata),
  },
  {
    ...PRODUCE,
    operation: 'send',
    path: '/topics/{topic}',
    summary: 'Stores records in a topic.',
    body: recordsBody(ProducerRecordList),
  },
  {
    ...TOPIC,
    operation: 'listPartitions',
    path: '/topics/{topic}/partitions',
    summary: 'Partitions of a topic.',
    response: v2(Type.Array(PartitionMetadata)),
  },
  {
    ...PARTITION,
    operation: 'getPartition',
    path: '/topics/{topic}/partitions/{partition}',
    summary: 'One partition.',
    response: v2(PartitionMetadata),
  },
  {
    ...PRODUCE,
    operation: 'sendToPartition',
    path: '/topics/{topic}/partitions/{partition}',
    summary: 'Stores records in one partition.',
    body: recordsBody(ProducerRecordToPartitionList),
  },
  {
    ...PARTITION,
    operation: 'getOffsets',
    path: '/topics/{topic}/partitions/{partition}/offsets',
    summary: 'The first and the next offset of a partition.',
    response: v2(OffsetsSummary),
  },
]);
