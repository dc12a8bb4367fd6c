/** The subscription or assignment of a session: its state, its membership in the group, and the watch of its pattern. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { permits } from '@causeway/protocol/topic-filter.ts';
import { BridgeError, listText } from '../errors.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';
import type { Membership } from '../kafka/group/membership.ts';
import { type Committer, LoneCommitter } from '../kafka/group/offset-commit.ts';
import { checkAlive } from '../ownership/ownership.ts';
import { checkSubscriptionSize, type LoggedSubscription } from '../ownership/session-entry.ts';
import type { TopicPartition } from '../records.ts';
import { isLegalTopic } from '../topic-name.ts';
import { isClosed, restoreSubscription } from './logged-subscription.ts';
import { PatternWatch } from './pattern-watch.ts';
import { createMembership, type SessionMembershipDependencies } from './session-membership.ts';
import { readerOf, type SubscriptionState } from './subscription-state.ts';
import { checkTopics, firstForbidden, type TopicAccess, topicForbidden } from './topic-access.ts';
import type { TopicListing } from './topic-listing.ts';
import type { TopicPattern } from './topic-pattern.ts';

export interface SubscriptionDependencies extends SessionMembershipDependencies {
  topicListing: TopicListing;
  requestTimeoutMs: number;
  /** Which topics the client may read at first. */
  access: TopicAccess;
}

const EXCLUSIVE =
  'java.lang.IllegalStateException: Subscription to topics, partitions and pattern are mutually exclusive';

export class Subscription {
  readonly #dependencies: SubscriptionDependencies;
  readonly #lone: LoneCommitter;
  #state: SubscriptionState = { kind: 'idle' };
  /** Illegal names in the subscription: the next poll reports them, once. */
  #illegalTopics: readonly string[] = [];
  /** Why a logged subscription cannot be used here: polls fail with it. */
  #unusable: BridgeError | undefined;
  /** As the client gave them. */
  #topics: readonly string[] = [];
  #assigned: readonly TopicPartition[] = [];
  #access: TopicAccess;
  /** A topic that the client has chosen and may not read now: polls fail with it. */
  #forbidden: string | undefined;

  constructor(dependencies: SubscriptionDependencies) {
    this.#dependencies = dependencies;
    this.#access = dependencies.access;
    this.#lone = new LoneCommitter(dependencies.coordinator);
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  /** From now on the client may read these topics: a pattern matches no others. */
  permit(access: TopicAccess): void {
    const isSame = access.topics === this.#access.topics;
    this.#access = access;
    if (isSame) return;
    this.#watch?.permit(access);
    this.#forbidden = firstForbidden(access, this.#chosen());
  }

  /** The partitions of topics that the client may read: a group may not have taken the others away yet. */
  permitted<Place extends TopicPartition>(places: readonly Place[]): readonly Place[] {
    const { topics } = this.#access;
    return topics === undefined ? places : places.filter(({ topic }) => permits(topics, topic));
  }

  /** Errors: `forbidden` if records of these topics may not be sent: by the poll's own request, or by a later one. */
  checkPermitted(reader: Pick<RecordReader, 'readTo'>, poll: TopicAccess): void {
    if (poll.topics === undefined && this.#access.topics === undefined) return;
    const topics = topicsOf(reader.readTo.map(({ partition }) => partition));
    checkTopics(poll, topics);
    checkTopics(this.#access, topics);
  }

  /** Errors: as {@link checkAlive}; `subscriptionConflict`. */
  checkSubscribable(): void {
    checkAlive(this.#dependencies.ownership);
    if (this.#state.kind === 'assigned') throw new BridgeError('subscriptionConflict');
  }

  /** Errors: `notSubscribed`; `misdirected` once it lives elsewhere. The poll itself finds that it is deleted. */
  checkSubscribed(): void {
    const { ownership } = this.#dependencies;
    if (ownership.life.kind === 'ended') return;
    checkAlive(ownership);
    if (this.#state.kind === 'idle') throw new BridgeError('notSubscribed');
  }

  /** Sends commits: as the member, or without a membership. */
  get committer(): Committer {
    return this.#membership ?? this.#lone;
  }

  /** Whether a commit can succeed: not by a member that its group does not know now. */
  get isCommitPossible(): boolean {
    return this.#membership?.isMember !== false;
  }

  /** Whether the group has yet to assign partitions. */
  get isJoining(): boolean {
    return this.#membership?.isJoining === true;
  }

  /** Whether its group knows it as a member now. */
  get isMember(): boolean {
    return this.#membership?.isMember === true;
  }

  /**
   * Errors: `subscriptionConflict`, `consumerNotFound`, `topicClosed`, `kafkaRefused` while a pattern is subscribed to.
   */
  async subscribe(topics: readonly string[]): Promise<void> {
    this.checkSubscribable();
    this.#checkOpen(topics);
    checkSubscriptionSize({ kind: 'topics', topics: [...topics] });
    if (this.#watch !== undefined && topics.length > 0) throw new BridgeError('kafkaRefused', { message: EXCLUSIVE });
    const legal = topics.filter(isLegalTopic);
    this.#illegalTopics = topics.filter((topic) => !isLegalTopic(topic));
    this.#topics = topics;
    this.#forbidden = firstForbidden(this.#access, topics);
    this.#unusable = undefined;
    if (topics.length === 0) {
      await this.#leave();
      this.#state = { kind: 'subscribed', membership: undefined, watch: undefined };
      return;
    }
    if (this.#forbidden === undefined) this.#createTopics(legal);
    const membership = this.#membership;
    membership?.setTopics(legal);
    this.#state = {
      kind: 'subscribed',
      watch: undefined,
      membership: membership ?? createMembership(this.#dependencies, legal, { isPattern: false }),
    };
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while topics are subscribed to. */
  subscribePattern(pattern: TopicPattern): void {
    this.checkSubscribable();
    this.#unusable = undefined;
    const [membership, watch] = [this.#membership, this.#watch];
    if (membership !== undefined && watch === undefined) throw new BridgeError('kafkaRefused', { message: EXCLUSIVE });
    watch?.close();
    this.#forbidden = undefined;
    const joined = membership ?? createMembership(this.#dependencies, [], { isPattern: true });
    this.#state = { kind: 'subscribed', membership: joined, watch: this.#createWatch(pattern, joined) };
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `topicClosed`. */
  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    checkAlive(this.#dependencies.ownership);
    if (this.#state.kind === 'subscribed') throw new BridgeError('subscriptionConflict');
    this.#checkOpen(partitions.map(({ topic }) => topic));
    checkSubscriptionSize({ kind: 'partitions', partitions: [...partitions] });
    const { events } = this.#dependencies;
    await events.onRevoking(this.#requestLimits());
    events.onAssigned(partitions);
    this.#assigned = partitions;
    this.#forbidden = firstForbidden(this.#access, topicsOf(partitions));
    this.#unusable = undefined;
    this.#state = { kind: 'assigned', isEmpty: partitions.length === 0 };
  }

  /** Ends the subscription or assignment, whichever there is. Errors: `consumerNotFound`. */
  async end(): Promise<void> {
    checkAlive(this.#dependencies.ownership);
    await this.#leave();
    this.#illegalTopics = [];
    this.#forbidden = undefined;
    this.#unusable = undefined;
    this.#state = { kind: 'idle' };
  }

  /** The subscription as the session log has it. */
  get description(): LoggedSubscription {
    const { state } = this;
    if (state.kind === 'assigned') return { kind: 'partitions', partitions: [...this.#assigned] };
    if (state.kind !== 'subscribed') return { kind: 'none' };
    if (state.watch !== undefined) return { kind: 'pattern', pattern: state.watch.pattern.source };
    return { kind: 'topics', topics: [...this.#topics] };
  }

  /** Restores a logged subscription, as far as that is allowed here. */
  async restore(description: LoggedSubscription): Promise<void> {
    const restored = restoreSubscription(description, this.#dependencies.consumers);
    switch (restored.kind) {
      case 'none':
        return;
      case 'topics':
        if (restored.unusable === undefined) return await this.subscribe(restored.topics);
        this.#topics = restored.topics;
        this.#state = { kind: 'subscribed', membership: undefined, watch: undefined };
        break;
      case 'pattern':
        return this.subscribePattern(restored.pattern);
      case 'unusablePattern':
        this.#state = { kind: 'subscribed', membership: undefined, watch: undefined };
        break;
      case 'partitions':
        if (restored.unusable === undefined) return await this.assign(restored.partitions);
        this.#assigned = restored.partitions;
        this.#state = { kind: 'assigned', isEmpty: true };
        break;
      default:
        return assertNever(restored);
    }
    this.#unusable = restored.unusable;
  }

  /** Joins the group now, where there is one, with the topics that are known in time. Errors: as {@link Membership.join}. */
  async join(limits: Limits): Promise<void> {
    const membership = this.#membership;
    if (membership === undefined || this.#forbidden !== undefined) return;
    if (await this.knowsTopics(limits)) await membership.join(limits);
  }

  /** Ends it for good, and leaves the group. Never throws. */
  async close(limits: Limits): Promise<void> {
    const membership = this.#membership;
    this.#watch?.close();
    this.#state = { kind: 'idle' };
    await membership?.leave(limits);
  }

  /** Ends it here: the group keeps the member, for the bridge that joins in its place. */
  abandon(): void {
    this.#membership?.abandon();
    this.#watch?.close();
    this.#state = { kind: 'idle' };
    this.#dependencies.events.onAssigned([]);
  }

  /**
   * The membership to read with; `undefined` when the client chose the partitions.
   * Errors: `notSubscribed`, `consumerNotFound`, once `kafkaRefused` for illegal names, the reason why a logged subscription cannot be
   * used, and `forbidden` for a topic that the client may not read any more.
   */
  readAs(): Membership | undefined {
    checkAlive(this.#dependencies.ownership);
    if (this.#unusable !== undefined) throw this.#unusable;
    if (this.#forbidden !== undefined) throw topicForbidden(this.#access, this.#forbidden);
    const membership = readerOf(this.#state);
    if (this.#state.kind !== 'subscribed' || this.#illegalTopics.length === 0) return membership;
    const names = listText(this.#illegalTopics);
    this.#illegalTopics = [];
    throw new BridgeError('kafkaRefused', {
      message: `org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [${names}]`,
    });
  }

  /** Whether the topics of a pattern are known now. Errors: `kafkaRefused`. */
  async knowsTopics(limits: Limits): Promise<boolean> {
    const watch = this.#watch;
    if (watch === undefined) return true;
    try {
      await watch.ready(limits);
      return true;
    } catch (error) {
      if (limits.signal?.aborted === true) throw error;
      if (error instanceof BridgeError && error.code === 'kafkaUnavailable') return false;
      throw error;
    }
  }

  /** Makes Kafka create missing topics early: the join, which would do it too, comes with the first poll. */
  #createTopics(topics: readonly string[]): void {
    const { cluster, consumers } = this.#dependencies;
    if (!consumers.allowAutoTopicCreation) return;
    cluster.topics(topics, this.#requestLimits(), { mayCreate: true }).catch(() => {});
  }

  /** Errors: `topicClosed`. */
  #checkOpen(topics: readonly string[]): void {
    const closed = topics.find((topic) => isClosed(topic, this.#dependencies.consumers));
    if (closed === undefined) return;
    throw new BridgeError('topicClosed', { message: `The topic ${closed} is internal: consumers cannot read it.` });
  }

  /** The topics that the client chose by name. */
  #chosen(): Iterable<string> {
    const { kind } = this.#state;
    if (kind === 'assigned') return topicsOf(this.#assigned);
    return kind === 'subscribed' && this.#watch === undefined ? this.#topics : [];
  }

  get #membership(): Membership | undefined {
    return this.#state.kind === 'subscribed' ? this.#state.membership : undefined;
  }

  get #watch(): PatternWatch | undefined {
    return this.#state.kind === 'subscribed' ? this.#state.watch : undefined;
  }

  /** Leaves the group, if it is in one, and reads nothing any more. */
  async #leave(): Promise<void> {
    const { events } = this.#dependencies;
    await events.onRevoking(this.#requestLimits());
    this.#watch?.close();
    await this.#membership?.leave(this.#requestLimits());
    events.onAssigned([]);
  }

  #requestLimits(): Limits {
    return within(this.#dependencies.requestTimeoutMs);
  }

  #createWatch(pattern: TopicPattern, membership: Membership): PatternWatch {
    const { topicListing, events } = this.#dependencies;
    const onTopics = (topics: readonly string[]): void => {
      membership.setTopics(topics);
      // A poll that waits joins again.
      events.onChanged();
    };
    return new PatternWatch(topicListing, { pattern, access: this.#access, onTopics });
  }
}

function topicsOf(partitions: readonly TopicPartition[]): Set<string> {
  return new Set(partitions.map(({ topic }) => topic));
}
