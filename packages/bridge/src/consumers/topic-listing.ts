/** Lists the names of all topics, once for all consumers of a bridge with a pattern. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import { PatternMatcher } from './pattern-matcher.ts';

export interface TopicListingOptions {
  refreshMs: number;
  requestTimeoutMs: number;
}

/** The topics at one moment. */
export interface ListedTopics {
  /** Grows by one with every listing that differs from the one before. */
  version: number;
  names: readonly string[];
  /** Since the previous version. */
  added: readonly string[];
  removed: ReadonlySet<string>;
}

type OnListed = (listed: ListedTopics) => void;

/** Asks Kafka on a timer while there are watchers. */
export class TopicListing {
  readonly #cluster: Cluster;
  readonly #options: TopicListingOptions;
  readonly #watchers = new Set<OnListed>();
  /** For the patterns of the watchers. */
  readonly matcher = new PatternMatcher();
  #listed: ListedTopics | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<ListedTopics> | undefined;
  /** The listing after the one that runs: shared by all calls that came meanwhile. */
  #next: Promise<ListedTopics> | undefined;

  constructor(cluster: Cluster, options: TopicListingOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Calls `onListed`, which must not throw, with every listing from now on. Returns the function that ends the watch. */
  watch(onListed: OnListed): () => void {
    this.#watchers.add(onListed);
    this.#timer ??= setInterval(() => void this.look().catch(() => {}), this.#options.refreshMs);
    return () => {
      this.#watchers.delete(onListed);
      if (this.#watchers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** The topics now: of a listing that begins after this call. Errors: `kafkaUnavailable`. */
  look(): Promise<ListedTopics> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  #start(): Promise<ListedTopics> {
    const running = this.#list().finally(() => {
      this.#running = undefined;
    });
    // It may outlive its callers.
    running.catch(() => {});
    this.#running = running;
    return running;
  }

  async #list(): Promise<ListedTopics> {
    const names = await this.#cluster.listTopics(within(this.#options.requestTimeoutMs));
    const listed = follow(this.#listed, names);
    this.#listed = listed;
    for (const onListed of this.#watchers) onListed(listed);
    return listed;
  }
}

/** Returns `before` itself where nothing changed. */
function follow(before: ListedTopics | undefined, names: readonly string[]): ListedTopics {
  const removed = new Set(before?.names);
  const added = names.filter((name) => !removed.delete(name));
  if (before !== undefined && added.length === 0 && removed.size === 0) return before;
  return { version: (before?.version ?? 0) + 1, names, added, removed };
}
