/** The entries of the session log: what a bridge writes about a session under its claim, as bytes and as values. */
import { comparePromotions, type Promotion, parsePromotion } from '@causeway/protocol/clusters.ts';
import { FORMATS, type FormatName } from '@causeway/protocol/content-types.ts';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { BridgeError } from '../errors.ts';
import type { SessionIdentity } from './session-identity.ts';

/** The version of the entry's format. Newer versions add fields, which older bridges keep. */
export const ENTRY_VERSION = 1;

/** Bytes of one entry. Brokers accept batches of 1,048,588 bytes by default (`max.message.bytes`). */
export const MAX_ENTRY_BYTES = 900_000;
/** Bytes of a subscription as JSON; the rest of an entry is for positions. */
const MAX_SUBSCRIPTION_BYTES = 800_000;

const Offset = Type.String({ pattern: '^[0-9]+$' });
/** As the client gave it: a partition that cannot exist is assigned like any other, and has no records. */
const Partition = Type.Object({ topic: Type.String(), partition: Type.Integer() });

/** What a session reads. */
const Subscription = Type.Union([
  Type.Object({ kind: Type.Literal('none') }),
  Type.Object({ kind: Type.Literal('topics'), topics: Type.Array(Type.String()) }),
  Type.Object({ kind: Type.Literal('pattern'), pattern: Type.String() }),
  Type.Object({ kind: Type.Literal('partitions'), partitions: Type.Array(Partition) }),
]);
export type LoggedSubscription = Static<typeof Subscription>;

/** A position that a commit does not have yet: the client chose it, or read from it. */
const Seek = Type.Object({
  topic: Type.String(),
  partition: Type.Integer({ minimum: 0 }),
  to: Offset,
  /**
   * The client read from its commit on up to here, and did not move. Another member may have read the partition meanwhile: its commit counts if it is
   * behind this position.
   */
  isReceived: Type.Optional(Type.Literal(true)),
});
export type LoggedSeek = Static<typeof Seek>;

/** Everything about a session that Kafka itself does not have. */
export const SessionDescription = Type.Object({
  options: Type.Object({
    format: Type.Unsafe<FormatName>({ type: 'string', enum: [...FORMATS] }),
    resetPolicy: Type.Unsafe<'earliest' | 'latest' | 'none' | `by_duration:${string}`>({
      type: 'string',
      pattern: '^(?:earliest|latest|none|by_duration:.+)$',
    }),
    fetchMinBytes: Type.Integer({ minimum: 0 }),
    requestTimeoutMs: Type.Integer({ minimum: 0 }),
    isAutoCommit: Type.Boolean(),
    isolationLevel: Type.Union([Type.Literal('read_uncommitted'), Type.Literal('read_committed')]),
  }),
  subscription: Subscription,
  seeks: Type.Array(Seek),
  /**
   * Where partitions without a commit began, at an end or by the clock. Kept where there are several clusters: the log may reach another cluster before
   * the commit does, and a consumer that began at the end there would skip records.
   */
  begun: Type.Optional(Type.Array(Seek)),
});
export type SessionDescription = Static<typeof SessionDescription>;

const Head = {
  version: Type.Integer({ minimum: 1 }),
  /** `region/bridge`. */
  owner: Type.String(),
  /** Identifies the process that wrote it, with a random value for each start: shows two processes under one name. */
  instance: Type.Optional(Type.String()),
  /** The offset of the claim's first record; absent in that record itself. */
  claimedAtOffset: Type.Optional(Offset),
  /** By the clock of the machine that wrote it: for people who read the log. No decision uses it. */
  writtenAtMs: Type.Integer({ minimum: 0 }),
  /** The same. */
  createdAtMs: Type.Integer({ minimum: 0 }),
  /**
   * The mark of the last response that the client has from the previous owner, as the request had it that led to this claim
   * (`causeway-delivered`). A previous owner that lives hands the session over behind that response.
   */
  received: Type.Optional(Type.String()),
  /** How often the session was adopted since it was created. Default: 0. */
  adoptionCount: Type.Optional(Type.Integer({ minimum: 0 })),
  /** How long a confirmation of the claim counts, in milliseconds. An adopter waits longer. */
  leaseMs: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Who created the session and alone may use it; absent: everyone may. */
  principal: Type.Optional(Type.String()),
  /**
   * Where there are several Kafka clusters: the promotion under which the owner claimed the session, such as `2;west`, and so the cluster whose positions
   * the entry has.
   */
  promotion: Type.Optional(Type.String()),
  /** Of the owner: no other bridge ends its sessions earlier. */
  inactivityTimeoutMs: Type.Optional(Type.Integer({ minimum: 0 })),
};

/** The value of a record. */
export const EntryValue = Type.Union([
  Type.Object({
    ...Head,
    /** `held`: by its owner. `released`: its owner gave it up, and any bridge may adopt it. */
    state: Type.Union([Type.Literal('held'), Type.Literal('released')]),
    description: SessionDescription,
  }),
  Type.Object({ ...Head, state: Type.Literal('deleted') }),
]);
export type EntryValue = Static<typeof EntryValue>;

/** A question to the owner of a claim: one that lives writes its entry again. Its key is not that of a claim. */
const Question = Type.Object({ state: Type.Literal('asked'), askedBy: Type.String() });
export type Question = Static<typeof Question>;

/**
 * One attempt of one bridge to own a session. Its random id is part of the record's key, so a record that arrives late can
 * overwrite only its own claim, and compaction loses no other.
 */
export interface Claim {
  /** Grows with every claim that wins. */
  epoch: number;
  id: string;
}

/** A claim's place in the order of claims. */
export interface PlacedClaim extends Claim {
  /** Of the claim's first record. */
  claimedAtOffset: bigint;
  /** Under which it was written; `undefined` where there is one cluster. */
  promotion?: Promotion | undefined;
}

/** The newest record of a claim, as it was read. */
export interface LoggedEntry extends PlacedClaim {
  identity: SessionIdentity;
  /** Of this record. */
  offset: bigint;
  /**
   * When this bridge read it, by `performance.now()`. Ages count from here: clocks of two machines are not comparable, and
   * the age that the entry had before is unknown.
   */
  readAtMs: number;
  value: EntryValue;
}

const valueCheck = Compile(EntryValue);
const questionCheck = Compile(Question);
/** Beyond it two epochs could be the same number. No session changes its owner so often. */
const MAX_EPOCH = 2 ** 52;
const Epoch = Type.Integer({ minimum: 1, maximum: MAX_EPOCH });
const keyCheck = Compile(Type.Tuple([Type.String(), Type.String(), Epoch, Type.String()]));

/** A session as a key of maps. Groups and names may hold any text: the length says where one ends. */
export function sessionKey({ group, name }: SessionIdentity): string {
  return `${group.length}:${group}${name}`;
}

/** The key of a claim's records. */
export function encodeKey({ group, name }: SessionIdentity, { epoch, id }: Claim): Buffer {
  return Buffer.from(JSON.stringify([group, name, epoch, id]));
}

/** `undefined` for a key that no bridge has written. */
export function decodeKey(key: Buffer | null): { identity: SessionIdentity; claim: Claim } | undefined {
  const parsed = parse(key);
  if (!keyCheck.Check(parsed)) return undefined;
  const [group, name, epoch, id] = parsed;
  return { identity: { group, name }, claim: { epoch, id } };
}

/** The bytes from which the partition follows: the same for all claims of a session, so that the log orders them. */
export function partitioningKey({ group, name }: SessionIdentity): Buffer {
  return Buffer.from(JSON.stringify([group, name]));
}

export function encodeValue(value: EntryValue | Question): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Fields that this version does not know stay in the value, and are written again with it. `undefined` when unreadable. */
export function decodeValue(value: Buffer): EntryValue | undefined {
  const parsed = parse(value);
  return valueCheck.Check(parsed) ? parsed : undefined;
}

/** Errors: `sessionTooLarge` for a subscription or assignment that no entry can hold. */
export function checkSubscriptionSize(subscription: LoggedSubscription): void {
  const bytes = Buffer.byteLength(JSON.stringify(subscription));
  if (bytes <= MAX_SUBSCRIPTION_BYTES) return;
  throw new BridgeError('sessionTooLarge', {
    message: `The subscription or assignment takes ${bytes} bytes in the session log, more than the limit of ${MAX_SUBSCRIPTION_BYTES}: use fewer topics, or a topic_pattern`,
  });
}

/** Why an entry of this size cannot be written; `undefined` when it can. */
export function entryRefusal(bytes: number): BridgeError | undefined {
  if (bytes <= MAX_ENTRY_BYTES) return undefined;
  return new BridgeError('sessionTooLarge', {
    message: `The consumer's subscription and positions take ${bytes} bytes in the session log, more than the limit of ${MAX_ENTRY_BYTES}: commit its positions, or read fewer partitions`,
  });
}

export function isQuestion(value: Buffer): boolean {
  return questionCheck.Check(parse(value));
}

/**
 * The order of claims, from which ownership follows: a higher promotion wins, whatever a cluster that was lost wrote since; then a higher epoch; of one
 * epoch, the claim that the log has first. It depends on the two claims alone, so the current claim does not depend on which dominated records
 * compaction has left.
 */
export function supersedes(candidate: PlacedClaim, current: PlacedClaim): boolean {
  if (candidate.promotion !== current.promotion) {
    const order = comparePromotions(candidate.promotion ?? NO_PROMOTION, current.promotion ?? NO_PROMOTION);
    if (order !== 0) return order > 0;
  }
  if (candidate.epoch !== current.epoch) return candidate.epoch > current.epoch;
  return candidate.claimedAtOffset < current.claimedAtOffset;
}

/** Lower than every other. */
const NO_PROMOTION: Promotion = { number: -1, cluster: '' };

/** Of an entry that a deleted log had: behind every record of this log. */
const CARRIED_OVER_CLAIM_OFFSET = 2n ** 63n - 1n;
const CARRIED_OVER_OFFSET = -1n;

/**
 * An entry of a log that was deleted since. It is current while the new log has nothing about the session; of one epoch, a claim
 * in the new log comes first.
 */
export function carriedOver(entry: LoggedEntry): LoggedEntry {
  return { ...entry, offset: CARRIED_OVER_OFFSET, claimedAtOffset: CARRIED_OVER_CLAIM_OFFSET };
}

/** Whether the entry is only known from a deleted log. */
export function isCarriedOver({ offset }: LoggedEntry): boolean {
  return offset === CARRIED_OVER_OFFSET;
}

/** The promotion of an entry; `undefined` without one. */
export function promotionOf({ promotion }: Pick<EntryValue, 'promotion'>): Promotion | undefined {
  return promotion === undefined ? undefined : parsePromotion(promotion);
}

/** Whether the positions of an entry are those of another Kafka cluster than `cluster`. */
export function isOfOtherCluster({ promotion }: PlacedClaim, cluster: string | undefined): boolean {
  return cluster !== undefined && promotion !== undefined && promotion.cluster !== cluster;
}

export function isSameClaim(a: Claim, b: Claim): boolean {
  return a.epoch === b.epoch && a.id === b.id;
}

function parse(bytes: Buffer | null): unknown {
  if (bytes === null) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
