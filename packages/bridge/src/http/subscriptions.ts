/** Operations that choose what a consumer reads: topics, shared within the group, or partitions that the client assigns. */
import { Partitions, type SubscribedTopicList, Topics } from '@causeway/protocol/consumers.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import { accessOf, checkTopics } from '../consumers/topic-access.ts';
import { TopicPattern } from '../consumers/topic-pattern.ts';
import { BridgeError } from '../errors.ts';
import type { TopicPartition } from '../records.ts';
import { checkCount, checkTopicsOf, consumerBody, inSession, partitionsOf } from './consumer-request.ts';
import { respondEmpty, respondLong } from './responses.ts';
import type { ApiServer } from './server.ts';

export function addSubscriptionRoutes(server: ApiServer, registry: ConsumerRegistry): void {
  server.on('subscribe', async (request, reply) => {
    const body = (await consumerBody(request, Topics)) as Topics;
    checkCount(body.topics ?? [], 'topics', registry.maxTopics);
    checkTopics(accessOf(request.sender), body.topics ?? []);
    await inSession(registry, request, async (session) => {
      session.checkSubscribable();
      const { topics, topic_pattern } = body;
      if (topics !== undefined && topic_pattern !== undefined) throw new BridgeError('subscriptionConflict');
      if (topic_pattern === undefined) await session.subscribe(topicsToSubscribe(body));
      else await session.subscribePattern(new TopicPattern(topic_pattern));
    });
    return respondEmpty(reply, 204);
  });
  server.on('unsubscribe', async (request, reply) => {
    await inSession(registry, request, (session) => session.unsubscribe());
    return respondEmpty(reply, 204);
  });
  server.on('listSubscriptions', async (request, reply) => {
    const assigned = await inSession(registry, request, (session) => session.assigned());
    return respondLong(reply, JSON.stringify(subscribedTopics(assigned)));
  });
  server.on('listAssignments', async (request, reply) => {
    const assigned = await inSession(registry, request, (session) => session.assigned());
    const partitions = assigned.map(({ topic, partition }) => ({ partition, topic }));
    return respondLong(reply, JSON.stringify({ partitions } satisfies Partitions));
  });
  server.on('assign', async (request, reply) => {
    const body = (await consumerBody(request, Partitions)) as Partitions;
    checkCount(body.partitions ?? [], 'partitions', registry.maxPartitions);
    checkTopicsOf(request, body.partitions ?? []);
    await inSession(registry, request, (session) => session.assign(partitionsToAssign(body)));
    return respondEmpty(reply, 204);
  });
}

function topicsToSubscribe({ topics }: Topics): readonly string[] {
  if (topics === undefined) {
    throw new BridgeError('invalidValue', {
      message: 'A list (of Topics type) or a topic_pattern must be specified.',
    });
  }
  if (topics.some((topic) => topic.trim() === '')) {
    throw new BridgeError('kafkaRefused', {
      message:
        'java.lang.IllegalArgumentException: Topic collection to subscribe to cannot contain null or empty topic',
    });
  }
  return topics;
}

function partitionsToAssign(body: Partitions): TopicPartition[] {
  return partitionsOf(body).map(({ topic, partition }) => {
    if (topic !== undefined && topic.trim() !== '') return { topic, partition };
    throw new BridgeError('kafkaRefused', {
      message: 'java.lang.IllegalArgumentException: Topic partitions to assign to cannot have null or empty topic',
    });
  });
}

function subscribedTopics(assigned: readonly TopicPartition[]): SubscribedTopicList {
  const byTopic = Map.groupBy(assigned, ({ topic }) => topic);
  return {
    topics: [...byTopic.keys()],
    partitions: [...byTopic].map(([topic, entries]) => ({ [topic]: entries.map(({ partition }) => partition) })),
  };
}
