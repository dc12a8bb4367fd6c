/** Bodies of the topic operations. Violations are reported in the order of the properties. */
import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';

/** A key as the API embeds it. Numbers, booleans and null are rejected. */
export const RecordKey = Type.Unsafe<string | object>({
  $id: 'RecordKey',
  title: 'RecordKey',
  oneOf: [{ type: 'array', items: {} }, { type: 'object' }, { type: 'string' }],
});

/** A value as the API embeds it. Null is a tombstone. */
export const RecordValue = Type.Unsafe<string | object | null>({
  $id: 'RecordValue',
  title: 'RecordValue',
  oneOf: [{ type: 'array', items: {} }, { type: 'object' }, { type: 'string' }, { type: 'null' }],
});

export const KafkaHeader = Type.Object(
  {
    key: Type.String(),
    value: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      format: 'byte',
      description: 'base64, with or without padding; null for a header without a value.',
    }),
  },
  { $id: 'KafkaHeader', title: 'KafkaHeader' },
);
export type KafkaHeader = Static<typeof KafkaHeader>;

export const KafkaHeaderList = Type.Array(KafkaHeader, { $id: 'KafkaHeaderList', title: 'KafkaHeaderList' });

export const ProducerRecord = Type.Object(
  {
    partition: Type.Optional(Type.Integer({ format: 'int32' })),
    timestamp: Type.Optional(Type.Integer({ format: 'int64', description: 'Milliseconds since 1970.' })),
    value: RecordValue,
    key: Type.Optional(RecordKey),
    headers: Type.Optional(KafkaHeaderList),
  },
  { $id: 'ProducerRecord', title: 'ProducerRecord', additionalProperties: false },
);
export type ProducerRecord = Static<typeof ProducerRecord>;

/** Body of `send`. */
export const ProducerRecordList = Type.Object(
  { records: Type.Optional(Type.Array(ProducerRecord)) },
  { $id: 'ProducerRecordList', title: 'ProducerRecordList', additionalProperties: false },
);
export type ProducerRecordList = Static<typeof ProducerRecordList>;

/** A record for `/topics/{topic}/partitions/{partition}`, where partition and timestamp are unknown fields. */
export const ProducerRecordToPartition = Type.Object(
  {
    value: RecordValue,
    key: Type.Optional(RecordKey),
    headers: Type.Optional(KafkaHeaderList),
  },
  { $id: 'ProducerRecordToPartition', title: 'ProducerRecordToPartition', additionalProperties: false },
);

/** Body of `sendToPartition`. */
export const ProducerRecordToPartitionList = Type.Object(
  { records: Type.Optional(Type.Array(ProducerRecordToPartition)) },
  { $id: 'ProducerRecordToPartitionList', title: 'ProducerRecordToPartitionList', additionalProperties: false },
);

const Replica = Type.Object(
  { broker: Type.Integer(), leader: Type.Boolean(), in_sync: Type.Boolean() },
  { $id: 'Replica', title: 'Replica' },
);

export const PartitionMetadata = Type.Object(
  { partition: Type.Integer(), leader: Type.Integer(), replicas: Type.Array(Replica) },
  { $id: 'PartitionMetadata', title: 'PartitionMetadata' },
);
export type PartitionMetadata = Static<typeof PartitionMetadata>;

/** Response of `getTopic`. */
export const TopicMetadata = Type.Object(
  {
    name: Type.String(),
    configs: Type.Record(Type.String(), Type.String(), { description: 'All settings in effect for the topic.' }),
    partitions: Type.Array(PartitionMetadata),
  },
  { $id: 'TopicMetadata', title: 'TopicMetadata', additionalProperties: false },
);
export type TopicMetadata = Static<typeof TopicMetadata>;

/** Response of `getOffsets`; the end is the offset of the next record. */
export const OffsetsSummary = Type.Object(
  {
    beginning_offset: Type.Integer({ format: 'int64' }),
    end_offset: Type.Integer({ format: 'int64' }),
  },
  { $id: 'OffsetsSummary', title: 'OffsetsSummary' },
);

/** Response of `send` and `sendToPartition`: one entry for each record, in the order of the request. */
export const OffsetRecordSentList = Type.Object(
  {
    offsets: Type.Array(
      Type.Union([
        Type.Object(
          { partition: Type.Integer({ format: 'int32' }), offset: Type.Integer({ format: 'int64' }) },
          { $id: 'OffsetRecordSent', title: 'OffsetRecordSent' },
        ),
        ErrorBody,
      ]),
    ),
  },
  { $id: 'OffsetRecordSentList', title: 'OffsetRecordSentList' },
);
