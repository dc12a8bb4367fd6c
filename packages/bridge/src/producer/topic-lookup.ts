/** Finds the topics of records to produce, and waits for those that a broker may be creating. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { isUnauthenticated, subjectText } from '../kafka/client/failure.ts';
import { isInternalTopic } from '../kafka/client/internal-topics.ts';
import { type ErrorId, errorText, isForbidden } from '../kafka/client/kafka-errors.ts';
import { type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { TopicAnswer, TopicInfo } from '../kafka/client/metadata.ts';
import type { RecordToProduce } from '../records.ts';
import type { RecordRefusal } from './refusal.ts';

export interface TopicLookupOptions {
  maxBlockMs: number;
  /** Whether a broker may create a topic that records are for. Default: true. */
  allowAutoTopicCreation?: boolean;
}

/** Shown characters of an illegal topic name, which the response repeats for each record. */
const MAX_SHOWN_LENGTH = 100;
/** Pauses between questions. */
const PAUSE_MS = { first: 50, longest: 500 } as const;

/** The topics of a producer's records. */
export class TopicLookup {
  readonly #cluster: Cluster;
  readonly #maxBlockMs: number;
  readonly #mayCreate: boolean;

  constructor(cluster: Cluster, { maxBlockMs, allowAutoTopicCreation = true }: TopicLookupOptions) {
    this.#cluster = cluster;
    this.#maxBlockMs = maxBlockMs;
    this.#mayCreate = allowAutoTopicCreation;
  }

  /** The topic if it is known, with every partition that the records ask for. */
  known(name: string, records: readonly RecordToProduce[]): TopicInfo | undefined {
    const info = this.#cluster.knownTopic(name);
    return info !== undefined && isCovering(info, records) ? info : undefined;
  }

  /** Waits for the topic, which a broker may be creating: the topic, or why its records cannot be stored. Never throws. */
  async wait(name: string): Promise<{ topic: TopicInfo } | { refusal: RecordRefusal }> {
    // Kafka must not be asked to create it.
    if (isInternalTopic(name)) {
      return { refusal: { reason: 'invalidTopic', message: errorText('INVALID_TOPIC_EXCEPTION') } };
    }
    const limits = within(this.#maxBlockMs);
    let isAnswered = false;
    let pauseMs: number = PAUSE_MS.first;
    while (true) {
      try {
        const answer = await this.#ask(name, limits, this.#mayCreate);
        if (answer !== undefined && 'topic' in answer) return answer;
        const refusal = answer === undefined ? undefined : refusalOf(name, answer.errorId);
        if (refusal !== undefined) return { refusal };
        isAnswered = true;
      } catch (error) {
        if (isUnauthenticated(error)) return { refusal: { reason: 'unauthenticated', message: error.message } };
        // Otherwise Kafka did not respond: asked again for as long as the request may wait.
      }
      if (remainingMs(limits) <= pauseMs) break;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(PAUSE_MS.longest, pauseMs * 2);
    }
    const message = `Topic ${name} not present in metadata after ${this.#maxBlockMs} ms.`;
    return { refusal: { reason: isAnswered ? 'unknownTopic' : 'kafkaSilent', message } };
  }

  /** Refreshes metadata that are too old, in the background. */
  refreshIfOld({ name, fetchedAtMs }: TopicInfo): void {
    const { metadataMaxAgeMs, requestTimeoutMs } = this.#cluster.options;
    if (performance.now() - fetchedAtMs < metadataMaxAgeMs) return;
    this.#cluster.topics([name], within(requestTimeoutMs)).catch(() => {});
  }

  /** After a failure. A deleted topic comes again for its records, if a broker may create it. Never throws. */
  async refresh(name: string, { hasRecords }: { hasRecords: boolean }): Promise<void> {
    try {
      await this.#ask(name, within(this.#cluster.options.requestTimeoutMs), this.#mayCreate && hasRecords);
    } catch {
      // The next attempt finds out; records expire meanwhile.
    }
  }

  async #ask(name: string, limits: Limits, mayCreate: boolean): Promise<TopicAnswer | undefined> {
    return (await this.#cluster.topics([name], limits, { maxAgeMs: 0, mayCreate })).get(name);
  }
}

function isCovering({ partitions }: TopicInfo, records: readonly RecordToProduce[]): boolean {
  return records.every(({ partition }) => partition === undefined || partition < partitions.length);
}

/** Why no record of the topic can be stored; `undefined` for an error that may pass. */
function refusalOf(name: string, errorId: ErrorId): RecordRefusal | undefined {
  if (errorId === 'INVALID_TOPIC_EXCEPTION') {
    return { reason: 'invalidTopic', message: `Invalid topics: [${shown(name)}]` };
  }
  if (!isForbidden(errorId)) return undefined;
  return { reason: 'forbidden', message: subjectText(errorId, { topics: [name] }) };
}

function shown(topic: string): string {
  return topic.length <= MAX_SHOWN_LENGTH ? topic : `${topic.slice(0, MAX_SHOWN_LENGTH)}…`;
}
