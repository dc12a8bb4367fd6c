/** How many sessions a principal has: those that the log has, and those that this bridge creates now. */
import { sessionKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionLog } from './session-log.ts';

export class PrincipalSessions {
  readonly #log: Pick<SessionLog, 'get' | 'sessionCountOf'>;
  /** By principal: sessions that are being created. */
  readonly #creating = new Map<string, Map<string, SessionIdentity>>();

  constructor(log: Pick<SessionLog, 'get' | 'sessionCountOf'>) {
    this.#log = log;
  }

  /**
   * Takes a place for a session that is about to be created, or had its place already; false where the principal has `maxCount` sessions.
   * The log was read to its end before: what other bridges create at the same moment is not in it.
   */
  reserve(principal: string, identity: SessionIdentity, maxCount: number): boolean {
    const key = sessionKey(identity);
    const creating = this.#creating.get(principal) ?? new Map<string, SessionIdentity>();
    if (creating.has(key) || this.#isOf(identity, principal)) return true;
    let count = this.#log.sessionCountOf(principal);
    for (const other of creating.values()) if (!this.#isOf(other, principal)) count += 1;
    if (count >= maxCount) return false;
    creating.set(key, identity);
    this.#creating.set(principal, creating);
    return true;
  }

  /** The creation has ended, or never began. */
  release(principal: string, identity: SessionIdentity): void {
    const creating = this.#creating.get(principal);
    if (creating === undefined) return;
    creating.delete(sessionKey(identity));
    if (creating.size === 0) this.#creating.delete(principal);
  }

  /** Whether the log counts the session as one of the principal. */
  #isOf(identity: SessionIdentity, principal: string): boolean {
    const value = this.#log.get(identity)?.value;
    return value !== undefined && value.state !== 'deleted' && value.principal === principal;
  }
}
