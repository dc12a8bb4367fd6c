/**
 * A session that this bridge serves, with the claim by which it may, and how both come to an end here: given up in order,
 * handed over to the bridge that has claimed it, or deleted.
 */
import type { Logger } from 'pino';
import type { Limits } from '../kafka/client/limits.ts';
import type { HeldClaim } from '../ownership/held-claim.ts';
import type { SessionLog } from '../ownership/session-log.ts';
import type { Session } from './session.ts';

export interface HeldSessionDependencies {
  log: Logger;
  sessionLog: SessionLog;
  /** Of a question to the log. */
  limits: () => Limits;
}

export class HeldSession {
  readonly session: Session;
  readonly ownership: HeldClaim;
  /** Since when this bridge serves it, in milliseconds since 1970. */
  readonly heldSinceMs = Date.now();
  readonly #dependencies: HeldSessionDependencies;
  #releasing: Promise<void> | undefined;

  constructor(session: Session, ownership: HeldClaim, dependencies: HeldSessionDependencies) {
    this.session = session;
    this.ownership = ownership;
    this.#dependencies = dependencies;
  }

  /** Since it is being given up; settles when that is written. */
  get releasing(): Promise<void> | undefined {
    return this.#releasing;
  }

  /** Gives it up in order, once. See {@link Session.release}. Never throws. */
  release(reason: { isClients: boolean }): Promise<void> {
    this.#releasing ??= this.#releaseOnce(reason);
    return this.#releasing;
  }

  /** Another bridge has it: whoever claimed it may wait still, and then goes on where the client is. Never throws. */
  async handOver(): Promise<void> {
    const { session, ownership } = this;
    const { sessionLog, limits } = this.#dependencies;
    // Kafka may know the other bridge's member before this one has read the other's claim.
    const isRead = ownership.decide().kind === 'fenced';
    if (!isRead) await sessionLog.readToEnd(limits()).catch(() => {});
    const decision = ownership.decide();
    if (decision.kind !== 'fenced') {
      session.fence(undefined);
      return;
    }
    await session.handOver((description) => ownership.release(description), {
      owner: decision.owner,
      received: sessionLog.get(session.identity)?.value.received,
    });
  }

  /** Ends it for good. Errors: `kafkaUnavailable`: then it is still there for whoever asks again. */
  async end(options: { isCommitting: boolean }): Promise<void> {
    await this.session.close(options);
    await this.ownership.delete();
  }

  async #releaseOnce(reason: { isClients: boolean }): Promise<void> {
    const { session, ownership } = this;
    try {
      await session.release((description) => ownership.release(description), reason);
      this.#dependencies.log.info({ ...session.identity }, 'consumer released');
    } catch {
      // It ended meanwhile.
    }
  }
}
