/** Asks a broker to create a topic. */
import { createTopicsV7 } from '@platformatic/kafka';
import { isTooLong, MAX_TOPIC_LENGTH } from '../../topic-name.ts';
import type { Cluster } from './cluster.ts';
import { responseIn } from './failure.ts';
import { type ErrorId, errorIdOf, errorText } from './kafka-errors.ts';
import type { Limits } from './limits.ts';

const MAX_SHOWN_LENGTH = 1000;

export interface TopicRequest {
  name: string;
  /** -1: the broker's default. */
  partitionCount: number;
  /** -1: the broker's default. */
  replicationFactor: number;
  configs?: Readonly<Record<string, string>>;
}

export interface TopicCreation {
  /** Why Kafka refused; `undefined` when it created the topic. */
  errorId: ErrorId | undefined;
  /** Kafka's text for the error. */
  message: string;
  /** The number of requests: one whose response was lost may have created the topic. */
  attemptCount: number;
}

/** Errors: `kafkaUnavailable`. */
export async function createTopic(
  cluster: Cluster,
  { name, partitionCount, replicationFactor, configs = {} }: TopicRequest,
  limits: Limits,
): Promise<TopicCreation> {
  if (isTooLong(name)) return tooLong(name);
  const topic = {
    name,
    numPartitions: partitionCount,
    replicationFactor,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  };
  let attemptCount = 0;
  const response = await cluster.onAnyBroker(async (connection) => {
    attemptCount += 1;
    try {
      return await createTopicsV7.api.async(connection, [topic], cluster.options.requestTimeoutMs, false);
    } catch (error) {
      // The library throws the whole response when the topic was refused.
      const partial = responseIn<createTopicsV7.CreateTopicsResponse>(error);
      if (partial === undefined) throw error;
      return partial;
    }
  }, limits);
  const { errorCode = 0, errorMessage } = response.topics[0] ?? {};
  const errorId = errorIdOf(errorCode);
  return { errorId, attemptCount, message: errorMessage ?? (errorId === undefined ? '' : errorText(errorId)) };
}

/** Kafka's text, with a shortened name: a client can send one as long as its body. */
function tooLong(name: string): TopicCreation {
  const shown = name.length > MAX_SHOWN_LENGTH ? `${name.slice(0, MAX_SHOWN_LENGTH)}…` : name;
  return {
    errorId: 'INVALID_TOPIC_EXCEPTION',
    attemptCount: 0,
    message: `Topic name is invalid: the length of '${shown}' is longer than the max allowed length ${MAX_TOPIC_LENGTH}`,
  };
}
