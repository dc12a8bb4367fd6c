/** Creates sessions, which share the bridge's view of Kafka, its limits and its list of topics. */
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { Liveness } from '../kafka/client/liveness.ts';
import { FetchBudget } from '../kafka/fetch/fetch-budget.ts';
import { PreparedJoin } from '../kafka/group/prepared-join.ts';
import type { WonClaim } from '../ownership/claims.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import { heartbeatPauseMs } from './heartbeats.ts';
import type { Sender } from './sender.ts';
import { Session } from './session.ts';
import type { SessionAccount } from './session-account.ts';
import { boundedOptions } from './session-options.ts';
import { accessOf } from './topic-access.ts';
import { TopicListing } from './topic-listing.ts';

export interface SessionFactoryOptions {
  cluster: Cluster;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  /** Sessions of this bridge: with more of them, each sends fewer heartbeats. */
  sessionCount: () => number;
}

export class SessionFactory {
  readonly #options: SessionFactoryOptions;
  readonly #liveness: Liveness;
  /** Of the bridge itself. */
  readonly #own: SessionAccount;
  readonly #fetchBudget: FetchBudget;
  readonly #heartbeatPauseMs: () => number;

  constructor(options: SessionFactoryOptions) {
    this.#options = options;
    const { cluster, kafka, consumers, sessionCount } = options;
    this.#liveness = new Liveness(cluster);
    this.#fetchBudget = new FetchBudget(consumers.maxFetchedBytes);
    const { topicRefreshMs: refreshMs } = consumers;
    const topicListing = new TopicListing(cluster, { refreshMs, requestTimeoutMs: kafka.requestTimeoutMs });
    this.#own = { cluster, topicListing, retain: () => () => {} };
    this.#heartbeatPauseMs = () => heartbeatPauseMs(kafka, sessionCount());
  }

  /** As whom the sessions of a sender use Kafka. */
  accountOf({ account }: Sender): SessionAccount {
    return account ?? this.#own;
  }

  /** The session of a claim that won, for the request that led to it. `prepared`: a join that was begun for it. */
  create(
    { entry, description }: WonClaim,
    ownership: Ownership,
    { sender, prepared }: { sender: Sender; prepared?: PreparedJoin | undefined },
  ): Session {
    const { kafka, consumers } = this.#options;
    return new Session(entry.identity, boundedOptions(description.options, kafka.requestTimeoutMs), {
      account: this.accountOf(sender),
      kafka,
      consumers,
      fetchBudget: this.#fetchBudget,
      heartbeatPauseMs: this.#heartbeatPauseMs,
      ownership,
      liveness: this.#liveness,
      access: accessOf(sender),
      prepared,
    });
  }

  /** Finds the coordinator of a group and connects to it, before it is certain that the session is this bridge's to serve. */
  prepareJoin({ group, name }: SessionIdentity, sender: Sender): PreparedJoin {
    const { kafka } = this.#options;
    const { cluster } = this.accountOf(sender);
    const { rebalanceTimeoutMs, requestTimeoutMs } = kafka;
    const timeoutMs = rebalanceTimeoutMs + requestTimeoutMs;
    return new PreparedJoin(cluster, { group, clientId: name, timeoutMs, requestTimeoutMs });
  }
}
