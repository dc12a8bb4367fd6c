/** Operations on consumers: life, subscriptions, records and offsets. */
import { Type } from 'typebox';
import {
  ConsumerOptions,
  ConsumerRecordList,
  CreatedConsumer,
  OffsetCommitSeekList,
  Partitions,
  SubscribedTopicList,
  Topics,
} from '../consumers.ts';
import { consumerBody, optionalConsumerBody, RECORD_TYPES, v2 } from './content.ts';
import { defineOperations } from './operation.ts';

const INSTANCE = '/consumers/{group}/instances/{instance}';
const CONSUMER = {
  kind: 'consumer',
  retry: 'repeatable',
  right: 'consume',
  tags: ['Consumers'],
  // 403 for a consumer of another principal.
  errors: [403, 404, 422, 500, 503],
} as const;
const SEEK = {
  ...CONSUMER,
  method: 'POST',
  tags: ['Seek', 'Consumers'],
  status: 204,
  errors: [400, 403, 404, 409, 422, 500, 503],
} as const;

export const CONSUMER_OPERATIONS = defineOperations([
  {
    ...CONSUMER,
    operation: 'createConsumer',
    method: 'POST',
    path: '/consumers/{group}',
    body: optionalConsumerBody(ConsumerOptions),
    summary: 'Creates a consumer in a group.',
    status: 200,
    response: v2(CreatedConsumer),
    // 429 for more consumers than the principal may have.
    errors: [400, 403, 409, 422, 429, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'deleteConsumer',
    method: 'DELETE',
    path: INSTANCE,
    summary: 'Deletes a consumer.',
    status: 204,
  },
  {
    ...CONSUMER,
    operation: 'subscribe',
    method: 'POST',
    path: `${INSTANCE}/subscription`,
    body: consumerBody(Topics),
    summary: 'Subscribes to topics, or to those that match a pattern.',
    status: 204,
    errors: [400, 403, 404, 409, 422, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'unsubscribe',
    method: 'DELETE',
    path: `${INSTANCE}/subscription`,
    summary: 'Removes the subscription and the assignment.',
    status: 204,
    errors: [403, 404, 409, 422, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'listSubscriptions',
    method: 'GET',
    path: `${INSTANCE}/subscription`,
    summary: 'Topics and partitions that the consumer reads now.',
    status: 200,
    response: v2(SubscribedTopicList),
  },
  {
    ...CONSUMER,
    operation: 'assign',
    method: 'POST',
    path: `${INSTANCE}/assignments`,
    body: consumerBody(Partitions),
    summary: 'Assigns partitions to the consumer.',
    status: 204,
    errors: [400, 403, 404, 409, 422, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'poll',
    method: 'GET',
    path: `${INSTANCE}/records`,
    summary: 'Returns records as soon as there are any.',
    query: {
      timeout: Type.Integer({
        description:
          'How long to wait for records, in milliseconds; at most consumers.maxPollTimeoutMs of the bridge. Default: 100.',
      }),
      max_bytes: Type.Integer({ description: 'Size limit of the response, in bytes.', maximum: 2_147_483_647 }),
      on_error: {
        type: 'string',
        enum: ['fail', 'report'],
        description: 'How to handle a record that the format cannot represent.',
      },
    },
    status: 200,
    response: { schema: ConsumerRecordList, types: RECORD_TYPES },
    errors: [400, 403, 404, 406, 409, 422, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'commit',
    method: 'POST',
    path: `${INSTANCE}/offsets`,
    body: optionalConsumerBody(OffsetCommitSeekList),
    summary: 'Commits offsets; without a body, the positions of all partitions.',
    status: 204,
    errors: [400, 403, 404, 409, 422, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'listCommitted',
    method: 'GET',
    path: `${INSTANCE}/offsets`,
    summary: "The group's committed offsets for the consumer's partitions.",
    status: 200,
    response: v2(OffsetCommitSeekList),
    errors: [403, 404, 422, 500, 503],
  },
  {
    ...CONSUMER,
    operation: 'listAssignments',
    method: 'GET',
    path: `${INSTANCE}/assignments`,
    summary: 'Partitions that the consumer reads now.',
    status: 200,
    response: v2(Partitions),
  },
  {
    ...CONSUMER,
    operation: 'listPositions',
    method: 'GET',
    path: `${INSTANCE}/positions`,
    summary: 'The next offset to read of each partition.',
    status: 200,
    response: v2(OffsetCommitSeekList),
    errors: [403, 404, 422, 500, 503],
  },
  {
    ...SEEK,
    operation: 'seek',
    path: `${INSTANCE}/positions`,
    body: consumerBody(OffsetCommitSeekList),
    summary: 'Moves positions.',
  },
  {
    ...SEEK,
    operation: 'seekToBeginning',
    path: `${INSTANCE}/positions/beginning`,
    body: consumerBody(Partitions),
    summary: 'Moves positions to the beginning.',
  },
  {
    ...SEEK,
    operation: 'seekToEnd',
    path: `${INSTANCE}/positions/end`,
    body: consumerBody(Partitions),
    summary: 'Moves positions to the end.',
  },
]);
