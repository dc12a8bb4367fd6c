/**
 * The accounts of clients whose identity the bridge uses in Kafka: finds that of a request by its credentials, which Kafka verifies,
 * bounds how many there are, and closes those that nothing uses.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { BridgeError } from '../../errors.ts';
import type { KafkaClientsConfig } from '../../kafka-config.ts';
import type { Cluster } from '../client/cluster.ts';
import { isUnauthenticated } from '../client/failure.ts';
import { type Limits, within } from '../client/limits.ts';
import { Account, type AccountBase } from './account.ts';
import { ClientIdentity, type ClientMechanisms, challengesOf, mechanismsOf, refused } from './client-identity.ts';
import { accountText, type Credentials, isSame, parseCredentials } from './credentials.ts';
import { RefusedCredentials } from './refused-credentials.ts';

export interface AccountsOptions<Work> {
  clients: KafkaClientsConfig;
  requestTimeoutMs: number;
  /** A cluster whose connections authenticate as the client. */
  createCluster: (identity: ClientIdentity) => Cluster;
  createWork: (account: AccountBase) => Work;
  /** Whether records wait for Kafka, though no request waits for them. */
  isBusy: (work: Work) => boolean;
  /** Finishes what it has taken over. Never rejects. */
  closeWork: (work: Work) => Promise<void>;
}

/** A request in an account; `leave` ends it. */
export interface Entry<Work> {
  account: Account<Work>;
  leave: () => void;
}

/** Credentials that Kafka accepted are verified again after this long: a password may have been changed. */
export const ACCEPTANCE_MS = 300_000;
/** A token whose time seems to be over, by the clock of this machine, is verified this often. */
const MIN_ACCEPTANCE_MS = 1000;
/** Of one account, when its clients use several. */
const MAX_ACCEPTED = 16;
/** Verifications at a time: each costs a connection, and brokers delay their refusals. */
export const MAX_VERIFYING = 64;
const RETRY_AFTER_SECONDS = 1;
const SWEEPS_PER_IDLE_TIME = 4;
const LONGEST_SWEEP_INTERVAL_MS = 10_000;

export class Accounts<Work> {
  readonly #options: AccountsOptions<Work>;
  readonly #mechanisms: ClientMechanisms;
  readonly #challenges: readonly string[];
  /** So that no key of a map could be guessed, or used elsewhere. */
  readonly #hashKey = randomBytes(32);
  /** By the hash of their {@link accountText}, the one that was used least recently first. */
  readonly #accounts = new Map<string, Account<Work>>();
  /** By the hash of the credentials: the key of the account that Kafka accepted them for. */
  readonly #accepted = new Map<string, string>();
  readonly #refused = new RefusedCredentials();
  /** By the hash of the credentials. */
  readonly #verifying = new Map<string, Promise<string>>();
  readonly #closing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #refusedCount = 0;
  #isClosed = false;

  constructor(options: AccountsOptions<Work>) {
    this.#options = options;
    this.#mechanisms = mechanismsOf(options.clients);
    this.#challenges = challengesOf(this.#mechanisms);
  }

  start(): void {
    const intervalMs = Math.min(LONGEST_SWEEP_INTERVAL_MS, this.#options.clients.idleMs / SWEEPS_PER_IDLE_TIME);
    this.#timer = setInterval(() => this.#closeIdle(), intervalMs);
    this.#timer.unref();
  }

  get count(): number {
    return this.#accounts.size;
  }

  /** Requests whose credentials Kafka refused, or that had none. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Finishes what the accounts have taken over, and closes their connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const key of [...this.#accounts.keys()]) this.#close(key);
    await Promise.all(this.#closing);
  }

  /**
   * The account of a request; a promise only where Kafka has to verify the credentials.
   * Errors: `unauthenticated`; `overloaded` when all accounts are in use; `kafkaUnavailable`; `internal`.
   */
  enter(authorization: string | undefined): Entry<Work> | Promise<Entry<Work>> {
    if (authorization === undefined) throw this.#refusal();
    const hash = this.#hash(authorization);
    return this.#enterAccepted(hash) ?? this.#enterVerified(authorization, hash);
  }

  /** `undefined` where Kafka has to verify the credentials. */
  #enterAccepted(hash: string): Entry<Work> | undefined {
    const key = this.#accepted.get(hash);
    const account = key === undefined ? undefined : this.#accounts.get(key);
    const accepted = account?.accepted.get(hash);
    if (key === undefined || account === undefined || accepted === undefined) return undefined;
    if (performance.now() >= accepted.untilMs) return undefined;
    // Those that connections used are not valid any more, and these are.
    if (account.identity.isRefused) account.identity.use(accepted.credentials);
    this.#touch(key, account);
    return { account, leave: account.retain() };
  }

  async #enterVerified(authorization: string, hash: string): Promise<Entry<Work>> {
    const credentials = parseCredentials(authorization, this.#options.clients.principalClaim);
    if (credentials === undefined || this.#mechanisms[credentials.kind] === undefined) throw this.#refusal();
    if (this.#refused.has(hash, performance.now())) throw this.#refusal();
    let verifying = this.#verifying.get(hash);
    if (verifying === undefined) {
      // Those that Kafka accepted before are few, and must not wait for a flood of others.
      const isKnown = this.#accepted.has(hash);
      if (!isKnown && this.#verifying.size >= MAX_VERIFYING) throw overloaded('verifies as many credentials as it can');
      verifying = this.#verify(credentials, hash).finally(() => this.#verifying.delete(hash));
      this.#verifying.set(hash, verifying);
    }
    try {
      await verifying;
    } catch (error) {
      if (isUnauthenticated(error)) this.#refusedCount += 1;
      throw error;
    }
    const entry = this.#enterAccepted(hash);
    if (entry === undefined) throw overloaded('has no room for its account');
    return entry;
  }

  /** Returns the key of the account that the credentials are for. Errors: as {@link enter}. */
  async #verify(credentials: Credentials, hash: string): Promise<string> {
    const key = this.#hash(accountText(credentials));
    this.#makeRoom(key);
    const identity = this.#identityFor(credentials);
    // Its connections are of no account until Kafka has accepted the credentials.
    const cluster = this.#options.createCluster(identity);
    try {
      await cluster.authenticate(this.#limits());
    } catch (error) {
      void cluster.close();
      if (isUnauthenticated(error)) {
        this.#refused.add(hash, performance.now());
        this.#accounts.get(key)?.identity.refuse(credentials);
        this.#forget(credentials);
      }
      throw error;
    }
    const known = this.#accounts.get(key);
    if (known === undefined) {
      try {
        if (this.#isClosed) throw new BridgeError('shuttingDown');
        this.#makeRoom(key);
      } catch (error) {
        void cluster.close();
        throw error;
      }
      const account = new Account(cluster, identity, this.#options.createWork);
      this.#accounts.set(key, account);
      this.#accept(key, account, { credentials, hash });
      return key;
    }
    void cluster.close();
    known.identity.use(credentials);
    this.#accept(key, known, { credentials, hash });
    return key;
  }

  #identityFor(credentials: Credentials): ClientIdentity {
    const mechanism = this.#mechanisms[credentials.kind];
    if (mechanism === undefined) throw this.#refusal();
    return new ClientIdentity(credentials, {
      mechanism,
      challenges: this.#challenges,
      // The connection may have begun with credentials before these: the next request finds out.
      onRefused: (rejected) => this.#forget(rejected),
    });
  }

  #accept(
    key: string,
    { accepted }: Account<Work>,
    { credentials, hash }: { credentials: Credentials; hash: string },
  ): void {
    // Kafka decides when a token ends: a clock that is wrong makes the bridge ask early, or a little late.
    const leftMs = credentials.kind === 'token' ? credentials.expiresAtMs - Date.now() : Number.POSITIVE_INFINITY;
    const acceptanceMs = Math.min(ACCEPTANCE_MS, Math.max(MIN_ACCEPTANCE_MS, leftMs));
    accepted.delete(hash);
    accepted.set(hash, { credentials, untilMs: performance.now() + acceptanceMs });
    this.#accepted.set(hash, key);
    const [oldest] = accepted.keys();
    if (oldest === undefined || accepted.size <= MAX_ACCEPTED) return;
    accepted.delete(oldest);
    this.#accepted.delete(oldest);
  }

  /** Kafka verifies these credentials again before the next request with them is served. */
  #forget(rejected: Credentials): void {
    const account = this.#accounts.get(this.#hash(accountText(rejected)));
    if (account === undefined) return;
    for (const [hash, { credentials }] of account.accepted) {
      if (!isSame(credentials, rejected)) continue;
      account.accepted.delete(hash);
      this.#accepted.delete(hash);
    }
  }

  #touch(key: string, account: Account<Work>): void {
    this.#accounts.delete(key);
    this.#accounts.set(key, account);
  }

  /** Closes the account that was used least recently, if there is no room for another one. Errors: `overloaded`. */
  #makeRoom(key: string): void {
    if (this.#accounts.has(key) || this.#accounts.size < this.#options.clients.maxCount) return;
    for (const [oldest, account] of this.#accounts) {
      if (this.#isInUse(account)) continue;
      this.#close(oldest);
      return;
    }
    throw overloaded('serves as many clients with identities of their own as it may (kafka.clients.maxCount)');
  }

  #closeIdle(): void {
    const nowMs = performance.now();
    for (const [key, account] of this.#accounts) {
      if (!this.#isInUse(account) && account.idleMs(nowMs) >= this.#options.clients.idleMs) this.#close(key);
    }
  }

  #isInUse(account: Account<Work>): boolean {
    return account.useCount > 0 || this.#options.isBusy(account.work);
  }

  #close(key: string): void {
    const account = this.#accounts.get(key);
    if (account === undefined) return;
    this.#accounts.delete(key);
    for (const hash of account.accepted.keys()) this.#accepted.delete(hash);
    const closing = this.#options
      .closeWork(account.work)
      .then(() => account.cluster.close())
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #refusal(): BridgeError {
    this.#refusedCount += 1;
    return refused(this.#challenges);
  }

  #hash(text: string): string {
    return createHmac('sha256', this.#hashKey).update(text).digest('base64');
  }

  #limits(): Limits {
    return within(this.#options.requestTimeoutMs);
  }
}

function overloaded(reason: string): BridgeError {
  return new BridgeError('overloaded', {
    message: `The bridge ${reason}; please retry later`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
