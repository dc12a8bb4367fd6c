/** Puts the parts of a session together. */
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import type { Liveness } from '../kafka/client/liveness.ts';
import type { FetchBudget } from '../kafka/fetch/fetch-budget.ts';
import { Fetcher } from '../kafka/fetch/fetcher.ts';
import { GroupCoordinator } from '../kafka/group/coordinator.ts';
import type { PreparedJoin } from '../kafka/group/prepared-join.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { LoggedSeek } from '../ownership/session-entry.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import { partitionKey, type TopicPartition } from '../records.ts';
import { CommitGrace } from './commit-grace.ts';
import { Commits } from './commits.ts';
import { DeliveryLog } from './delivery.ts';
import { LoggedSession } from './logged-session.ts';
import { OperationQueue } from './operation-queue.ts';
import { Poller } from './poller.ts';
import { Positions } from './positions.ts';
import type { SessionAccount } from './session-account.ts';
import type { SessionOptions } from './session-options.ts';
import { Subscription } from './subscription.ts';
import type { TopicAccess } from './topic-access.ts';

export interface SessionDependencies {
  account: SessionAccount;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  fetchBudget: FetchBudget;
  /** Until its next heartbeat; longer while the bridge has many consumers. */
  heartbeatPauseMs: () => number;
  ownership: Ownership;
  liveness: Liveness;
  /** Of the request that led to the session here. */
  access: TopicAccess;
  /** Of a session that joins a group at once. */
  prepared?: PreparedJoin | undefined;
}

/** How long a broker waits for the minimum of bytes that the client asked for: Kafka's default of `fetch.max.wait.ms`. */
const MIN_BYTES_WAIT_MS = 500;

export class SessionParts {
  readonly fetcher: Fetcher;
  readonly coordinator: GroupCoordinator;
  readonly subscription: Subscription;
  readonly positions: Positions;
  readonly deliveries: DeliveryLog;
  readonly commits: Commits;
  readonly commitGrace = new CommitGrace();
  readonly logged: LoggedSession;
  readonly poller: Poller;
  readonly operations: OperationQueue;
  readonly #isAutoCommit: boolean;
  readonly #end = new AbortController();

  constructor(identity: SessionIdentity, options: SessionOptions, dependencies: SessionDependencies) {
    const { account, consumers, kafka, heartbeatPauseMs, ownership, liveness, access, prepared } = dependencies;
    const { cluster, topicListing } = account;
    this.#isAutoCommit = options.isAutoCommit;
    const fetcher = createFetcher(identity, options, dependencies);
    const { partitions } = fetcher;
    const coordinator = prepared?.coordinator ?? new GroupCoordinator(cluster, identity.group);
    const deliveries = new DeliveryLog(partitions, this.#end.signal);
    const subscription = new Subscription({
      identity,
      cluster,
      coordinator,
      kafka,
      consumers,
      topicListing,
      heartbeatPauseMs,
      requestTimeoutMs: options.requestTimeoutMs,
      access,
      prepared,
      ownership,
      events: {
        onRevoking: (limits) => this.#revoke(limits),
        onAssigned: (assigned) => this.#read(assigned),
        onChanged: () => fetcher.interrupt(),
      },
    });
    const commits = new Commits(options, { subscription, partitions, deliveries, ownership });
    const isReplicated = kafka.cluster !== undefined;
    const logged = new LoggedSession(options, { subscription, partitions, commits, ownership, isReplicated });
    const positions = new Positions(options, {
      cluster,
      coordinator,
      fetcher,
      // Or the next owner would begin at a later end, and skip what came between.
      onBegun: (found, limits) => logged.keepBegun(found, limits),
      begunOf: (lacking) => logged.begunOf(lacking),
    });
    this.fetcher = fetcher;
    this.coordinator = coordinator;
    this.deliveries = deliveries;
    this.subscription = subscription;
    this.commits = commits;
    this.logged = logged;
    this.positions = positions;
    this.poller = new Poller(options, {
      subscription,
      positions,
      fetcher,
      deliveries,
      commits,
      commitGrace: this.commitGrace,
      ownership,
      liveness,
      maxRecords: consumers.maxPollRecords,
    });
    this.operations = new OperationQueue(() => deliveries.settle());
  }

  /** A waiting poll responds now, later ones do not wait, and nothing waits for a response that is being written. */
  stop(): void {
    this.#end.abort();
    this.poller.end();
  }

  /** Continues where the previous owner handed over, in the partitions that are still assigned. */
  resumeAt(seeks: readonly LoggedSeek[]): void {
    const { assigned, unpositioned } = this.fetcher.partitions;
    const [isAssigned, isOpen] = [assigned, unpositioned].map((some) => new Set(some.map(keyOf)));
    for (const { topic, partition, to, isReceived = false } of seeks) {
      const place = { topic, partition, offset: BigInt(to) };
      if (isAssigned?.has(keyOf(place)) !== true) continue;
      this.logged.resumeAt(place, isReceived ? 'received' : 'sought');
      if (isReceived && isOpen?.has(keyOf(place)) === true) this.positions.continueAt([place]);
      else this.positions.seek(place, place.offset);
    }
  }

  /** Partitions may go now: the last chance to commit delivered records. */
  async #revoke(limits: Limits): Promise<void> {
    // Otherwise the client and the partition's next member would both get the records that are being written.
    await bounded(this.deliveries.settled(), limits).catch(() => {});
    await this.deliveries.settleMarked();
    if (!this.#isAutoCommit) await this.commitGrace.wait(limits);
    await this.commits.commitDelivered(limits);
  }

  /** Reads these partitions from now on, at first from where another bridge left them. */
  #read(partitions: readonly TopicPartition[]): void {
    this.positions.assign(partitions);
    const { sought, received } = this.logged.onAssigned(partitions);
    for (const place of sought) this.positions.seek(place, place.offset);
    this.positions.continueAt(received);
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}

function createFetcher(
  { name }: SessionIdentity,
  { resetPolicy, isolationLevel, fetchMinBytes }: SessionOptions,
  { account, consumers, kafka, fetchBudget }: SessionDependencies,
): Fetcher {
  return new Fetcher(account.cluster, resetPolicy === 'none' ? 'fail' : 'reset', {
    clientId: name,
    isolationLevel,
    minBytes: fetchMinBytes,
    maxBytes: consumers.fetchMaxBytes,
    partitionMaxBytes: consumers.partitionFetchMaxBytes,
    rack: kafka.clientRack,
    maxWaitMs: fetchMinBytes > 1 ? MIN_BYTES_WAIT_MS : consumers.fetchMaxWaitMs,
    isChecking: consumers.isChecksumCompared,
    requestTimeoutMs: kafka.requestTimeoutMs,
    budget: fetchBudget,
  });
}
