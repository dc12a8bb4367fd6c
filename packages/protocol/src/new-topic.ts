/** Bodies of the admin operations. Violations are reported in the order of the properties. */
import { type Static, Type } from 'typebox';

/** An integer or null, as one schema with two types. */
const NullableInteger = (description: string) => Type.Unsafe<number | null>({ type: ['integer', 'null'], description });

/** Body of `createTopic`. */
export const NewTopic = Type.Object(
  {
    topic_name: Type.String({ description: 'Name of the topic to create.' }),
    partitions_count: Type.Optional(
      NullableInteger("Number of partitions. Default, also for null and -1: the broker's."),
    ),
    replication_factor: Type.Optional(
      NullableInteger("Number of replicas of each partition. Default, also for null and -1: the broker's."),
    ),
  },
  { $id: 'NewTopic', title: 'NewTopic', additionalProperties: false },
);
export type NewTopic = Static<typeof NewTopic>;
