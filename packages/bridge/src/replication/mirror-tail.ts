/** Reads one of MirrorMaker's topics, which has one partition, for as long as the bridge runs. MirrorMaker creates the topic, perhaps later. */
import { setTimeout as delay } from 'node:timers/promises';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import { TopicTail } from '../kafka/fetch/topic-tail.ts';
import type { MirrorRecord } from './mirror-maker.ts';

export interface MirrorTailOptions {
  topic: string;
  requestTimeoutMs: number;
  /** The topic is read from its beginning: what was read before does not count. */
  onRestart: () => void;
  onRecord: (record: MirrorRecord) => void;
  /** Some records were read, or none. */
  onFetched?: () => void;
}

/** A cluster without MirrorMaker, or that cannot be reached, is asked this often. */
const RETRY_MS = 1000;
/** Read in one turn of the event loop: some 10,000 syncs. */
const MAX_BYTES = 1_048_576;

export class MirrorTail {
  readonly #cluster: Cluster;
  readonly #options: MirrorTailOptions;
  readonly #tail: TopicTail;
  readonly #loaded = Promise.withResolvers<void>();
  #isLoaded = false;
  #trouble: string | undefined = 'not read yet';

  constructor(cluster: Cluster, options: MirrorTailOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const { topic, onRestart, onRecord, onFetched } = options;
    const tailed = { topic, findTopic: (end: AbortSignal) => this.#findTopic(end), maxBytes: MAX_BYTES };
    this.#tail = new TopicTail(cluster, tailed, {
      onRestart,
      onRecreated: onRestart,
      onRecord,
      onFetched: () => onFetched?.(),
      onEndReached: () => this.#load(),
      onTrouble: (reason) => {
        this.#trouble = reason;
      },
    });
  }

  start(): void {
    this.#tail.start();
  }

  async close(): Promise<void> {
    await this.#tail.close();
  }

  /** Whether everything was read that the topic had at the start. A topic that does not exist has nothing. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Why it cannot be read now. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Errors: `kafkaUnavailable`. */
  async untilLoaded(limits: Limits): Promise<void> {
    if (this.#isLoaded) return;
    try {
      await bounded(this.#loaded.promise, limits);
    } catch (cause) {
      if (limits.signal?.aborted === true) throw cause;
      const message = `Topic ${this.#options.topic} cannot be read: ${this.#trouble ?? 'it is being read'}`;
      throw new BridgeError('kafkaUnavailable', { message, cause });
    }
  }

  async #findTopic(end: AbortSignal): Promise<TopicInfo> {
    const { topic, requestTimeoutMs } = this.#options;
    try {
      const answers = await this.#cluster.topics([topic], within(requestTimeoutMs, end), { maxAgeMs: 0 });
      const answer = answers.get(topic);
      if (answer !== undefined && 'topic' in answer) return answer.topic;
      if (answer?.errorId === 'UNKNOWN_TOPIC_OR_PARTITION') this.#load();
      throw new BridgeError('kafkaUnavailable', {
        message: `Topic ${topic} does not exist: MirrorMaker creates it (offset-syncs.topic.location=target)`,
      });
    } catch (error) {
      await delay(RETRY_MS, undefined, { signal: end }).catch(() => {});
      throw error;
    }
  }

  #load(): void {
    this.#isLoaded = true;
    this.#loaded.resolve();
  }
}
