/**
 * Keeps the session log fresh: writes the entries of this bridge's sessions again before others take them for orphans, ends
 * orphans once their owner does not answer in the log either, and removes deleted sessions after a while.
 */
import type { Limits } from '../kafka/client/limits.ts';
import type { Claims } from './claims.ts';
import { forgetOld } from './forgetting.ts';
import type { HeldSession } from './held-session.ts';
import { ageMs, type LogWatch, watchAt } from './log-watch.ts';
import type { LoggedEntry } from './session-entry.ts';
import type { SessionLog } from './session-log.ts';

export interface UpkeepDependencies {
  log: SessionLog;
  claims: Claims;
  /** This bridge, as `region/bridge`. */
  self: string;
  held: () => Iterable<HeldSession>;
  /** Whether the owner of a session does not answer in the log. Errors: `kafkaUnavailable`. */
  isOwnerGone: (entry: LoggedEntry, limits: Limits) => Promise<boolean>;
  /** A session that no bridge has written of for twice as long has lost its owner and its client. */
  inactivityTimeoutMs: number;
  /** Whether the cluster is not active: another one has the owners. */
  isResting: () => boolean;
  /** Of one write. */
  limits: () => Limits;
}

/** Sessions of one round that are written or ended at most; the next round continues. */
const MOST_PER_ROUND = 200;
const LONGEST_INTERVAL_MS = 30_000;
/** In one inactivity time. All sessions of a bridge are written within the last quarter before others look for them. */
const ROUNDS_PER_TIMEOUT = 4;
/** Sessions end by the thousand in a second, where clients do nothing but create and delete consumers. */
const FORGET_INTERVAL_MS = 1000;
/** A round that is later than this many intervals was held up. */
const LONGEST_PAUSE_INTERVALS = 3;

export class Upkeep {
  readonly #dependencies: UpkeepDependencies;
  readonly #intervalMs: number;
  #watch: LogWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #forgetTimer: NodeJS.Timeout | undefined;
  #forgetting: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(dependencies: UpkeepDependencies) {
    this.#dependencies = dependencies;
    this.#intervalMs = Math.min(LONGEST_INTERVAL_MS, dependencies.inactivityTimeoutMs / ROUNDS_PER_TIMEOUT);
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#dependencies.isResting()) {
        this.#watch = undefined;
        return;
      }
      this.#watch = watchAt(performance.now(), this.#watch, {
        readableSinceMs: this.#dependencies.log.readableSinceMs,
        longestPauseMs: LONGEST_PAUSE_INTERVALS * this.#intervalMs,
      });
      const watch = this.#watch;
      this.#running ??= this.#round(watch).finally(() => {
        this.#running = undefined;
      });
    }, this.#intervalMs);
    this.#forgetTimer = setInterval(() => this.#forget(), FORGET_INTERVAL_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    clearInterval(this.#forgetTimer);
  }

  /** Never throws: the next round tries again. */
  async #round(watch: LogWatch): Promise<void> {
    const { log, held, inactivityTimeoutMs } = this.#dependencies;
    const mine = [...held()];
    const heldIds = new Set(mine.map(({ claim }) => claim.entry.id));
    const stale = mine.filter(({ claim }) => watch.nowMs - claim.entry.readAtMs > inactivityTimeoutMs / 2);
    const orphans = orphansIn(log.entries(), { claims: heldIds, watch, inactivityTimeoutMs });
    const share = Math.ceil((mine.length * this.#intervalMs * ROUNDS_PER_TIMEOUT) / inactivityTimeoutMs);
    await Promise.allSettled([
      ...stale.slice(0, Math.max(MOST_PER_ROUND, share)).map((one) => one.record()),
      ...orphans.slice(0, MOST_PER_ROUND).map((entry) => this.#end(entry)),
    ]);
  }

  /** What fails is tried again the next time. */
  #forget(): void {
    const { log, self, limits } = this.#dependencies;
    if (this.#watch === undefined) return;
    const watch = { ...this.#watch, nowMs: performance.now() };
    this.#forgetting ??= forgetOld(log, { self, watch, limits: limits() }).finally(() => {
      this.#forgetting = undefined;
    });
  }

  async #end(entry: LoggedEntry): Promise<void> {
    const { claims, isOwnerGone, limits } = this.#dependencies;
    if (await isOwnerGone(entry, limits())) await claims.delete({ entry }, limits());
  }
}

/** Sessions whose owner no longer writes of them: it died, and no client has asked another bridge for them since. */
export function orphansIn(
  entries: Iterable<LoggedEntry>,
  { claims, watch, inactivityTimeoutMs }: { claims: ReadonlySet<string>; watch: LogWatch; inactivityTimeoutMs: number },
): LoggedEntry[] {
  return [...entries].filter(
    (entry) =>
      entry.value.state !== 'deleted' &&
      !claims.has(entry.id) &&
      ageMs(entry, watch) > 2 * Math.max(inactivityTimeoutMs, entry.value.inactivityTimeoutMs ?? 0),
  );
}
