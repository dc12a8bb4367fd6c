/** The consumers of this bridge: those that it serves, how it comes by others, and when it gives them up. */

import { randomUUID } from 'node:crypto';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { SessionPage, SessionQuery } from '@causeway/protocol/sessions.ts';
import type { Logger } from 'pino';
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { Liveness } from '../kafka/client/liveness.ts';
import { FetchBudget } from '../kafka/fetch/fetch-budget.ts';
import { PreparedJoin } from '../kafka/group/prepared-join.ts';
import { type Admission, Adoption, type AdoptionStage, type Successor } from '../ownership/adoption.ts';
import { Claims, type Loss, type WonClaim } from '../ownership/claims.ts';
import { HeldClaim } from '../ownership/held-claim.ts';
import { Leases } from '../ownership/leases.ts';
import { type LoggedEntry, sessionKey } from '../ownership/session-entry.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import { MOST_DELETED, type SessionLog } from '../ownership/session-log.ts';
import { heartbeatPauseMs } from './heartbeats.ts';
import { HeldSession } from './held-session.ts';
import { LagWatch } from './lag-watch.ts';
import { resetPolicyOf } from './reset-policy.ts';
import type { Sender } from './sender.ts';
import { Session } from './session.ts';
import { listSessions } from './session-list.ts';
import { boundedOptions, type SessionOptions } from './session-options.ts';
import { TopicListing } from './topic-listing.ts';
import { Upkeep } from './upkeep.ts';

export interface RegistryDependencies {
  cluster: Cluster;
  log: Logger;
  sessionLog: SessionLog;
  /** This bridge, as `region/bridge`. */
  bridge: string;
  /** Begins the names that are generated. */
  bridgeName: string;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  /** A session came from another bridge: how long that took, and each stage of it. */
  onAdopted: (durationMs: number, stagesMs: ReadonlyMap<AdoptionStage, number>) => void;
}

/** How often consumers that nobody uses are looked for. */
const EXPIRY_INTERVAL_MS = 1000;
const RETRY_AFTER_SECONDS = 1;
/** By then some of the sessions that are over are forgotten. */
const DELETED_RETRY_AFTER_SECONDS = 10;
/** A request to Kafka has its time, and what stands around it this one: less than a gateway's `request.attemptTimeoutMs`. */
const ANSWER_MARGIN_MS = 2000;
/** A session that was adopted is served when its group has it, at the latest after this long. */
const RESTORE_TIMEOUT_MS = 2000;

export class ConsumerRegistry {
  readonly #dependencies: RegistryDependencies;
  readonly #instance = randomUUID();
  /** Other processes that write under this bridge's name: each is reported once. */
  readonly #namesakes = new Set<string>();
  readonly #claims: Claims;
  readonly #leases: Leases;
  readonly #adoption: Adoption;
  readonly #sessions = new Map<string, HeldSession>();
  /** Sessions that are being deleted: gone for everybody. */
  readonly #ending = new Set<string>();
  readonly #liveness: Liveness;
  readonly #topicListing: TopicListing;
  readonly #fetchBudget: FetchBudget;
  readonly #upkeep: Upkeep;
  readonly #lagWatch: LagWatch;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(dependencies: RegistryDependencies) {
    this.#dependencies = dependencies;
    const { cluster, kafka, consumers, sessionLog, bridge } = dependencies;
    this.#liveness = new Liveness(cluster);
    this.#fetchBudget = new FetchBudget(consumers.maxFetchedBytes);
    this.#topicListing = new TopicListing(cluster, {
      refreshMs: consumers.topicRefreshMs,
      requestTimeoutMs: kafka.requestTimeoutMs,
    });
    this.#claims = new Claims({
      log: sessionLog,
      self: bridge,
      instance: this.#instance,
      inactivityTimeoutMs: consumers.inactivityTimeoutMs,
    });
    this.#leases = new Leases(sessionLog);
    this.#adoption = new Adoption({
      log: sessionLog,
      self: bridge,
      claims: this.#claims,
      leases: this.#leases,
      holdingOf: (identity) => this.#sessions.get(sessionKey(identity))?.ownership.claim.entry,
    });
    this.#upkeep = new Upkeep({
      claims: this.#claims,
      entries: () => sessionLog.entries(),
      readableSinceMs: () => sessionLog.readableSinceMs,
      isOwnerGone: (entry, limits) => this.#adoption.isOwnerGone(entry, limits),
      held: () => this.#sessions.values(),
      inactivityTimeoutMs: consumers.inactivityTimeoutMs,
      limits: () => this.#limits(),
    });
    this.#lagWatch = new LagWatch({
      cluster,
      sessions: () => this.sessions(),
      requestTimeoutMs: kafka.requestTimeoutMs,
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS);
    this.#upkeep.start();
    this.#lagWatch.start();
  }

  /** Those that operators ask for. */
  list(query: SessionQuery): SessionPage {
    return listSessions(this.#sessions.values(), this.#dependencies.bridge, query);
  }

  /** Those that are served here. */
  *sessions(): Generator<Session> {
    for (const { session } of this.#sessions.values()) yield session;
  }

  /** Defaults for what a client does not say. */
  get defaults() {
    const { consumers, kafka } = this.#dependencies;
    return {
      resetPolicy: resetPolicyOf(consumers.defaultAutoOffsetReset) ?? 'latest',
      requestTimeoutMs: kafka.requestTimeoutMs,
      fetchMinBytes: consumers.defaultFetchMinBytes,
    };
  }

  /** Whether consumers may be created at all. */
  get isEnabled(): boolean {
    return this.#dependencies.consumers.isEnabled;
  }

  /**
   * Settles like what a client asks for, at the latest when gateways no longer wait for the answer; it goes on then.
   * Errors: also `kafkaUnavailable`.
   */
  async inTime<T>(operation: () => Promise<T>): Promise<T> {
    return await bounded(operation(), within(this.#dependencies.kafka.requestTimeoutMs + ANSWER_MARGIN_MS));
  }

  /** Of one subscription. */
  get maxTopics(): number {
    return this.#dependencies.consumers.maxTopics;
  }

  /** Entries of one commit, seek or assignment. */
  get maxPartitions(): number {
    return this.#dependencies.consumers.maxPartitions;
  }

  generateName(): string {
    return `${this.#dependencies.bridgeName}-${randomUUID()}`;
  }

  /** Whether it is served here. */
  has(identity: SessionIdentity): boolean {
    return this.#sessions.has(sessionKey(identity));
  }

  /**
   * Errors: `consumerExists`, `misdirected` where the owner has to say so, `overloaded` at the limit, `shuttingDown`,
   * `kafkaUnavailable`.
   */
  async create(identity: SessionIdentity, options: SessionOptions, sender: Sender): Promise<void> {
    const { log, consumers, sessionLog } = this.#dependencies;
    if (this.#isStopping) throw new BridgeError('shuttingDown');
    if (this.has(identity)) throw new BridgeError('consumerExists');
    if (this.#sessions.size >= consumers.maxCount) {
      throw new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    if (sessionLog.deletedCount >= MOST_DELETED) {
      throw new BridgeError('overloaded', {
        message: 'Too many consumers were deleted in the last minute: use them longer, or retry later',
        retryAfterSeconds: DELETED_RETRY_AFTER_SECONDS,
      });
    }
    const created = await this.#adoption.create(
      { identity, origin: sender, limits: this.#limits() },
      { options, subscription: { kind: 'none' }, seeks: [] },
      (claim) => this.#serve(this.#sessionOf(claim)),
    );
    switch (created.kind) {
      case 'created':
        log.info({ ...identity }, 'consumer created');
        return;
      case 'alreadyExists':
        throw new BridgeError('consumerExists');
      case 'misdirected':
        throw new BridgeError('misdirected', { owner: created.owner });
      default:
        assertNever(created);
    }
  }

  /**
   * The session, taken over from another bridge if that is to be.
   * Errors: `consumerNotFound`; `misdirected` for a gateway that is to ask another bridge; `kafkaUnavailable`;
   * `shuttingDown`.
   */
  async find(identity: SessionIdentity, sender: Sender): Promise<Session> {
    const key = sessionKey(identity);
    if (this.#ending.has(key)) throw new BridgeError('consumerNotFound');
    const held = this.#sessions.get(key);
    if (sender.via === 'gateway' && sender.delivered !== undefined) {
      held?.session.confirmDelivery(sender.delivered, { isInPassing: true });
    }
    if (this.#isStopping) {
      held?.session.askedAgain();
      await held?.releasing;
      throw new BridgeError(sender.via === 'gateway' ? 'misdirected' : 'shuttingDown');
    }
    if (held !== undefined && sender.via === 'gateway' && sender.releaseReason !== undefined) {
      await this.#release(held, { isClients: true });
      throw new BridgeError('misdirected');
    }
    const admission = await this.#admit(identity, sender);
    switch (admission.kind) {
      case 'serve': {
        const session = this.#sessions.get(key)?.session;
        if (session === undefined) throw new BridgeError('misdirected');
        return session;
      }
      case 'notFound':
        throw new BridgeError('consumerNotFound');
      case 'misdirected':
        throw new BridgeError('misdirected', { owner: admission.owner });
      default:
        return assertNever(admission);
    }
  }

  /** A gateway handed an answer to the client, which has not asked again since. */
  confirmDelivery(identity: SessionIdentity, mark: string): void {
    this.#sessions.get(sessionKey(identity))?.session.confirmDelivery(mark, { isInPassing: false });
  }

  /** Gone for other requests at once. Errors: as {@link find}. */
  async delete(identity: SessionIdentity, sender: Sender): Promise<void> {
    await this.find(identity, sender);
    const held = this.#sessions.get(sessionKey(identity));
    if (held === undefined) throw new BridgeError('consumerNotFound');
    await this.#end(held, { isCommitting: true });
    this.#dependencies.log.info({ ...identity }, 'consumer deleted');
  }

  /** A bridge wrote of a session. Two of one name answer for each other, and neither can adopt from the other in order. */
  onWritten({ value: { owner, instance } }: LoggedEntry): void {
    const { bridge, log } = this.#dependencies;
    if (owner !== bridge || instance === undefined || instance === this.#instance || this.#namesakes.has(instance))
      return;
    this.#namesakes.add(instance);
    log.warn(
      { bridge, instance },
      'another process writes the session log under the name of this bridge: names must be unique',
    );
  }

  /** The session log says something else of a session. */
  onLogged(identity: SessionIdentity): void {
    const held = this.#sessions.get(sessionKey(identity));
    if (held === undefined || held.releasing !== undefined) return;
    const decision = held.ownership.decide();
    if (decision.kind !== 'keep') this.#lose(held, decision);
  }

  /** Another bridge lost a session, and has given it up. */
  onHandedOver(identity: SessionIdentity): void {
    this.#adoption.onHandedOver(identity);
  }

  /** Another bridge is asked to create a session that lives here: the owner says that it lives. */
  onAsked(identity: SessionIdentity): void {
    const held = this.#sessions.get(sessionKey(identity));
    if (held === undefined || held.releasing !== undefined) return;
    // What fails counts as no answer.
    held.ownership.record(held.session.description).catch(() => {});
  }

  /** The session log was deleted: what it said of the consumers of this bridge is written again. Never throws. */
  async writeAgain(): Promise<void> {
    const held = [...this.#sessions.values()].filter(({ releasing }) => releasing === undefined);
    const { log } = this.#dependencies;
    log.warn({ count: held.length }, 'the session log was made anew: the consumers of this bridge are written again');
    await Promise.all(held.map(({ session, ownership }) => ownership.writeAgain(session.description)));
  }

  /** Gives every session up, for other bridges: what was received is committed, and waiting polls answer now. */
  async close(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    this.#upkeep.close();
    this.#lagWatch.close();
    await Promise.all([...this.#sessions.values()].map((held) => this.#release(held, { isClients: false })));
  }

  async #admit(identity: SessionIdentity, sender: Sender): Promise<Admission> {
    const startedAtMs = performance.now();
    const stagesMs = new Map<AdoptionStage, number>();
    let stageAtMs = startedAtMs;
    let prepared: PreparedJoin | undefined;
    try {
      const request = { identity, origin: sender, received: receivedBy(sender), limits: this.#limits() };
      const admission = await this.#adoption.admit(request, (claim) => this.#succeed(claim, prepared), {
        onClaiming: ({ subscription: { kind } }) => {
          if (kind === 'topics' || kind === 'pattern') prepared ??= this.#prepareJoin(identity);
        },
        onStageEnded: (stage) => {
          const nowMs = performance.now();
          stagesMs.set(stage, (stagesMs.get(stage) ?? 0) + nowMs - stageAtMs);
          stageAtMs = nowMs;
        },
      });
      if (stagesMs.has('join')) this.#dependencies.onAdopted(stageAtMs - startedAtMs, stagesMs);
      return admission;
    } finally {
      prepared?.close();
    }
  }

  #prepareJoin({ group, name }: SessionIdentity): PreparedJoin {
    const { cluster, kafka } = this.#dependencies;
    const { rebalanceTimeoutMs, requestTimeoutMs } = kafka;
    const timeoutMs = rebalanceTimeoutMs + requestTimeoutMs;
    return new PreparedJoin(cluster, { group, clientId: name, timeoutMs, requestTimeoutMs });
  }

  #succeed(claim: WonClaim, prepared: PreparedJoin | undefined): Successor {
    const held = this.#sessionOf(claim, prepared);
    const { session } = held;
    return {
      // What fails is told to whoever polls.
      joined: session.restore(claim.description, within(RESTORE_TIMEOUT_MS)).catch(() => {}),
      serve: (handedOver) => {
        if (handedOver !== undefined) session.goOnAt(handedOver.seeks);
        this.#serve(held);
        this.#dependencies.log.info({ ...session.identity, epoch: claim.entry.epoch }, 'consumer adopted');
      },
      abandon: () => session.fence(undefined),
    };
  }

  /** From now on. */
  #serve(held: HeldSession): void {
    const { identity, stateKind } = held.session;
    if (stateKind === 'fenced') return;
    this.#sessions.set(sessionKey(identity), held);
    // What was logged until now concerned nobody here.
    this.onLogged(identity);
  }

  #sessionOf(claim: WonClaim, prepared?: PreparedJoin): HeldSession {
    const { cluster, kafka, consumers, log, sessionLog } = this.#dependencies;
    const { identity } = claim.entry;
    const ownership = new HeldClaim({ claims: this.#claims, leases: this.#leases }, claim, {
      limits: () => this.#limits(),
      onLost: (loss) => this.#lose(held, loss),
    });
    const session = new Session(identity, boundedOptions(claim.description.options, kafka.requestTimeoutMs), {
      cluster,
      kafka,
      consumers,
      topicListing: this.#topicListing,
      fetchBudget: this.#fetchBudget,
      heartbeatPauseMs: () => heartbeatPauseMs(kafka, this.#sessions.size),
      ownership,
      liveness: this.#liveness,
      prepared,
      // Whoever joined in its place has written so, or will be asked for it again.
      onFenced: () => {
        if (this.#sessions.get(sessionKey(identity)) === held) this.#lose(held, { kind: 'fenced', owner: undefined });
        else session.fence(undefined);
      },
    });
    const held = new HeldSession(session, ownership, { log, sessionLog, limits: () => this.#limits() });
    return held;
  }

  /** Another bridge has it: nothing is done for it any more. */
  #lose(held: HeldSession, loss: Loss | { kind: 'fenced'; owner: undefined }): void {
    if (!this.#remove(held)) return;
    const { log } = this.#dependencies;
    const { identity } = held.session;
    if (loss.kind === 'ended') {
      log.info({ ...identity }, 'consumer was deleted elsewhere');
      held.session.endElsewhere();
    } else {
      log.info({ ...identity, owner: loss.owner }, 'consumer was taken over');
      void held.handOver();
    }
  }

  async #release(held: HeldSession, reason: { isClients: boolean }): Promise<void> {
    await held.release(reason);
    this.#remove(held);
  }

  /** Ends a session for good. Errors: `kafkaUnavailable`: then it is still there for whoever asks again. */
  async #end(held: HeldSession, options: { isCommitting: boolean }): Promise<void> {
    const key = sessionKey(held.session.identity);
    this.#ending.add(key);
    try {
      await held.end(options);
    } finally {
      this.#remove(held);
      this.#ending.delete(key);
    }
  }

  #remove(held: HeldSession): boolean {
    const key = sessionKey(held.session.identity);
    return this.#sessions.get(key) === held && this.#sessions.delete(key);
  }

  #expire(): void {
    const { consumers, log } = this.#dependencies;
    for (const held of this.#sessions.values()) {
      const { identity } = held.session;
      const idleMs = held.session.idleMs();
      held.session.rest();
      if (idleMs < consumers.inactivityTimeoutMs || this.#ending.has(sessionKey(identity))) continue;
      log.info({ ...identity }, 'consumer expired');
      // Nobody came back for more, so nobody says that the last answer was received.
      this.#end(held, { isCommitting: false }).catch((error: unknown) => {
        log.warn({ ...identity, err: error }, 'an expired consumer is still in the session log');
      });
    }
  }

  #limits(): Limits {
    return within(this.#dependencies.kafka.requestTimeoutMs);
  }
}

/** The mark of the client's last answer, where its gateway says so. */
function receivedBy(sender: Sender): string | undefined {
  return sender.via === 'gateway' ? sender.delivered : undefined;
}
