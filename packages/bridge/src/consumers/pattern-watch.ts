/** The topics that match a consumer's pattern, looked up anew as long as it is subscribed. */
import type { Cluster } from '../kafka/cluster.ts';
import { bounded, type Limits, within } from '../kafka/limits.ts';
import type { TopicPattern } from './topic-pattern.ts';

export interface PatternWatchOptions {
  refreshMs: number;
  requestTimeoutMs: number;
  /** Called with every look that finds other topics than the one before, first of all with those of the first. */
  onTopics: (topics: readonly string[]) => void;
}

export class PatternWatch {
  readonly #cluster: Cluster;
  readonly #pattern: TopicPattern;
  readonly #options: PatternWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** `undefined` until Kafka has told for the first time. */
  #topics: readonly string[] | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(cluster: Cluster, pattern: TopicPattern, options: PatternWatchOptions) {
    this.#cluster = cluster;
    this.#pattern = pattern;
    this.#options = options;
    this.#timer = setInterval(() => void this.#look().catch(() => {}), options.refreshMs);
  }

  /** Waits until the topics were looked up once. Errors: `kafkaUnavailable`, `kafkaRefused`, the signal's reason. */
  async ready(limits: Limits): Promise<void> {
    if (this.#topics === undefined) await bounded(this.#look(), limits);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    // It may outlive whoever waits for it.
    this.#looking.catch(() => {});
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const names = await this.#cluster.listTopics(within(this.#options.requestTimeoutMs));
    const topics = this.#pattern.match(names).sort();
    const known = this.#topics;
    const isSame = known?.length === topics.length && known.every((topic, index) => topic === topics[index]);
    if (this.#isClosed || isSame) return;
    this.#topics = topics;
    this.#options.onTopics(topics);
  }
}
