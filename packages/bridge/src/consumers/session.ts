/**
 * One consumer instance: its operations, one after another, until it ends here. What they do is the work of its parts, which
 * it puts together.
 */
import { FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import type { OffsetSpec } from '../kafka/client/list-offsets.ts';
import type { Liveness } from '../kafka/client/liveness.ts';
import type { FetchBudget } from '../kafka/fetch/fetch-budget.ts';
import { Fetcher } from '../kafka/fetch/fetcher.ts';
import type { Partitions } from '../kafka/fetch/partitions.ts';
import { GroupCoordinator } from '../kafka/group/coordinator.ts';
import type { PreparedJoin } from '../kafka/group/prepared-join.ts';
import { type Departing, handOver, release, type WriteDeparture } from '../ownership/departure.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { LoggedSeek, SessionDescription } from '../ownership/session-entry.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import type { PartitionOffset, TopicPartition } from '../records.ts';
import { Commits } from './commits.ts';
import { DeliveryLog } from './delivery.ts';
import { LoggedSession } from './logged-session.ts';
import { OperationQueue, POLL_TURN_GRACE_MS } from './operation-queue.ts';
import { Poller, type PollRequest } from './poller.ts';
import { Positions } from './positions.ts';
import type { SessionOptions } from './session-options.ts';
import { checkAlive, checkSubscribable, checkSubscribed, type EndedState, type SessionState } from './session-state.ts';
import { Subscription } from './subscription.ts';
import type { TopicListing } from './topic-listing.ts';
import type { TopicPattern } from './topic-pattern.ts';

export interface SessionDependencies {
  cluster: Cluster;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  topicListing: TopicListing;
  fetchBudget: FetchBudget;
  /** Until its next heartbeat; longer while the bridge has many consumers. */
  heartbeatPauseMs: () => number;
  ownership: Ownership;
  liveness: Liveness;
  /** Of a session that joins a group at once. */
  prepared?: PreparedJoin | undefined;
  /** Called when Kafka says that another member has this one's identity. */
  onFenced: () => void;
}

/** What was fetched for a consumer that nobody polls for this long is freed. */
const IDLE_RECORDS_MS = 10_000;
/** And its connections to brokers: longer than most clients pause, since the next poll has to connect again. */
const IDLE_CONNECTIONS_MS = 30_000;
/** How long the commit and the leave at the end may take; the group waits for them. */
const CLOSE_TIMEOUT_MS = 3000;
/** How long fewer bytes than the client asked for are waited with: Kafka's default of `fetch.max.wait.ms`. */
const MIN_BYTES_WAIT_MS = 500;

export class Session {
  readonly identity: SessionIdentity;
  readonly options: SessionOptions;
  readonly #fetcher: Fetcher;
  readonly #partitions: Partitions;
  readonly #coordinator: GroupCoordinator;
  readonly #subscription: Subscription;
  readonly #positions: Positions;
  readonly #deliveries: DeliveryLog;
  readonly #commits: Commits;
  readonly #logged: LoggedSession;
  readonly #poller: Poller;
  readonly #liveness: Liveness;
  /** Of the bridge's requests to Kafka, which bounds the client's choice. */
  readonly #longestTimeoutMs: number;
  readonly #end = new AbortController();
  readonly #operations: OperationQueue;
  #lastPollAtMs: number | undefined;

  constructor(identity: SessionIdentity, options: SessionOptions, dependencies: SessionDependencies) {
    this.identity = identity;
    this.options = options;
    const { cluster, consumers, topicListing, fetchBudget, kafka, heartbeatPauseMs, ownership, prepared, onFenced } =
      dependencies;
    const { liveness } = dependencies;
    const { requestTimeoutMs } = options;
    this.#liveness = liveness;
    this.#longestTimeoutMs = kafka.requestTimeoutMs;
    this.#fetcher = new Fetcher(cluster, options.resetPolicy === 'none' ? 'fail' : 'reset', {
      clientId: identity.name,
      isolationLevel: options.isolationLevel,
      minBytes: options.fetchMinBytes,
      maxBytes: consumers.fetchMaxBytes,
      partitionMaxBytes: consumers.partitionFetchMaxBytes,
      rack: kafka.clientRack,
      maxWaitMs: options.fetchMinBytes > 1 ? MIN_BYTES_WAIT_MS : consumers.fetchMaxWaitMs,
      isChecking: consumers.isChecksumCompared,
      requestTimeoutMs: kafka.requestTimeoutMs,
      budget: fetchBudget,
    });
    this.#partitions = this.#fetcher.partitions;
    this.#coordinator = prepared?.coordinator ?? new GroupCoordinator(cluster, identity.group);
    this.#subscription = new Subscription({
      identity,
      cluster,
      kafka,
      consumers,
      topicListing,
      heartbeatPauseMs,
      requestTimeoutMs,
      prepared,
      coordinator: this.#coordinator,
      events: {
        onRevoking: async (limits) => {
          // Or the client would have what is just being written, and so would whoever gets the partition.
          await bounded(this.#deliveries.settled(), limits).catch(() => {});
          await this.#deliveries.settleMarked();
          await this.#commits.commitDelivered(limits);
        },
        onAssigned: (partitions) => this.#read(partitions),
        onChanged: () => this.#fetcher.interrupt(),
        onJoiningAnew: (limits) => ownership.confirm(limits),
        onFenced,
      },
    });
    this.#positions = new Positions(options, {
      cluster,
      coordinator: this.#coordinator,
      fetcher: this.#fetcher,
      // Or whoever takes this consumer over would begin at a later end, and skip what came between.
      onBegun: (found, limits) => this.#logged.keepBegun(found, limits),
    });
    this.#deliveries = new DeliveryLog(this.#partitions, this.#end.signal);
    this.#commits = new Commits(options, {
      subscription: this.#subscription,
      partitions: this.#partitions,
      deliveries: this.#deliveries,
      ownership,
    });
    this.#logged = new LoggedSession(options, {
      subscription: this.#subscription,
      partitions: this.#partitions,
      commits: this.#commits,
      ownership,
    });
    this.#poller = new Poller(options, {
      subscription: this.#subscription,
      positions: this.#positions,
      fetcher: this.#fetcher,
      deliveries: this.#deliveries,
      commits: this.#commits,
      ownership,
      liveness,
      maxRecords: consumers.maxPollRecords,
    });
    this.#operations = new OperationQueue(() => this.#deliveries.settle());
  }

  get stateKind(): SessionState['kind'] {
    return this.#subscription.state.kind;
  }

  /** When its client polled last, in milliseconds since 1970; `undefined` before that happened here. */
  get lastPollAtMs(): number | undefined {
    return this.#lastPollAtMs;
  }

  /** The partitions whose lag can be known. */
  get positioned(): readonly TopicPartition[] {
    return this.#partitions.positions;
  }

  /** Ends of partitions as Kafka told them, by {@link partitionKey}. */
  noteEnds(ends: ReadonlyMap<string, bigint>): void {
    this.#partitions.noteEnds(ends);
  }

  /** {@link lagRecords}; `undefined` while it reads nothing, or not every position and end is known. */
  get knownLagRecords(): number | undefined {
    return this.#partitions.isLagKnown ? this.#partitions.lagRecords : undefined;
  }

  /** Records that it was not given yet; where partitions end, its last fetches told, or a look at them since. */
  get lagRecords(): number {
    return this.#partitions.lagRecords;
  }

  /** Since the last operation, in milliseconds; 0 while one is running. */
  idleMs(): number {
    return this.#operations.idleMs();
  }

  /** Frees what a client that does not come would need: what was fetched, later its connections, too. Positions stay. */
  rest(): void {
    const idleMs = this.idleMs();
    if (idleMs >= IDLE_CONNECTIONS_MS) this.#fetcher.rest();
    else if (idleMs >= IDLE_RECORDS_MS) this.#fetcher.dropRecords();
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`. */
  checkSubscribable(): void {
    checkSubscribable(this.#subscription.state);
  }

  /** Errors: `notSubscribed`, `misdirected` once it lives elsewhere. */
  checkSubscribed(): void {
    checkSubscribed(this.#subscription.state);
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while a pattern is subscribed to. */
  async subscribe(topics: readonly string[]): Promise<void> {
    await this.#change(() => this.#subscription.subscribe(topics));
  }

  /** Errors: `subscriptionConflict`, `consumerNotFound`, `kafkaRefused` while topics are subscribed to. */
  async subscribePattern(pattern: TopicPattern): Promise<void> {
    await this.#change(() => this.#subscription.subscribePattern(pattern));
  }

  /** Reads partitions of the client's choice instead of the group's. Errors: `subscriptionConflict`, `consumerNotFound`. */
  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#change(() => this.#subscription.assign(partitions));
  }

  /** Ends the subscription or assignment, whichever there is. Errors: `consumerNotFound`. */
  async unsubscribe(): Promise<void> {
    await this.#change(() => this.#subscription.end());
  }

  /** The partitions that it reads now. Errors: `consumerNotFound`, `kafkaUnavailable` while its group has not answered. */
  async assigned(): Promise<readonly TopicPartition[]> {
    this.#checkAlive();
    this.#operations.touch();
    const { assigned } = this.#partitions;
    // That a member has none is the group's word.
    if (assigned.length === 0 && this.#subscription.isJoining) {
      await this.#liveness.confirm({ sinceMs: performance.now() });
    }
    return assigned;
  }

  /** The next offset to read of each partition, where it is known or can be found. Errors: `kafkaUnavailable`, `consumerNotFound`. */
  async positions(): Promise<PartitionOffset[]> {
    if ((await this.assigned()).length > 0) await this.#findPositions();
    return this.#partitions.positions;
  }

  /** What the group has committed for its partitions. Errors: as Kafka has them; `kafkaUnavailable`, `consumerNotFound`. */
  async committed(): Promise<PartitionOffset[]> {
    const assigned = await this.assigned();
    if (assigned.length === 0) return [];
    try {
      return await this.#coordinator.committed(assigned, this.#requestLimits(), { isStable: false });
    } catch (error) {
      throw toBridgeError(error, { group: this.identity.group });
    }
  }

  /** Moves positions, one after another until one fails. Errors: `notAssigned`, `negativeOffset`, `consumerNotFound`. */
  async seek(offsets: readonly PartitionOffset[]): Promise<void> {
    await this.#run(async () => {
      this.#checkAlive();
      try {
        for (const { topic, partition, offset } of offsets) {
          if (offset < 0n) throw new BridgeError('negativeOffset');
          this.#seek({ topic, partition }, offset);
        }
      } finally {
        await this.#logged.keepSought(offsets);
      }
    });
  }

  /**
   * Moves positions to an end of their partitions, as it is now; of all that are assigned when none are given.
   * Errors: `notAssigned`, `kafkaUnavailable` (they are moved all the same, later), `consumerNotFound`.
   */
  async seekTo(end: OffsetSpec, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#run(async () => {
      this.#checkAlive();
      const sought = partitions.length === 0 ? this.#partitions.assigned : partitions;
      for (const partition of sought) this.#seek(partition, end);
      await this.#findPositions();
      await this.#logged.keepSought(sought);
    });
  }

  /**
   * Hands records to the client, and commits what the poll before delivered, if the consumer commits by itself: see
   * {@link Poller.answer}. Errors: also `consumerBusy` behind another poll.
   */
  async poll(request: PollRequest): Promise<void> {
    this.#lastPollAtMs = Date.now();
    await this.#explaining(() => this.#operations.poll((turn) => this.#poller.answer(request, turn), request));
  }

  /**
   * Commits positions as given, or those of everything that was delivered.
   * Errors: `commitRefused` when the group no longer knows the consumer, `kafkaRefused`, `kafkaUnavailable`.
   */
  async commit(offsets: readonly PartitionOffset[] | undefined): Promise<void> {
    await this.#run(async () => {
      this.#checkAlive();
      await this.#commits.commitForClient(offsets);
      await this.#logged.onCommitted(offsets ?? this.#partitions.positions);
    });
  }

  /**
   * Ends the consumer: a waiting poll is answered, what was delivered is committed if it commits by itself, and the
   * group is left. Never throws.
   */
  async close({ isCommitting }: { isCommitting: boolean }): Promise<void> {
    if (isCommitting) await this.#deliveries.settle();
    this.#end.abort();
    this.#poller.end();
    await this.#operations
      .run(async () => {
        if (isCommitting) await this.#commits.commitDelivered(within(CLOSE_TIMEOUT_MS));
        await this.#subscription.close(within(CLOSE_TIMEOUT_MS));
        await this.#fetcher.close();
      })
      .catch(() => {});
  }

  /** What another bridge needs to know to take it over. */
  get description(): SessionDescription {
    return this.#logged.description;
  }

  /** Goes on as another bridge described it: reads what that read, and joins the group in its place. */
  async restore({ subscription, seeks }: SessionDescription, limits: Limits): Promise<void> {
    await this.#operations.run(async () => {
      this.#logged.restore(seeks);
      await this.#subscription.restore(subscription);
      if (this.#subscription.state.kind !== 'subscribed') return;
      const { membership } = this.#subscription.state;
      if (membership !== undefined && (await this.#subscription.knowsTopics(limits))) await membership.join(limits);
    });
  }

  /** Another bridge owns it: nothing is committed any more, and whoever waits is told where to go. */
  fence(owner: string | undefined): void {
    this.#handOver({ kind: 'fenced', owner });
    void this.#fetcher.close();
  }

  /** Another bridge deleted it. */
  endElsewhere(): void {
    this.#handOver({ kind: 'closing' });
    void this.#fetcher.close();
  }

  /** For another bridge, in order. See {@link release}. */
  release(write: WriteDeparture, reason: { isClients: boolean }): Promise<void> {
    return release(this.#departing, write, reason);
  }

  /** To the bridge that has claimed it. See {@link handOver}. */
  handOver(write: WriteDeparture, successor: { owner: string; received: string | undefined }): Promise<void> {
    return handOver(this.#departing, write, successor);
  }

  /** Goes on where the owner before left off, in the partitions that it still has. */
  goOnAt(seeks: readonly LoggedSeek[]): void {
    const offsets = seeks.map(({ topic, partition, to }) => ({ topic, partition, offset: BigInt(to) }));
    this.#logged.goOnAt(offsets.filter((place) => this.#positions.seek(place, place.offset)));
  }

  get #departing(): Departing {
    return {
      operations: this.#operations,
      deliveries: this.#deliveries,
      logged: this.#logged,
      poller: this.#poller,
      checkAlive: () => this.#checkAlive(),
      depart: async (state) => {
        this.#handOver(state);
        await this.#fetcher.close();
      },
    };
  }

  /** A gateway handed the answer of this mark to the client. `isInPassing`: it says so with the client's own request. */
  confirmDelivery(mark: string, options: { isInPassing: boolean }): void {
    this.#deliveries.confirm(mark, options);
  }

  /** The client came again while this is being given up: it has its last answer, unless a gateway is to say so. */
  askedAgain(): void {
    this.#deliveries.askedAgain();
  }

  #handOver(state: EndedState): void {
    this.#subscription.handOver(state);
    this.#end.abort();
    this.#poller.end();
  }

  /** A change of what it reads: kept for whoever takes it over, before the client has its answer. */
  async #change(change: () => void | Promise<void>): Promise<void> {
    await this.#run(async () => {
      await change();
      await this.#logged.onChanged();
    });
  }

  /** An operation of the client, when its turn comes. Errors: also `consumerBusy` when that takes too long. */
  async #run(operation: () => Promise<void>): Promise<void> {
    await this.#explaining(() => this.#operations.run(operation, { isBounded: true }));
  }

  /** Tells whose fault it is that an operation had no turn, or no answer of Kafka: the client's, or Kafka's. */
  async #explaining(run: () => Promise<void>): Promise<void> {
    const startedAtMs = performance.now();
    try {
      await run();
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      const waitedMs = performance.now() - startedAtMs;
      // What is in the way waits for Kafka.
      if (error.code === 'consumerBusy' && waitedMs >= POLL_TURN_GRACE_MS) {
        await this.#liveness.confirm({ sinceMs: startedAtMs });
      }
      const isShort = this.options.requestTimeoutMs < this.#longestTimeoutMs;
      if (error.code !== 'kafkaUnavailable' || !isShort || !this.#liveness.isFresh) throw error;
      throw new BridgeError('kafkaUnavailable', { message: error.message, fault: FAULT_OF_REQUEST, cause: error });
    }
  }

  /** Errors: `consumerNotFound`; `misdirected` once it lives elsewhere. */
  #checkAlive(): void {
    checkAlive(this.#subscription.state);
  }

  /** Reads these partitions from now on, at first from where another bridge left them. */
  #read(partitions: readonly TopicPartition[]): void {
    this.#positions.assign(partitions);
    for (const place of this.#logged.onAssigned(partitions)) this.#positions.seek(place, place.offset);
  }

  /** Errors: `notAssigned`. */
  #seek(partition: TopicPartition, to: bigint | OffsetSpec): void {
    if (this.#positions.seek(partition, to)) return;
    const { topic, partition: number } = partition;
    throw new BridgeError('notAssigned', { message: `No current assignment for partition ${topic}-${number}` });
  }

  /** Errors: `kafkaUnavailable`. */
  async #findPositions(): Promise<void> {
    try {
      if (await this.#positions.find(this.#requestLimits())) return;
    } catch {
      // What cannot be found is for the next poll to tell.
      return;
    }
    throw new BridgeError('kafkaUnavailable');
  }

  #requestLimits(): Limits {
    return within(this.options.requestTimeoutMs);
  }
}
