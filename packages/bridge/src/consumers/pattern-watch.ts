/**
 * The topics that match a consumer's pattern and that its client may read, looked up again and again while it is subscribed. Other topics
 * are not matched: not even the time that it takes depends on them.
 */
import { bounded, type Limits } from '../kafka/client/limits.ts';
import { permittedOf, type TopicAccess } from './topic-access.ts';
import type { ListedTopics, TopicListing } from './topic-listing.ts';
import type { TopicPattern } from './topic-pattern.ts';

export interface PatternWatchOptions {
  pattern: TopicPattern;
  /** Which topics the client may read at first. */
  access: TopicAccess;
  /** Called with every change of the topics that match, and with the first ones. */
  onTopics: (topics: readonly string[]) => void;
}

/** The matching topics of a version of the list, for a client that may read those of `access`. */
interface Known {
  version: number;
  access: TopicAccess;
  topics: readonly string[];
}

export class PatternWatch {
  readonly pattern: TopicPattern;
  readonly #listing: TopicListing;
  readonly #onTopics: (topics: readonly string[]) => void;
  readonly #stopWatching: () => void;
  #access: TopicAccess;
  #listed: ListedTopics | undefined;
  /** `undefined` until Kafka listed the topics for the first time. */
  #known: Known | undefined;
  #following: Promise<void> = Promise.resolve();
  /** Why matching ended; the consumer's polls fail with it. */
  #failure: unknown;
  #isClosed = false;

  constructor(listing: TopicListing, { pattern, access, onTopics }: PatternWatchOptions) {
    this.#listing = listing;
    this.pattern = pattern;
    this.#access = access;
    this.#onTopics = onTopics;
    this.#stopWatching = listing.watch((listed) => void this.#follow(listed));
  }

  /** The client may read these topics from now on: others go at once, and new ones come soon. */
  permit(access: TopicAccess): void {
    this.#access = access;
    if (this.#known !== undefined) this.#become({ ...this.#known, topics: permittedOf(access, this.#known.topics) });
    if (this.#listed !== undefined) void this.#follow(this.#listed);
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
    this.#listed = listed;
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
    const access = this.#access;
    const { version } = listed;
    if (this.#isClosed || (this.#known?.version === version && this.#known.access === access)) return;
    const matching = await this.#matching(listed, access);
    // The client may read fewer by now; more of them are matched next.
    if (!this.#isClosed) this.#become({ version, access, topics: permittedOf(this.#access, matching) });
  }

  #become(known: Known): void {
    const before = this.#known?.topics;
    this.#known = known;
    const { topics } = known;
    const isSame = before?.length === topics.length && before.every((topic, at) => topic === topics[at]);
    if (!isSame) this.#onTopics(topics);
  }

  /** Sorted. Of a list that follows the known version, only new topics are matched. */
  async #matching({ version, names, added, removed }: ListedTopics, access: TopicAccess): Promise<readonly string[]> {
    const { matcher } = this.#listing;
    const known = this.#known;
    if (known?.version !== version - 1 || known.access !== access) {
      return (await matcher.match(this.pattern, permittedOf(access, names))).sort();
    }
    const kept = known.topics.filter((topic) => !removed.has(topic));
    return kept.concat(await matcher.match(this.pattern, permittedOf(access, added))).sort();
  }
}
