/**
 * Keeps the description of a session in the session log up to date. The position of its client outlives this bridge: it is
 * committed, if the consumer commits automatically, or in the description until its client commits. So a bridge that adopts the
 * session neither repeats all records nor skips any.
 */
import { type Limits, within } from '../kafka/client/limits.ts';
import type { Partitions } from '../kafka/fetch/partitions.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { SessionDescription } from '../ownership/session-entry.ts';
import type { PartitionOffset, TopicPartition } from '../records.ts';
import { Begun } from './begun.ts';
import type { Commits } from './commits.ts';
import { type RestoredPositions, type SeekKind, Seeks } from './seeks.ts';
import type { SessionOptions } from './session-options.ts';
import type { Subscription } from './subscription.ts';

export interface LoggedSessionDependencies {
  subscription: Subscription;
  partitions: Partitions;
  commits: Commits;
  ownership: Ownership;
  /** Whether another Kafka cluster may continue the session. */
  isReplicated: boolean;
}

export class LoggedSession {
  readonly #options: SessionOptions;
  readonly #dependencies: LoggedSessionDependencies;
  readonly #seeks = new Seeks();
  readonly #begun = new Begun();

  constructor(options: SessionOptions, dependencies: LoggedSessionDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** What another bridge needs to adopt the session. */
  get description(): SessionDescription {
    const { subscription } = this.#dependencies;
    const begun = this.#begun.logged;
    const described = { options: this.#options, subscription: subscription.description, seeks: this.#seeks.logged };
    return begun === undefined ? described : Object.assign(described, { begun });
  }

  /** Continues with the logged positions of the previous owner. */
  restore({ seeks, begun = [] }: Pick<SessionDescription, 'seeks' | 'begun'>): void {
    this.#seeks.restore(seeks);
    this.#begun.restore(begun);
  }

  /** Where partitions without a commit began, at this bridge or at the previous owner's. */
  begunOf(partitions: readonly TopicPartition[]): PartitionOffset[] {
    return this.#begun.of(partitions);
  }

  /** Continues at this position, where the previous owner handed over. */
  resumeAt(position: PartitionOffset, kind: SeekKind): void {
    if (!this.#options.isAutoCommit) this.#seeks.keep([position], [position], kind);
  }

  /** The subscription changed: called before the client gets its response. Errors: as {@link Ownership.record}. */
  async onChanged(): Promise<void> {
    this.#seeks.clear();
    this.#begun.clear();
    await this.#record();
  }

  /** These partitions are read from now on. Returns the previous owner's positions, the first time. */
  onAssigned(partitions: readonly TopicPartition[]): RestoredPositions {
    const restored = this.#seeks.takeRestored(partitions);
    // A failure is not reported: the next change writes it.
    if (partitions.length > 0 && this.#seeks.retain(partitions)) this.#record().catch(() => {});
    return restored;
  }

  /** The client committed: logged positions of these partitions are obsolete. Errors: as {@link Ownership.record}. */
  async onCommitted(committed: readonly TopicPartition[]): Promise<void> {
    if (this.#seeks.forget(committed)) await this.#record();
  }

  /** Logs or commits positions that the client chose. Errors: as {@link Ownership.record}. */
  async keepSought(sought: readonly TopicPartition[]): Promise<void> {
    const { partitions } = this.#dependencies;
    const limits = within(this.#options.requestTimeoutMs);
    if (await this.#keep(partitions.positions, sought, 'sought', limits)) await this.#record();
  }

  /** Logs or commits where a partition without a commit begins: an adopter would begin at a later end, and skip records. Never throws. */
  async keepBegun(found: readonly PartitionOffset[], limits: Limits): Promise<void> {
    const isBegun = this.#dependencies.isReplicated && this.#begun.keep(found);
    const isKept = await this.#keep(found, found, 'received', limits);
    // A failure is not reported: a poll must not fail for it, and the next seek or change writes it.
    if (isKept || isBegun) await this.#record().catch(() => {});
  }

  /** Before a release: keeps the positions that the client has received here, and may commit elsewhere. Never throws. */
  async keepReceived(limits: Limits): Promise<void> {
    const { partitions } = this.#dependencies;
    await this.#keep(partitions.positions, partitions.assigned, 'received', limits);
  }

  /**
   * Before a hand-over. Commits nothing: the adopter may have joined already, and does not know when a commit arrives. Records that
   * the client has not committed come again, unless its gateway says that it received them (`isReceived`).
   * Errors: as {@link Commits.untilCommitted}.
   */
  async keepUncommitted({ isReceived }: { isReceived: boolean }, limits: Limits): Promise<void> {
    const { partitions, commits } = this.#dependencies;
    await commits.untilCommitted(limits);
    const { uncommitted, positions } = partitions;
    if (this.#options.isAutoCommit) this.#seeks.keep(uncommitted, uncommitted, 'sought');
    else if (isReceived) this.#seeks.keep(positions, positions, 'received');
  }

  /** Commits, or keeps the positions of these partitions. Whether the description changed. Never throws. */
  async #keep(
    positions: readonly PartitionOffset[],
    partitions: readonly TopicPartition[],
    kind: SeekKind,
    limits: Limits,
  ): Promise<boolean> {
    if (!this.#options.isAutoCommit) return this.#seeks.keep(positions, partitions, kind);
    await this.#dependencies.commits.commitDelivered(limits);
    return false;
  }

  #record(): Promise<void> {
    return this.#dependencies.ownership.record(this.description);
  }
}
