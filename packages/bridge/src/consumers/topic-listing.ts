/** The names of all topics, listed once for every consumer of a bridge that reads by a pattern. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import { PatternMatcher } from './pattern-matcher.ts';

export interface TopicListingOptions {
  refreshMs: number;
  requestTimeoutMs: number;
}

/** The topics at one look. */
export interface ListedTopics {
  /** Grows by one with every look that finds other topics than the one before. */
  version: number;
  names: readonly string[];
  /** Since the version before. */
  added: readonly string[];
  removed: ReadonlySet<string>;
}

type OnListed = (listed: ListedTopics) => void;

/** Asks Kafka on a timer, for as long as somebody watches. */
export class TopicListing {
  readonly #cluster: Cluster;
  readonly #options: TopicListingOptions;
  readonly #watchers = new Set<OnListed>();
  /** For the patterns of those who watch. */
  readonly matcher = new PatternMatcher();
  #listed: ListedTopics | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<ListedTopics> | undefined;
  /** The look after the one that runs: shared by all who came while it ran. */
  #next: Promise<ListedTopics> | undefined;

  constructor(cluster: Cluster, options: TopicListingOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Calls `onListed`, which must not throw, with every look from now on. The timer runs until all have called what this returns. */
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

  /** What there is now: of a look that begins after this call. Errors: `kafkaUnavailable`. */
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
    // It may outlive whoever waits for it.
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

/** The list `before` itself where nothing changed. */
function follow(before: ListedTopics | undefined, names: readonly string[]): ListedTopics {
  const removed = new Set(before?.names);
  const added = names.filter((name) => !removed.delete(name));
  if (before !== undefined && added.length === 0 && removed.size === 0) return before;
  return { version: (before?.version ?? 0) + 1, names, added, removed };
}
