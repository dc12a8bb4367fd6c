/**
 * The sessions that this bridge holds: creates and adopts them, reacts to what the session log says about them, and releases all when
 * the bridge stops.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ClusterGate } from '../cluster-gate.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import {
  type Admission,
  Adoption,
  type AdoptionProgress,
  type Creation,
  type SessionRequest,
  type Successor,
} from './adoption.ts';
import { Claims, type WonClaim } from './claims.ts';
import type { ClusterPlace } from './cluster-place.ts';
import { type Begin, HeldSession, type HeldSessionDependencies } from './held-session.ts';
import { Leases } from './leases.ts';
import type { ServedSession } from './served-session.ts';
import { type LoggedEntry, type SessionDescription, sessionKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionLog } from './session-log.ts';
import type { SessionLogFollower } from './session-log-partitions.ts';
import { Upkeep } from './upkeep.ts';

export interface HoldingsOptions {
  log: Logger;
  sessionLog: SessionLog;
  /** This bridge, as `region/bridge`. */
  self: string;
  requestTimeoutMs: number;
  inactivityTimeoutMs: number;
  /** `undefined` while there is one cluster. */
  gate?: ClusterGate | undefined;
  /** The same. */
  place?: ClusterPlace | undefined;
}

/** An adopted session is served when its group has it, at the latest after this long. */
const RESTORE_TIMEOUT_MS = 2000;

export class Holdings<S extends ServedSession> implements SessionLogFollower {
  readonly #options: HoldingsOptions;
  readonly #instance = randomUUID();
  /** Other processes that write under this bridge's name: each is reported once. */
  readonly #namesakes = new Set<string>();
  readonly #sessions = new Map<string, HeldSession<S>>();
  readonly #adoption: Adoption;
  readonly #upkeep: Upkeep;
  readonly #shared: HeldSessionDependencies;
  #isClosing = false;

  constructor(options: HoldingsOptions) {
    this.#options = options;
    const { log, sessionLog, self, requestTimeoutMs, inactivityTimeoutMs, gate, place } = options;
    const claims = new Claims({ log: sessionLog, self, instance: this.#instance, inactivityTimeoutMs, place });
    const leases = new Leases(sessionLog, gate);
    this.#shared = { log, sessionLog, claims, leases, requestTimeoutMs, remove: (held) => this.#remove(held) };
    this.#adoption = new Adoption({
      log: sessionLog,
      self,
      claims,
      leases,
      place,
      holdingOf: (identity) => this.get(identity)?.claim.entry,
    });
    this.#upkeep = new Upkeep({
      log: sessionLog,
      claims,
      self,
      held: () => this.#sessions.values(),
      isOwnerGone: (entry, limits) => this.#adoption.isOwnerGone(entry, limits),
      inactivityTimeoutMs,
      isResting: () => gate?.refusal() !== undefined,
      limits: () => this.#limits(),
    });
    sessionLog.follow(this);
  }

  start(): void {
    this.#upkeep.start();
  }

  /** Releases every session, for other bridges; also those that are being created or adopted. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#upkeep.close();
    do {
      const releases = [...this.#sessions.values()].map((held) => held.release({ isClients: false }));
      await Promise.all([this.#adoption.settled(), ...releases]);
      // A release that a delete overtakes leaves the session to the delete.
    } while (this.#sessions.size > 0);
  }

  /** Releases every session while a switch-over to another cluster begins: what is written now moves, too. Never throws. */
  async releaseAll(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((held) => held.release({ isClients: false })));
  }

  /** Stops serving every session at once: bridges of another cluster own them. */
  drop(): void {
    for (const held of [...this.#sessions.values()]) held.drop();
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(identity: SessionIdentity): HeldSession<S> | undefined {
    return this.#sessions.get(sessionKey(identity));
  }

  values(): IterableIterator<HeldSession<S>> {
    return this.#sessions.values();
  }

  /** Creates a session with this description, and serves it. Errors: as {@link Adoption.create}. */
  async create(request: SessionRequest, description: SessionDescription, begin: Begin<S>): Promise<Creation> {
    return await this.#adoption.create(request, description, (claim) => this.#serve(this.#claimed(claim, begin)));
  }

  /** Decides which bridge serves a request, and adopts the session if that is to be this one. Errors: as {@link Adoption.admit}. */
  async admit(request: SessionRequest, begin: Begin<S>, progress: AdoptionProgress): Promise<Admission> {
    return await this.#adoption.admit(request, (claim) => this.#succeed(claim, begin), progress);
  }

  onWritten({ value: { owner, instance } }: LoggedEntry): void {
    const { self, log } = this.#options;
    if (owner !== self || instance === undefined || instance === this.#instance || this.#namesakes.has(instance))
      return;
    this.#namesakes.add(instance);
    // Two of one name answer for each other, and neither can adopt from the other in order.
    log.warn(
      { bridge: self, instance },
      'another process writes the session log under the name of this bridge: names must be unique',
    );
  }

  onChanged(identity: SessionIdentity): void {
    this.get(identity)?.onLogged();
  }

  /** The owner of a session writes its entry again. */
  onAsked(identity: SessionIdentity): void {
    const held = this.get(identity);
    if (held?.isAnswering !== true) return;
    // A write that fails counts as no answer.
    held.record().catch(() => {});
  }

  onHandedOver(identity: SessionIdentity): void {
    this.#adoption.onHandedOver(identity);
  }

  onUnreadable(place: { partition: number; offset: bigint }): void {
    this.#options.log.warn(place, 'a record of the session log cannot be read, and is skipped');
  }

  async onRecreated(): Promise<void> {
    const held = [...this.#sessions.values()].filter(({ isAnswering }) => isAnswering);
    this.#options.log.warn(
      { count: held.length },
      'the session log was recreated: this bridge writes the entries of its consumers again',
    );
    await Promise.all(held.map(({ claim, session }) => claim.writeAgain(session.logged.description)));
  }

  #claimed(claim: WonClaim, begin: Begin<S>): HeldSession<S> {
    return new HeldSession(this.#shared, claim, begin);
  }

  #succeed(claim: WonClaim, begin: Begin<S>): Successor {
    const held = this.#claimed(claim, begin);
    const { session } = held;
    return {
      // The next poll reports what fails.
      joined: session.restore(claim.description, within(RESTORE_TIMEOUT_MS)).catch(() => {}),
      serve: (handedOver) => {
        if (handedOver !== undefined) session.resumeAt(handedOver.seeks);
        this.#serve(held);
        this.#options.log.info({ ...session.identity, epoch: claim.entry.epoch }, 'consumer adopted');
      },
      abandon: () => void held.abandon(),
    };
  }

  #serve(held: HeldSession<S>): void {
    if (!held.claim.enter({ kind: 'held' })) return;
    this.#sessions.set(sessionKey(held.session.identity), held);
    // Until now the changes in the log did not reach it.
    held.onLogged();
    if (this.#isClosing) void held.release({ isClients: false });
    if (this.#options.gate?.refusal() !== undefined) held.drop();
  }

  #remove({ session }: { readonly session: ServedSession }): void {
    const key = sessionKey(session.identity);
    if (this.#sessions.get(key)?.session === session) this.#sessions.delete(key);
  }

  #limits(): Limits {
    return within(this.#options.requestTimeoutMs);
  }
}
