/** Bodies of the consumer operations. Violations are reported in the order of the properties. */
import { type Static, Type } from 'typebox';
import { FORMATS } from './content-types.ts';

/** `json, binary or text` */
const FORMAT_LIST = new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(FORMATS);

/** What a consumer reads of transactions: all records as they are written, or those of committed ones alone. */
export const ISOLATION_LEVELS = ['read_uncommitted', 'read_committed'] as const;
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** Body of `createConsumer`. A wrong type is 400; the bridge checks the values, and a wrong value is 422. */
export const ConsumerOptions = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Name of the instance, unique in its group. Default: generated.' })),
    format: Type.Optional(Type.String({ description: `${FORMAT_LIST}. Default: binary.` })),
    'auto.offset.reset': Type.Optional(
      Type.String({ description: 'earliest, latest, none or by_duration:PnDTnHnMn.nS. Default: latest.' }),
    ),
    'fetch.min.bytes': Type.Optional(
      Type.Integer({ description: 'The fewest bytes that a fetch waits for. Default: 1.' }),
    ),
    'consumer.request.timeout.ms': Type.Optional(
      Type.Integer({ description: 'Timeout of requests to Kafka for this consumer. Default: 30000.' }),
    ),
    'enable.auto.commit': Type.Optional(
      Type.Boolean({ description: 'Whether a poll commits the records of the poll before it. Default: true.' }),
    ),
    'isolation.level': Type.Optional(
      Type.String({
        description:
          'read_uncommitted or read_committed. Default: read_uncommitted, unless the bridge has another one.',
      }),
    ),
  },
  { $id: 'Consumer', title: 'Consumer', additionalProperties: false },
);
export type ConsumerOptions = Static<typeof ConsumerOptions>;

/** Response of `createConsumer`. */
export const CreatedConsumer = Type.Object(
  {
    instance_id: Type.String({ description: 'Name of the instance.' }),
    base_uri: Type.String({ description: 'The URL for requests to this instance.' }),
  },
  { $id: 'CreatedConsumer', title: 'CreatedConsumer' },
);
export type CreatedConsumer = Static<typeof CreatedConsumer>;

/** Body of `subscribe`. */
export const Topics = Type.Object(
  {
    topics: Type.Optional(Type.Array(Type.String())),
    topic_pattern: Type.Optional(
      Type.String({ description: 'A regular expression that matches the whole name of a topic.' }),
    ),
  },
  { $id: 'Topics', title: 'Topics', additionalProperties: false },
);
export type Topics = Static<typeof Topics>;

/** An entry in the bodies of `commit` and `seek`. */
export const OffsetCommitSeek = Type.Object(
  {
    partition: Type.Integer({ format: 'int32' }),
    offset: Type.Integer({ format: 'int64', description: 'The next offset to read.' }),
    topic: Type.String(),
  },
  { $id: 'OffsetCommitSeek', title: 'OffsetCommitSeek', additionalProperties: false },
);

/** Body of `commit` and `seek`. */
export const OffsetCommitSeekList = Type.Object(
  { offsets: Type.Optional(Type.Array(OffsetCommitSeek)) },
  { $id: 'OffsetCommitSeekList', title: 'OffsetCommitSeekList', additionalProperties: false },
);
export type OffsetCommitSeekList = Static<typeof OffsetCommitSeekList>;

/** An entry in the bodies of `assign`, `seekToBeginning` and `seekToEnd`. */
export const Partition = Type.Object(
  {
    partition: Type.Optional(Type.Integer({ format: 'int32' })),
    topic: Type.Optional(Type.String()),
  },
  { $id: 'Partition', title: 'Partition', additionalProperties: false },
);

/** Body of `assign`, `seekToBeginning` and `seekToEnd`. */
export const Partitions = Type.Object(
  { partitions: Type.Optional(Type.Array(Partition)) },
  { $id: 'Partitions', title: 'Partitions', additionalProperties: false },
);
export type Partitions = Static<typeof Partitions>;

const AssignedTopicPartitions = Type.Record(Type.String(), Type.Array(Type.Integer({ format: 'int32' })), {
  $id: 'AssignedTopicPartitions',
  title: 'AssignedTopicPartitions',
  description: 'The partitions of one topic, under its name.',
});

/** Response of `listSubscriptions`: the topics and partitions that the consumer reads now. */
export const SubscribedTopicList = Type.Object(
  { topics: Type.Array(Type.String()), partitions: Type.Array(AssignedTopicPartitions) },
  { $id: 'SubscribedTopicList', title: 'SubscribedTopicList' },
);
export type SubscribedTopicList = Static<typeof SubscribedTopicList>;

/** A key or value in the consumer's format. */
const Embedded = Type.Unknown({
  description: "JSON, base64 or text, depending on the consumer's format; null if absent.",
});

/** An entry in the response of `poll`. */
export const ConsumerRecord = Type.Object(
  {
    topic: Type.String(),
    key: Type.Optional(Embedded),
    value: Type.Optional(Embedded),
    partition: Type.Integer({ format: 'int32' }),
    offset: Type.Integer({ format: 'int64' }),
    timestamp: Type.Optional(Type.Integer({ format: 'int64', description: 'Milliseconds since 1970.' })),
    headers: Type.Optional(
      Type.Array(
        Type.Object({
          key: Type.String(),
          value: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'base64' }),
        }),
      ),
    ),
    error_code: Type.Optional(
      Type.Integer({ description: 'With on_error=report: why the entry has no key and value.' }),
    ),
    message: Type.Optional(Type.String()),
  },
  { $id: 'ConsumerRecord', title: 'ConsumerRecord' },
);

/** Response of `poll`. */
export const ConsumerRecordList = Type.Array(ConsumerRecord, {
  $id: 'ConsumerRecordList',
  title: 'ConsumerRecordList',
});
