/** The names of all topics, listed once for every consumer of a bridge that reads by a pattern. */
import type { Cluster } from '../kafka/cluster.ts';
import { within } from '../kafka/limits.ts';

export interface TopicListingOptions {
  refreshMs: number;
  requestTimeoutMs: number;
}

type OnNames = (names: readonly string[]) => void;

/** Asks Kafka on a timer, for as long as somebody watches. */
export class TopicListing {
  readonly #cluster: Cluster;
  readonly #options: TopicListingOptions;
  readonly #watchers = new Set<OnNames>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<readonly string[]> | undefined;
  /** The look after the one that runs: shared by all who came while it ran. */
  #next: Promise<readonly string[]> | undefined;

  constructor(cluster: Cluster, options: TopicListingOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** `onNames` is called with every look from now on; must not throw. The timer runs until all have called what this returns. */
  watch(onNames: OnNames): () => void {
    this.#watchers.add(onNames);
    this.#timer ??= setInterval(() => void this.look().catch(() => {}), this.#options.refreshMs);
    return () => {
      this.#watchers.delete(onNames);
      if (this.#watchers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** What there is now: of a look that begins after this call. Errors: `kafkaUnavailable`. */
  look(): Promise<readonly string[]> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  #start(): Promise<readonly string[]> {
    const running = this.#list().finally(() => {
      this.#running = undefined;
    });
    // It may outlive whoever waits for it.
    running.catch(() => {});
    this.#running = running;
    return running;
  }

  async #list(): Promise<readonly string[]> {
    const names = await this.#cluster.listTopics(within(this.#options.requestTimeoutMs));
    for (const onNames of this.#watchers) onNames(names);
    return names;
  }
}
