/** Waits for the topic of a request's records, which a broker may be creating. */
import type { Cluster, TopicInfo } from '../kafka/client/cluster.ts';
import { subjectText } from '../kafka/client/failure.ts';
import { isInternalTopic } from '../kafka/client/internal-topics.ts';
import { errorText, isForbidden } from '../kafka/client/kafka-errors.ts';
import { remainingMs, within } from '../kafka/client/limits.ts';
import type { RecordRefusal } from './refusal.ts';

export interface TopicWait {
  maxBlockMs: number;
  /** Whether a broker may create it. */
  mayCreate: boolean;
}

/** Of a name that no topic can have: the answer repeats it for each record. */
const MAX_SHOWN_LENGTH = 100;
/** Pauses between questions. */
const PAUSE_MS = { first: 50, longest: 500 } as const;

/** The topic, or why its records cannot be stored. Never throws. */
export async function waitForTopic(
  cluster: Cluster,
  topic: string,
  { maxBlockMs, mayCreate }: TopicWait,
): Promise<{ topic: TopicInfo } | { refusal: RecordRefusal }> {
  // Kafka must not be asked to create it.
  if (isInternalTopic(topic)) {
    return { refusal: { reason: 'invalidTopic', message: errorText('INVALID_TOPIC_EXCEPTION') } };
  }
  const limits = within(maxBlockMs);
  let isAnswered = false;
  let pauseMs: number = PAUSE_MS.first;
  while (true) {
    try {
      const answer = (await cluster.topics([topic], limits, { maxAgeMs: 0, mayCreate })).get(topic);
      if (answer !== undefined && 'topic' in answer) return answer;
      if (answer?.errorId === 'INVALID_TOPIC_EXCEPTION') {
        return { refusal: { reason: 'invalidTopic', message: `Invalid topics: [${shown(topic)}]` } };
      }
      if (answer !== undefined && isForbidden(answer.errorId)) {
        return { refusal: { reason: 'forbidden', message: subjectText(answer.errorId, { topics: [topic] }) } };
      }
      isAnswered = true;
    } catch {
      // Kafka did not answer: asked again for as long as the request may wait.
    }
    if (remainingMs(limits) <= pauseMs) break;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(PAUSE_MS.longest, pauseMs * 2);
  }
  const message = `Topic ${topic} not present in metadata after ${maxBlockMs} ms.`;
  return { refusal: { reason: isAnswered ? 'unknownTopic' : 'kafkaSilent', message } };
}

function shown(topic: string): string {
  return topic.length <= MAX_SHOWN_LENGTH ? topic : `${topic.slice(0, MAX_SHOWN_LENGTH)}…`;
}
