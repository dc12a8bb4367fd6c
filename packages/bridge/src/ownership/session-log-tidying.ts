/** Removes records from the session log that no longer count: of superseded claims, in a while; of deleted sessions, in the end. */
import { type Limits, within } from '../kafka/client/limits.ts';
import { encodeKey, type LoggedEntry, sessionKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionLogPartitions } from './session-log-partitions.ts';

/** Writes tombstones of one session. Never throws. */
export type Remove = (identity: SessionIdentity, keys: readonly Buffer[], limits: Limits) => Promise<unknown>;

/** By then, most of a region's consumers that move at once have moved. */
const TIDYING_DELAY_MS = 1000;

export class SessionLogTidying {
  readonly #partitions: SessionLogPartitions;
  readonly #remove: Remove;
  readonly #requestTimeoutMs: number;
  /** Sessions with records that no longer count, by {@link sessionKey}. */
  readonly #untidy = new Map<string, SessionIdentity>();
  #timer: NodeJS.Timeout | undefined;

  constructor(partitions: SessionLogPartitions, remove: Remove, { requestTimeoutMs }: { requestTimeoutMs: number }) {
    this.#partitions = partitions;
    this.#remove = remove;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Removes the records that the current claim dominates. Never throws: others do it, or the next call. */
  async removeDominated(identity: SessionIdentity, limits: Limits): Promise<void> {
    const keys = this.#partitions.indexOf(identity).dominated(identity);
    if (keys.length > 0) await this.#remove(identity, keys, limits);
  }

  /** {@link removeDominated} in a while, together with other sessions, so that claims do not wait behind it. */
  removeDominatedLater(identity: SessionIdentity): void {
    this.#untidy.set(sessionKey(identity), identity);
    this.#timer ??= setTimeout(() => this.#tidy(), TIDYING_DELAY_MS).unref();
  }

  /** Removes the record that says that a session is deleted, after all others that the log has of it. Never throws. */
  async forget({ identity, epoch, id }: LoggedEntry, limits: Limits): Promise<void> {
    const dominated = this.#partitions.indexOf(identity).dominated(identity);
    await this.#remove(identity, [...dominated, encodeKey(identity, { epoch, id })], limits);
  }

  #tidy(): void {
    const untidy = [...this.#untidy.values()];
    this.#untidy.clear();
    this.#timer = undefined;
    for (const identity of untidy) void this.removeDominated(identity, within(this.#requestTimeoutMs));
  }
}
