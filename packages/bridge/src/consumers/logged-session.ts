/**
 * What other bridges know of a consumer that is served here: its description in the session log. Where its client is
 * outlives this bridge: committed, if the consumer commits by itself, or in the description until its client commits. So
 * whoever takes the consumer over neither begins anew nor skips anything.
 */
import { type Limits, within } from '../kafka/client/limits.ts';
import type { Partitions } from '../kafka/fetch/partitions.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { LoggedSeek, SessionDescription } from '../ownership/session-entry.ts';
import type { PartitionOffset, TopicPartition } from '../records.ts';
import type { Commits } from './commits.ts';
import { Seeks } from './seeks.ts';
import type { SessionOptions } from './session-options.ts';
import type { Subscription } from './subscription.ts';

export interface LoggedSessionDependencies {
  subscription: Subscription;
  partitions: Partitions;
  commits: Commits;
  ownership: Ownership;
}

export class LoggedSession {
  readonly #options: SessionOptions;
  readonly #dependencies: LoggedSessionDependencies;
  readonly #seeks = new Seeks();

  constructor(options: SessionOptions, dependencies: LoggedSessionDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** What another bridge needs to know to take it over. */
  get description(): SessionDescription {
    const { subscription } = this.#dependencies;
    return { options: this.#options, subscription: subscription.description, seeks: this.#seeks.logged };
  }

  /** Goes on as another bridge described it. */
  restore(seeks: readonly LoggedSeek[]): void {
    this.#seeks.restore(seeks);
  }

  /** Continues at these positions, where the previous owner handed over. */
  resumeAt(positions: readonly PartitionOffset[]): void {
    if (!this.#options.isAutoCommit) this.#seeks.keep(positions, positions);
  }

  /** What it reads is something else now: to be called before the client has its answer. Errors: as {@link Ownership}. */
  async onChanged(): Promise<void> {
    this.#seeks.clear();
    await this.#record();
  }

  /** It reads these partitions from now on; where another bridge left them, the first time. */
  onAssigned(partitions: readonly TopicPartition[]): PartitionOffset[] {
    const restored = this.#seeks.takeRestored(partitions);
    // Told by nobody when it fails: the next change writes it.
    if (partitions.length > 0 && this.#seeks.retain(partitions)) this.#record().catch(() => {});
    return restored;
  }

  /** What its client commits is where another bridge goes on. Errors: as {@link Ownership}. */
  async onCommitted(committed: readonly TopicPartition[]): Promise<void> {
    if (this.#seeks.forget(committed)) await this.#record();
  }

  /** A position that the client chose outlives this bridge. Errors: as {@link Ownership}. */
  async keepSought(sought: readonly TopicPartition[]): Promise<void> {
    const { partitions } = this.#dependencies;
    const limits = within(this.#options.requestTimeoutMs);
    if (await this.#keep(partitions.positions, sought, limits)) await this.#record();
  }

  /** Whoever takes the session over must not begin at a later end, and skip what came between. Never throws. */
  async keepBegun(found: readonly PartitionOffset[], limits: Limits): Promise<void> {
    // Told by nobody when it fails: a poll must not fail for it, and the next seek or change writes it.
    if (await this.#keep(found, found, limits)) await this.#record().catch(() => {});
  }

  /** Before it is given up in order: the client commits later, and elsewhere, what it has received here. Never throws. */
  async keepReceived(limits: Limits): Promise<void> {
    const { partitions } = this.#dependencies;
    await this.#keep(partitions.positions, partitions.assigned, limits);
  }

  /**
   * Before it is given up to a bridge that has claimed it. Nothing is committed: that one has joined in its place by now, or
   * could not know when that arrives. What a client has yet to commit comes again, unless its gateway says that it goes on
   * (`isReceived`). Errors: as {@link Commits.untilCommitted}.
   */
  async keepUncommitted({ isReceived }: { isReceived: boolean }, limits: Limits): Promise<void> {
    const { partitions, commits } = this.#dependencies;
    await commits.untilCommitted(limits);
    const { uncommitted, positions } = partitions;
    if (this.#options.isAutoCommit) this.#seeks.keep(uncommitted, uncommitted);
    else if (isReceived) this.#seeks.keep(positions, positions);
  }

  /** Commits, or keeps the positions of `sought`; whether that is to be told to other bridges. Never throws. */
  async #keep(
    positions: readonly PartitionOffset[],
    sought: readonly TopicPartition[],
    limits: Limits,
  ): Promise<boolean> {
    if (!this.#options.isAutoCommit) return this.#seeks.keep(positions, sought);
    await this.#dependencies.commits.commitDelivered(limits);
    return false;
  }

  #record(): Promise<void> {
    return this.#dependencies.ownership.record(this.description);
  }
}
