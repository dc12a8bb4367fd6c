/** Bodies of the consumer operations; the order of properties is the order in which violations are reported. */
import { type Static, Type } from 'typebox';
import { FORMATS } from './content-types.ts';

/** `json, binary or text` */
const FORMAT_LIST = new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(FORMATS);

/** Body of `createConsumer`. Values are checked by the bridge: a wrong value is 422, a wrong type 400. */
export const ConsumerOptions = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Name of the instance, unique in its group. Default: generated.' })),
    format: Type.Optional(Type.String({ description: `${FORMAT_LIST}. Default: binary.` })),
    'auto.offset.reset': Type.Optional(
      Type.String({ description: 'earliest, latest, none or by_duration:PnDTnHnMn.nS. Default: latest.' }),
    ),
    'fetch.min.bytes': Type.Optional(Type.Integer({ description: 'Bytes a fetch waits for. Default: 1.' })),
    'consumer.request.timeout.ms': Type.Optional(
      Type.Integer({ description: 'How long the requests of this consumer to Kafka may take. Default: 30000.' }),
    ),
    'enable.auto.commit': Type.Optional(
      Type.Boolean({ description: 'Whether a poll commits what the poll before it delivered. Default: true.' }),
    ),
    'isolation.level': Type.Optional(
      Type.String({ description: 'read_uncommitted or read_committed. Default: read_uncommitted.' }),
    ),
  },
  { $id: 'Consumer', title: 'Consumer', additionalProperties: false },
);
export type ConsumerOptions = Static<typeof ConsumerOptions>;

/** Answer of `createConsumer`. */
export const CreatedConsumer = Type.Object(
  {
    instance_id: Type.String({ description: 'Name of the instance.' }),
    base_uri: Type.String({ description: 'Where requests for this instance go.' }),
  },
  { $id: 'CreatedConsumer', title: 'CreatedConsumer' },
);
export type CreatedConsumer = Static<typeof CreatedConsumer>;

/** Body of `subscribe`. */
export const Topics = Type.Object(
  {
    topics: Type.Optional(Type.Array(Type.String())),
    topic_pattern: Type.Optional(
      Type.String({ description: 'A regular expression that must match the whole topic name.' }),
    ),
  },
  { $id: 'Topics', title: 'Topics', additionalProperties: false },
);
export type Topics = Static<typeof Topics>;

/** One entry of the bodies of `commit` and `seek`. */
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

/** One entry of the bodies of `assign`, `seekToBeginning` and `seekToEnd`. */
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
  description: 'The numbers of the partitions of one topic, under its name.',
});

/** Answer of `listSubscriptions`: of what the consumer reads now. */
export const SubscribedTopicList = Type.Object(
  { topics: Type.Array(Type.String()), partitions: Type.Array(AssignedTopicPartitions) },
  { $id: 'SubscribedTopicList', title: 'SubscribedTopicList' },
);
export type SubscribedTopicList = Static<typeof SubscribedTopicList>;

/** A key or value as the consumer's format shows it. */
const Embedded = Type.Unknown({ description: "JSON, base64 or text, by the consumer's format; null for none." });

/** One entry of the answer of `poll`. */
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
    error_code: Type.Optional(Type.Integer({ description: 'With on_error=report: why there is no key and value.' })),
    message: Type.Optional(Type.String()),
  },
  { $id: 'ConsumerRecord', title: 'ConsumerRecord' },
);

/** Answer of `poll`. */
export const ConsumerRecordList = Type.Array(ConsumerRecord, {
  $id: 'ConsumerRecordList',
  title: 'ConsumerRecordList',
});
