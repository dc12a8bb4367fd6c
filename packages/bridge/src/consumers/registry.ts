/** The consumers of this bridge by name: finds, creates, lists and deletes them for the routes. */
import { randomUUID } from 'node:crypto';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { forbiddenConsumer } from '@causeway/protocol/forbidden.ts';
import type { SessionPage, SessionQuery } from '@causeway/protocol/sessions.ts';
import type { Logger } from 'pino';
import type { ClusterGate } from '../cluster-gate.ts';
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { belongsTo } from '../ownership/belonging.ts';
import type { ClusterPlace } from '../ownership/cluster-place.ts';
import { MOST_DELETED } from '../ownership/forgetting.ts';
import { Holdings } from '../ownership/holdings.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import { isEnding } from '../ownership/session-life.ts';
import type { SessionLog } from '../ownership/session-log.ts';
import { admit, type OnAdopted } from './adopt-on-request.ts';
import { LagWatch } from './lag-watch.ts';
import { resetPolicyOf } from './reset-policy.ts';
import { maxConsumersOf, type Sender } from './sender.ts';
import type { Session } from './session.ts';
import { SessionFactory } from './session-factory.ts';
import { listSessions } from './session-list.ts';
import type { SessionOptions } from './session-options.ts';
import { accessOf } from './topic-access.ts';

export interface RegistryDependencies {
  cluster: Cluster;
  log: Logger;
  sessionLog: SessionLog;
  /** This bridge, as `region/bridge`. */
  bridge: string;
  /** Prefix of generated names. */
  bridgeName: string;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  onAdopted: OnAdopted;
  /** `undefined` while there is one cluster. */
  gate?: ClusterGate | undefined;
  /** The same. */
  place?: ClusterPlace | undefined;
}

/** How often the bridge looks for idle consumers. */
const EXPIRY_INTERVAL_MS = 1000;
const RETRY_AFTER_SECONDS = 1;
/** By then some of the deleted sessions are forgotten. */
const DELETED_RETRY_AFTER_SECONDS = 10;
/** Consumers live long: sooner, few have gone. */
const TOO_MANY_RETRY_AFTER_SECONDS = 10;
/** A request to Kafka has its own time, and the work around it this one: less than a gateway's `request.attemptTimeoutMs`. */
const RESPONSE_MARGIN_MS = 2000;

export class ConsumerRegistry {
  readonly #dependencies: RegistryDependencies;
  readonly #factory: SessionFactory;
  readonly #holdings: Holdings<Session>;
  readonly #lagWatch: LagWatch;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(dependencies: RegistryDependencies) {
    this.#dependencies = dependencies;
    const { cluster, kafka, consumers, sessionLog, bridge, log, gate, place } = dependencies;
    this.#factory = new SessionFactory({ cluster, kafka, consumers, sessionCount: () => this.#holdings.size });
    this.#holdings = new Holdings({
      log,
      sessionLog,
      self: bridge,
      requestTimeoutMs: kafka.requestTimeoutMs,
      inactivityTimeoutMs: consumers.inactivityTimeoutMs,
      gate,
      place,
    });
    this.#lagWatch = new LagWatch({
      sessions: () => this.sessions(),
      requestTimeoutMs: kafka.requestTimeoutMs,
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS);
    this.#holdings.start();
    this.#lagWatch.start();
  }

  /** Releases every session, for other bridges: what was received is committed, and waiting polls respond now. */
  async close(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    this.#lagWatch.close();
    await this.#holdings.close();
  }

  /** A switch-over to another cluster begins: where the clients are is written for the bridges there. Never throws. */
  async releaseAll(): Promise<void> {
    await this.#holdings.releaseAll();
  }

  /** Another cluster is active. */
  drop(): void {
    this.#holdings.drop();
  }

  /** A page of the list for operators. */
  list(query: SessionQuery): SessionPage {
    return listSessions(this.#holdings.values(), this.#dependencies.bridge, query);
  }

  /** The sessions that are held here. */
  *sessions(): Generator<Session> {
    for (const { session } of this.#holdings.values()) yield session;
  }

  /** Options of consumers whose clients leave them out. */
  get defaults() {
    const { consumers, kafka } = this.#dependencies;
    return {
      resetPolicy: resetPolicyOf(consumers.defaultAutoOffsetReset) ?? 'latest',
      requestTimeoutMs: kafka.requestTimeoutMs,
      fetchMinBytes: consumers.defaultFetchMinBytes,
      isolationLevel: consumers.defaultIsolationLevel,
    };
  }

  /** Whether clients may create consumers. */
  get isEnabled(): boolean {
    return this.#dependencies.consumers.isEnabled;
  }

  /**
   * Settles like a client's operation, and rejects before gateways stop waiting; the operation continues then.
   * Errors: also `kafkaUnavailable`.
   */
  async inTime<T>(operation: () => Promise<T>): Promise<T> {
    const { kafka, gate } = this.#dependencies;
    const running = gate === undefined ? operation() : confirmed(operation, gate);
    return await bounded(running, within(kafka.requestTimeoutMs + RESPONSE_MARGIN_MS));
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

  /** Errors: `consumerExists` where a session of this name is held here; `forbidden` for another principal's. */
  checkFree(identity: SessionIdentity, sender: Sender): void {
    const held = this.#holdings.get(identity);
    if (held === undefined) return;
    throw belongsTo(held.claim.entry, sender.principal)
      ? new BridgeError('consumerExists')
      : forbidden(identity, sender);
  }

  /**
   * Errors: as {@link checkFree}, `misdirected` where the owner has to decide, `overloaded` at the limit, `tooManyConsumers` at the
   * principal's, `shuttingDown`, `kafkaUnavailable`.
   */
  async create(identity: SessionIdentity, options: SessionOptions, sender: Sender): Promise<void> {
    if (this.#isStopping) throw new BridgeError('shuttingDown');
    this.checkFree(identity, sender);
    this.#checkRoom();
    const created = await this.#holdings.create(
      {
        identity,
        origin: sender,
        principal: sender.principal,
        maxSessions: maxConsumersOf(sender),
        limits: this.#limits(),
      },
      { options, subscription: { kind: 'none' }, seeks: [] },
      (claim, ownership) => this.#factory.create(claim, ownership, { sender }),
    );
    switch (created.kind) {
      case 'created':
        this.#dependencies.log.info({ ...identity }, 'consumer created');
        return;
      case 'alreadyExists':
        throw new BridgeError('consumerExists');
      case 'forbidden':
        throw forbidden(identity, sender);
      case 'misdirected':
        throw new BridgeError('misdirected', { owner: created.owner });
      case 'tooMany':
        throw new BridgeError('tooManyConsumers', {
          message: `The quota maxConsumers (${maxConsumersOf(sender)}) is used up: delete a consumer, or wait until one has expired.`,
          retryAfterSeconds: TOO_MANY_RETRY_AFTER_SECONDS,
        });
      default:
        assertNever(created);
    }
  }

  /**
   * The session, adopted from another bridge where the request asks for that. A request of another principal than the session's
   * changes nothing.
   * Errors: `consumerNotFound`; `forbidden` for another principal's; `misdirected` for a gateway that is to ask another bridge;
   * `kafkaUnavailable`; `shuttingDown`.
   */
  async find(identity: SessionIdentity, sender: Sender): Promise<Session> {
    const held = this.#holdings.get(identity);
    if (held !== undefined && isEnding(held.claim.life)) throw new BridgeError('consumerNotFound');
    const own = held !== undefined && belongsTo(held.claim.entry, sender.principal) ? held : undefined;
    if (sender.via === 'gateway' && sender.delivered !== undefined) {
      own?.session.deliveries.confirm(sender.delivered, { isInPassing: true });
    }
    if (this.#isStopping) {
      own?.session.deliveries.askedAgain();
      await held?.departed();
      throw new BridgeError(sender.via === 'gateway' ? 'misdirected' : 'shuttingDown');
    }
    if (own !== undefined && sender.via === 'gateway' && sender.releaseReason !== undefined) {
      await own.release({ isClients: true });
      throw new BridgeError('misdirected');
    }
    // Its client comes with credentials for other rights in Kafka: the session begins again with those.
    if (own !== undefined && own.session.account !== this.#factory.accountOf(sender)) {
      await own.release({ isClients: true });
    }
    const admission = await this.#admit(identity, sender);
    switch (admission.kind) {
      case 'serve': {
        const session = this.#holdings.get(identity)?.session;
        if (session === undefined) throw new BridgeError('misdirected');
        session.permit(accessOf(sender));
        return session;
      }
      case 'forbidden':
        throw forbidden(identity, sender);
      case 'notFound':
        throw new BridgeError('consumerNotFound');
      case 'misdirected':
        throw new BridgeError('misdirected', { owner: admission.owner });
      default:
        return assertNever(admission);
    }
  }

  /** A gateway confirms a delivery without a request of the client. */
  confirmDelivery(identity: SessionIdentity, mark: string): void {
    this.#holdings.get(identity)?.session.deliveries.confirm(mark, { isInPassing: false });
  }

  /** Other requests do not find the session from the start of its delete. Errors: as {@link find}. */
  async delete(identity: SessionIdentity, sender: Sender): Promise<void> {
    await this.find(identity, sender);
    const held = this.#holdings.get(identity);
    if (held === undefined) throw new BridgeError('consumerNotFound');
    const outcome = await held.end({ isCommitting: true });
    // Another bridge has adopted it meanwhile.
    if (outcome.kind === 'fenced') throw new BridgeError('misdirected', { owner: outcome.owner });
    this.#dependencies.log.info({ ...identity }, 'consumer deleted');
  }

  /** Errors: `overloaded`. */
  #checkRoom(): void {
    const { consumers, sessionLog } = this.#dependencies;
    if (this.#holdings.size >= consumers.maxCount) {
      throw new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    if (sessionLog.deletedCount < MOST_DELETED) return;
    throw new BridgeError('overloaded', {
      message: 'Too many consumers were deleted in the last minute: use them longer, or retry later',
      retryAfterSeconds: DELETED_RETRY_AFTER_SECONDS,
    });
  }

  async #admit(identity: SessionIdentity, sender: Sender) {
    const { onAdopted } = this.#dependencies;
    const dependencies = { holdings: this.#holdings, factory: this.#factory, onAdopted };
    return await admit(dependencies, { identity, sender, limits: this.#limits() });
  }

  #expire(): void {
    const { consumers, log } = this.#dependencies;
    for (const held of this.#holdings.values()) {
      const { session, claim } = held;
      const idleMs = session.idleMs();
      session.rest();
      if (idleMs < consumers.inactivityTimeoutMs || isEnding(claim.life)) continue;
      const { identity } = session;
      log.info({ ...identity }, 'consumer expired');
      // Its client did not ask again: the last response may not have arrived.
      held.end({ isCommitting: false }).catch((error: unknown) => {
        log.warn({ ...identity, err: error }, 'an expired consumer is still in the session log');
      });
    }
  }

  #limits(): Limits {
    return within(this.#dependencies.kafka.requestTimeoutMs);
  }
}

async function confirmed<T>(operation: () => Promise<T>, gate: ClusterGate): Promise<T> {
  const { term } = gate;
  const result = await operation();
  const confirming = gate.confirm(term);
  if (confirming !== undefined) await confirming;
  return result;
}

function forbidden(identity: SessionIdentity, sender: Sender): BridgeError {
  return new BridgeError('forbidden', { message: forbiddenConsumer(sender.principal, identity) });
}
