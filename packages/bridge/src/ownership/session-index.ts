/** What one partition of the session log says: the claim that counts of each session, and what it dominates. */
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
  sessionKey,
  supersedes,
} from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';

interface Logged {
  /** `undefined` while only dominated keys are left of it. */
  current: LoggedEntry | undefined;
  /** Claims that lost or were superseded, by key, whose records are still in the log; almost always none. */
  dominated: Set<string> | undefined;
  /** The last word of an owner that was superseded, and gave the session up when it saw that. */
  handedOver?: LoggedEntry | undefined;
}

/** What a record did. */
export type Applied =
  /** `current` of this session is another, or says something else. */
  | { kind: 'changed'; identity: SessionIdentity }
  | { kind: 'unchanged' }
  /** Somebody wants to know whether the owner lives. */
  | { kind: 'asked'; identity: SessionIdentity }
  /** An owner that was superseded gave the session up. */
  | { kind: 'handedOver'; identity: SessionIdentity }
  /** Neither key nor value of ours: skipped. */
  | { kind: 'unreadable' };

export class SessionIndex {
  readonly #sessions = new Map<string, Logged>();
  /** Sessions that are over, in the order in which that was read. */
  readonly #over = new Map<string, LoggedEntry>();

  /**
   * What is known of the sessions of a log that was deleted, before the first record of the new one. Sessions that are over
   * are left out: no claim of theirs is in the new log, and who creates one of that name there begins anew.
   */
  static carryingOver(before: SessionIndex): SessionIndex {
    const index = new SessionIndex();
    for (const entry of before.entries()) {
      if (entry.value.state === 'deleted') continue;
      index.#sessions.set(sessionKey(entry.identity), { current: carriedOver(entry), dominated: undefined });
    }
    return index;
  }

  get(identity: SessionIdentity): LoggedEntry | undefined {
    return this.#sessions.get(sessionKey(identity))?.current;
  }

  /** What the owner of a claim that was superseded left, if that was in order. */
  handedOver(identity: SessionIdentity, claim: Claim): LoggedEntry | undefined {
    const found = this.#sessions.get(sessionKey(identity))?.handedOver;
    return found !== undefined && isSameClaim(found, claim) ? found : undefined;
  }

  /** Keys of records of a session that no longer count. */
  dominated(identity: SessionIdentity): readonly Buffer[] {
    return [...(this.#sessions.get(sessionKey(identity))?.dominated ?? [])].map((key) => Buffer.from(key));
  }

  *entries(): IterableIterator<LoggedEntry> {
    for (const { current } of this.#sessions.values()) if (current !== undefined) yield current;
  }

  /** The last words on sessions that are over, the oldest first. */
  over(): IterableIterator<LoggedEntry> {
    return this.#over.values();
  }

  get overCount(): number {
    return this.#over.size;
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
      value: value.state === 'deleted' ? lastWord(value) : value,
      offset: record.offset,
      readAtMs,
      claimedAtOffset: claimedAtOffset(value, record.offset),
    });
  }

  #put(key: string, entry: LoggedEntry): Applied {
    const place = sessionKey(entry.identity);
    const applied = this.#rank(key, place, entry);
    const current = this.#sessions.get(place)?.current;
    if (applied.kind !== 'changed') return applied;
    this.#over.delete(place);
    if (current?.value.state === 'deleted') this.#over.set(place, current);
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

  /** Its record goes with whatever else no longer counts. */
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
      known.current = undefined;
      this.#over.delete(place);
    }
    if (known.current === undefined && known.dominated === undefined) this.#sessions.delete(place);
    return isCurrent ? { kind: 'changed', identity } : { kind: 'unchanged' };
  }
}

/**
 * What is kept of a session that is over: who ended it, without whatever else its record says. Sessions of one owner come
 * and go by the thousand.
 */
function lastWord({ version, owner }: EntryValue): EntryValue {
  return { version, owner, state: 'deleted', writtenAtMs: 0, createdAtMs: 0 };
}

/** A write that was on its way when the log was deleted says an offset of the old one: that may be beyond its own. */
function claimedAtOffset(value: EntryValue, offset: bigint): bigint {
  return value.claimedAtOffset === undefined ? offset : smaller(BigInt(value.claimedAtOffset), offset);
}

function keyOfEntry(entry: LoggedEntry): string {
  return encodeKey(entry.identity, entry).toString();
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
