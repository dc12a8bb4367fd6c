/** The topics that match a consumer's pattern, looked up anew as long as it is subscribed. */
import { bounded, type Limits } from '../kafka/limits.ts';
import type { TopicListing } from './topic-listing.ts';
import type { TopicPattern } from './topic-pattern.ts';

export class PatternWatch {
  readonly pattern: TopicPattern;
  readonly #listing: TopicListing;
  readonly #onTopics: (topics: readonly string[]) => void;
  readonly #stopWatching: () => void;
  /** `undefined` until Kafka has told for the first time. */
  #topics: readonly string[] | undefined;
  #isClosed = false;

  /** `onTopics` is called with every look that finds other topics than the one before, first of all with those of the first. */
  constructor(listing: TopicListing, pattern: TopicPattern, onTopics: (topics: readonly string[]) => void) {
    this.#listing = listing;
    this.pattern = pattern;
    this.#onTopics = onTopics;
    this.#stopWatching = listing.watch((names) => {
      try {
        this.#match(names);
      } catch {
        // Told to whoever polls.
      }
    });
  }

  /** Waits until the topics were looked up once. Errors: `kafkaUnavailable`, `kafkaRefused`, the signal's reason. */
  async ready(limits: Limits): Promise<void> {
    if (this.#topics !== undefined) return;
    const names = await bounded(this.#listing.look(), limits);
    if (this.#topics === undefined) this.#match(names);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWatching();
  }

  #match(names: readonly string[]): void {
    const topics = this.pattern.match(names).sort();
    const known = this.#topics;
    const isSame = known?.length === topics.length && known.every((topic, index) => topic === topics[index]);
    if (this.#isClosed || isSame) return;
    this.#topics = topics;
    this.#onTopics(topics);
  }
}
