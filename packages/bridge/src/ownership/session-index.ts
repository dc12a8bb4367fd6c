/** One partition of the session log: the current claim of each session, and the records that it dominates. */
import type { StoredRecord } from '../records.ts';
import {
  type Claim,
  carriedOver,
  decodeKey,
  decodeValue,
  type EntryValue,
  encodeKey,
  isQuestion,
  isSameClaim,
  type LoggedEntry,
  promotionOf,
  sessionKey,
  supersedes,
} from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';

interface Logged {
  /** `undefined` while only dominated records are left of the session. */
  current: LoggedEntry | undefined;
  /** Keys of claims that lost or were superseded, with records that are still in the log; almost always `undefined`. */
  dominated: Set<string> | undefined;
  /** The last entry of a superseded owner, which gave the session up. */
  handedOver?: LoggedEntry | undefined;
}

/** The effect of a record. */
export type Applied =
  /** The session has another current claim, or that has another value. */
  | { kind: 'changed'; identity: SessionIdentity }
  | { kind: 'unchanged' }
  /** A bridge asks whether the owner lives. */
  | { kind: 'asked'; identity: SessionIdentity }
  /** A superseded owner gave the session up. */
  | { kind: 'handedOver'; identity: SessionIdentity }
  /** Not written by a bridge of a known version: skipped. */
  | { kind: 'unreadable' };

export class SessionIndex {
  readonly #sessions = new Map<string, Logged>();
  /** Deleted sessions, in the order in which the deletes were read. */
  readonly #deleted = new Map<string, LoggedEntry>();
  /** By principal: its sessions that are not deleted. */
  readonly #counts = new Map<string, number>();

  /**
   * The sessions of a log that was deleted, before the first record of the new one. Deleted sessions are left out: the new log
   * has no claim of them, and a consumer of that name is created there from scratch.
   */
  static carryingOver(before: SessionIndex): SessionIndex {
    const index = new SessionIndex();
    for (const entry of before.entries()) {
      if (entry.value.state === 'deleted') continue;
      index.#sessions.set(sessionKey(entry.identity), { current: carriedOver(entry), dominated: undefined });
      index.#recount(undefined, entry);
    }
    return index;
  }

  get(identity: SessionIdentity): LoggedEntry | undefined {
    return this.#sessions.get(sessionKey(identity))?.current;
  }

  /** The entry with which the owner of a superseded claim gave the session up, if it did. */
  handedOver(identity: SessionIdentity, claim: Claim): LoggedEntry | undefined {
    const found = this.#sessions.get(sessionKey(identity))?.handedOver;
    return found !== undefined && isSameClaim(found, claim) ? found : undefined;
  }

  /** Keys of records that no longer count. */
  dominated(identity: SessionIdentity): readonly Buffer[] {
    return [...(this.#sessions.get(sessionKey(identity))?.dominated ?? [])].map((key) => Buffer.from(key));
  }

  *entries(): IterableIterator<LoggedEntry> {
    for (const { current } of this.#sessions.values()) if (current !== undefined) yield current;
  }

  /** The entries of deleted sessions, the oldest first. */
  deleted(): IterableIterator<LoggedEntry> {
    return this.#deleted.values();
  }

  get deletedCount(): number {
    return this.#deleted.size;
  }

  /** The sessions of a principal that are not deleted. */
  countOf(principal: string): number {
    return this.#counts.get(principal) ?? 0;
  }

  /** Records come in the order of their offsets; `readAtMs` is now, by `performance.now()`. */
  apply(record: StoredRecord, readAtMs: number): Applied {
    const key = decodeKey(record.key);
    if (key === undefined || record.key === null) return { kind: 'unreadable' };
    const { identity, claim } = key;
    if (record.value === null) return this.#remove(identity, record.key.toString());
    const value = decodeValue(record.value);
    if (value === undefined && isQuestion(record.value)) return this.#ask(identity, record.key.toString());
    if (value === undefined) return { kind: 'unreadable' };
    return this.#put(record.key.toString(), {
      identity,
      ...claim,
      value: value.state === 'deleted' ? deletedValue(value) : value,
      offset: record.offset,
      readAtMs,
      claimedAtOffset: claimedAtOffset(value, record.offset),
      promotion: promotionOf(value),
    });
  }

  #put(key: string, entry: LoggedEntry): Applied {
    const place = sessionKey(entry.identity);
    const before = this.#sessions.get(place)?.current;
    const applied = this.#rank(key, place, entry);
    const current = this.#sessions.get(place)?.current;
    if (applied.kind !== 'changed') return applied;
    this.#recount(before, current);
    this.#deleted.delete(place);
    if (current?.value.state === 'deleted') this.#deleted.set(place, current);
    return applied;
  }

  #rank(key: string, place: string, entry: LoggedEntry): Applied {
    const known = this.#sessions.get(place);
    if (known?.current === undefined) {
      this.#sessions.set(place, { current: entry, dominated: known?.dominated });
      return { kind: 'changed', identity: entry.identity };
    }
    const { current } = known;
    if (isSameClaim(entry, current)) {
      // A claim sent twice, or read again: its place is that of its first record.
      const claimedAtOffset = smaller(entry.claimedAtOffset, current.claimedAtOffset);
      known.current = { ...entry, claimedAtOffset };
      return { kind: 'changed', identity: entry.identity };
    }
    known.dominated ??= new Set();
    if (!supersedes(entry, current)) {
      known.dominated.add(key);
      if (entry.value.state !== 'released') return { kind: 'unchanged' };
      known.handedOver = entry;
      return { kind: 'handedOver', identity: entry.identity };
    }
    known.dominated.add(keyOfEntry(current));
    known.dominated.delete(key);
    known.handedOver = current.value.state === 'released' ? current : undefined;
    known.current = entry;
    return { kind: 'changed', identity: entry.identity };
  }

  /** The question's record is removed together with the dominated ones. */
  #ask(identity: SessionIdentity, key: string): Applied {
    const known = this.#sessions.get(sessionKey(identity));
    if (known !== undefined) {
      known.dominated ??= new Set();
      known.dominated.add(key);
    }
    return { kind: 'asked', identity };
  }

  #remove(identity: SessionIdentity, key: string): Applied {
    const place = sessionKey(identity);
    const known = this.#sessions.get(place);
    if (known === undefined) return { kind: 'unchanged' };
    if (known.dominated?.delete(key) === true && known.dominated.size === 0) known.dominated = undefined;
    if (known.handedOver !== undefined && keyOfEntry(known.handedOver) === key) known.handedOver = undefined;
    const { current } = known;
    const isCurrent = current !== undefined && keyOfEntry(current) === key;
    if (isCurrent) {
      this.#recount(current, undefined);
      known.current = undefined;
      this.#deleted.delete(place);
    }
    if (known.current === undefined && known.dominated === undefined) this.#sessions.delete(place);
    return isCurrent ? { kind: 'changed', identity } : { kind: 'unchanged' };
  }

  #recount(before: LoggedEntry | undefined, after: LoggedEntry | undefined): void {
    const [from, to] = [countedFor(before), countedFor(after)];
    if (from === to) return;
    if (from !== undefined) this.#add(from, -1);
    if (to !== undefined) this.#add(to, 1);
  }

  #add(principal: string, change: number): void {
    const count = this.countOf(principal) + change;
    if (count === 0) this.#counts.delete(principal);
    else this.#counts.set(principal, count);
  }
}

/** The principal that has the session; `undefined`: none, or the session is deleted. */
function countedFor(entry: LoggedEntry | undefined): string | undefined {
  return entry === undefined || entry.value.state === 'deleted' ? undefined : entry.value.principal;
}

/**
 * What is kept of a deleted session: its owner, without the rest of the record. One owner may create and delete sessions by the
 * thousand.
 */
function deletedValue({ version, owner }: EntryValue): EntryValue {
  return { version, owner, state: 'deleted', writtenAtMs: 0, createdAtMs: 0 };
}

/** A write that was on its way when the log was deleted has an offset of the old log, which may be beyond its own. */
function claimedAtOffset(value: EntryValue, offset: bigint): bigint {
  return value.claimedAtOffset === undefined ? offset : smaller(BigInt(value.claimedAtOffset), offset);
}

function keyOfEntry(entry: LoggedEntry): string {
  return encodeKey(entry.identity, entry).toString();
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
