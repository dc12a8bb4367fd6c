/** Operations that change the cluster. */

import { isConsumerBody, recordsFormat } from '@causeway/protocol/content-types.ts';
import { NewTopic } from '@causeway/protocol/new-topic.ts';
import { accessOf, checkTopics } from '../consumers/topic-access.ts';
import { BridgeError } from '../errors.ts';
import { shown } from './parameters.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import { respond } from './responses.ts';
import type { ApiServer } from './server.ts';
import { exactInteger } from './violations.ts';

const BROKER_DEFAULT = -1;

export function addAdminRoutes(server: ApiServer): void {
  server.on('createTopic', async ({ headers, body, sender, kafka, slices }, reply) => {
    if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
    const contentType = headers['content-type'];
    if (recordsFormat(contentType) !== 'json' && !isConsumerBody(contentType)) {
      throw new BridgeError('bodyTypeUnsupported');
    }
    const topic = (await slices.run(decodeBody(body, NewTopic))) as NewTopic;
    const { topic_name, partitions_count, replication_factor } = topic;
    checkTopics(accessOf(sender), [topic_name], 'createTopics');
    await kafka.creator.create({
      name: topic_name,
      partitionCount: count('partitions_count', partitions_count, 32),
      replicationFactor: count('replication_factor', replication_factor, 16),
    });
    reply.code(201);
    return respond(reply, '{}');
  });
}

/** Errors: `schemaViolation` for a number that does not fit Kafka's field. */
function count(name: keyof NewTopic, value: number | null | undefined, bits: number): number {
  if (value === null || value === undefined) return BROKER_DEFAULT;
  const exact = exactInteger(value);
  const maximum = 2 ** (bits - 1) - 1;
  if (exact >= -maximum - 1 && exact <= maximum) return Number(exact);
  const validationErrors = [
    `Property "${name}" does not match schema`,
    exact > 0 ? `${shown(exact)} is greater than ${maximum}` : `${shown(exact)} is less than ${-maximum - 1}`,
    `Property "${name}" does not match additional properties schema`,
  ];
  throw new BridgeError('schemaViolation', { validationErrors });
}
