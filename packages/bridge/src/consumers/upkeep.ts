/** What a bridge does for the session log by itself: its sessions stay fresh in it, and what nobody uses leaves it. */

import type { Limits } from '../kafka/limits.ts';
import type { LoggedEntry } from '../kafka/session-entry.ts';
import type { Claims } from './claims.ts';
import type { HeldSession } from './held-session.ts';

export interface UpkeepDependencies {
  claims: Claims;
  entries: () => Iterable<LoggedEntry>;
  held: () => Iterable<HeldSession>;
  /** A session that no bridge has written of for twice as long has lost its owner and its client. */
  inactivityTimeoutMs: number;
  /** Of one write. */
  limits: () => Limits;
}

/** Sessions of one round that are written or ended at most; the next round goes on. */
const MOST_PER_ROUND = 200;
const LONGEST_INTERVAL_MS = 30_000;

export class Upkeep {
  readonly #dependencies: UpkeepDependencies;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(dependencies: UpkeepDependencies) {
    this.#dependencies = dependencies;
  }

  start(): void {
    const intervalMs = Math.min(LONGEST_INTERVAL_MS, this.#dependencies.inactivityTimeoutMs / 4);
    this.#timer = setInterval(() => {
      this.#running ??= this.#round().finally(() => {
        this.#running = undefined;
      });
    }, intervalMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Never throws: the next round tries again. */
  async #round(): Promise<void> {
    const { claims, entries, held, inactivityTimeoutMs, limits } = this.#dependencies;
    const nowMs = Date.now();
    const mine = [...held()];
    const heldIds = new Set(mine.map(({ ownership }) => ownership.claim.entry.id));
    const stale = mine.filter(({ ownership }) => isOlder(ownership.claim.entry, nowMs, inactivityTimeoutMs / 2));
    const orphans = orphansIn(entries(), { claims: heldIds, nowMs, inactivityTimeoutMs });
    await Promise.allSettled([
      ...stale.slice(0, MOST_PER_ROUND).map(({ session, ownership }) => ownership.record(session.description)),
      ...orphans.slice(0, MOST_PER_ROUND).map((entry) => claims.delete({ entry }, limits())),
      claims.forgetOld(nowMs, limits()),
    ]);
  }
}

/** Sessions whose owner no longer writes of them: it died, and no client has asked another bridge for them since. */
export function orphansIn(
  entries: Iterable<LoggedEntry>,
  { claims, nowMs, inactivityTimeoutMs }: { claims: ReadonlySet<string>; nowMs: number; inactivityTimeoutMs: number },
): LoggedEntry[] {
  return [...entries].filter(
    (entry) =>
      entry.value.state !== 'deleted' &&
      !claims.has(entry.id) &&
      isOlder(entry, nowMs, 2 * Math.max(inactivityTimeoutMs, entry.value.inactivityTimeoutMs ?? 0)),
  );
}

function isOlder({ timestampMs }: LoggedEntry, nowMs: number, ageMs: number): boolean {
  return nowMs - timestampMs > ageMs;
}
