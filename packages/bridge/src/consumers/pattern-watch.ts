/** The topics that match a consumer's pattern, looked up again and again while it is subscribed. */
import { bounded, type Limits } from '../kafka/client/limits.ts';
import type { ListedTopics, TopicListing } from './topic-listing.ts';
import type { TopicPattern } from './topic-pattern.ts';

export class PatternWatch {
  readonly pattern: TopicPattern;
  readonly #listing: TopicListing;
  readonly #onTopics: (topics: readonly string[]) => void;
  readonly #stopWatching: () => void;
  /** The matching topics of a version of the list; `undefined` until Kafka listed the topics for the first time. */
  #known: { version: number; topics: readonly string[] } | undefined;
  #following: Promise<void> = Promise.resolve();
  /** Why matching ended; the consumer's polls fail with it. */
  #failure: unknown;
  #isClosed = false;

  /** Calls `onTopics` with every change of the topics that match, and with the first ones. */
  constructor(listing: TopicListing, pattern: TopicPattern, onTopics: (topics: readonly string[]) => void) {
    this.#listing = listing;
    this.pattern = pattern;
    this.#onTopics = onTopics;
    this.#stopWatching = listing.watch((listed) => void this.#follow(listed));
  }

  /** Waits until the topics were looked up once. Errors: `kafkaUnavailable`, `kafkaRefused`, the signal's reason. */
  async ready(limits: Limits): Promise<void> {
    if (this.#known === undefined && this.#failure === undefined) {
      const listed = await bounded(this.#listing.look(), limits);
      await bounded(this.#follow(listed), limits);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWatching();
  }

  /** Matches one list of topics after another. Never rejects. */
  #follow(listed: ListedTopics): Promise<void> {
    this.#following = this.#following.then(async () => {
      try {
        await this.#match(listed);
      } catch (failure) {
        this.#failure = failure;
        this.#stopWatching();
      }
    });
    return this.#following;
  }

  async #match(listed: ListedTopics): Promise<void> {
    const known = this.#known;
    if (this.#isClosed || known?.version === listed.version) return;
    const topics = await this.#matching(listed);
    if (this.#isClosed) return;
    this.#known = { version: listed.version, topics };
    const isSame = known?.topics.length === topics.length && known.topics.every((topic, at) => topic === topics[at]);
    if (!isSame) this.#onTopics(topics);
  }

  /** Sorted. Of a list that follows the known version, only new topics are matched. */
  async #matching({ version, names, added, removed }: ListedTopics): Promise<readonly string[]> {
    const { matcher } = this.#listing;
    if (this.#known?.version !== version - 1) return (await matcher.match(this.pattern, names)).sort();
    const kept = this.#known.topics.filter((topic) => !removed.has(topic));
    return kept.concat(await matcher.match(this.pattern, added)).sort();
  }
}
