import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { IDLE_SESSION } from '../../../../test/harness/session-description.ts';
import type { StoredRecord } from '../records.ts';
import { decodeKey, decodeValue, type EntryValue, encodeKey, encodeValue, isCarriedOver } from './session-entry.ts';
import { SessionIndex } from './session-index.ts';

const IDENTITY = { group: 'g', name: 'c' };

function head(owner: string, claimedAt?: number) {
  const head = { version: 1, owner, writtenAtMs: 0, createdAtMs: 0 };
  return claimedAt === undefined ? head : { ...head, claimedAtOffset: String(claimedAt) };
}

function held(owner: string, claimedAt?: number): EntryValue {
  return {
    ...head(owner, claimedAt),
    state: 'held',
    description: IDLE_SESSION,
  };
}

/** Where there are several Kafka clusters. */
function heldUnder(promotion: string, owner: string, claimedAt?: number): EntryValue {
  return { ...held(owner, claimedAt), promotion };
}

/** Records of one session in the order of the log: epoch, claim, value. */
type Line = [epoch: number, id: string, value: EntryValue | null];

function log(lines: Line[]): StoredRecord[] {
  return lines.map(([epoch, id, value], offset) => ({
    topic: 't',
    partition: 0,
    offset: BigInt(offset),
    timestampMs: 0n,
    headers: [],
    key: encodeKey(IDENTITY, { epoch, id }),
    value: value === null ? null : encodeValue(value),
  }));
}

function read(records: StoredRecord[]): string | undefined {
  const index = new SessionIndex();
  for (const record of records) index.apply(record, 0);
  const current = index.get(IDENTITY);
  return current && `${current.value.owner} ${current.value.state} ${current.epoch}`;
}

test.each<[what: string, lines: Line[], current: string | undefined]>([
  [
    'a higher epoch',
    [
      [1, 'a', held('A')],
      [2, 'b', held('B')],
    ],
    'B held 2',
  ],
  [
    'not a late write of an older epoch',
    [
      [2, 'b', held('B')],
      [1, 'a', held('A')],
    ],
    'B held 2',
  ],
  [
    'the first claim of an epoch',
    [
      [1, 'a', held('A')],
      [1, 'b', held('B')],
    ],
    'A held 1',
  ],
  [
    'the first claim of an epoch, also after an update of it',
    [
      [1, 'a', held('A')],
      [1, 'b', held('B')],
      [1, 'a', held('A2', 0)],
    ],
    'A2 held 1',
  ],
  [
    'a claim of a higher promotion, whatever a cluster that was lost wrote since',
    [
      [1, 'a', heldUnder('1;east', 'A')],
      [2, 'b', heldUnder('2;west', 'B')],
      [5, 'c', heldUnder('1;east', 'C')],
    ],
    'B held 2',
  ],
  [
    'a claim of a higher promotion, also after one of a higher epoch',
    [
      [5, 'a', heldUnder('1;east', 'A')],
      [2, 'b', heldUnder('2;west', 'B')],
    ],
    'B held 2',
  ],
  [
    'of two promotions with one number, a claim of the later name, wherever the log has it',
    [
      [5, 'b', heldUnder('2;west', 'B', 900)],
      [6, 'a', heldUnder('2;east', 'A', 0)],
    ],
    'B held 5',
  ],
  [
    'a claim with a promotion before one of a time without',
    [
      [9, 'a', held('A')],
      [1, 'b', heldUnder('1;east', 'B')],
    ],
    'B held 1',
  ],
  [
    'the delete of a session, even if other claims arrive late',
    [
      [1, 'a', held('A')],
      [2, 'x', { ...head('A'), state: 'deleted' }],
      [2, 'b', held('B')],
      [1, 'a', held('A', 0)],
    ],
    'A deleted 2',
  ],
  [
    'undefined for a session that was forgotten',
    [
      [1, 'a', held('A')],
      [2, 'x', { ...head('A'), state: 'deleted' }],
      [1, 'a', null],
      [2, 'x', null],
    ],
    undefined,
  ],
])('the current claim is %s, and compaction does not change it', (_what, lines, current) => {
  const records = log(lines);
  expect(read(records)).toBe(current);
  // Whichever records compaction has removed so far: any but the last of a key.
  const isLast = records.map(
    ({ key }, at) => !records.slice(at + 1).some((later) => later.key?.equals(key ?? Buffer.alloc(0))),
  );
  for (let kept = 0; kept < 2 ** records.length; kept += 1) {
    const left = records.filter((_, at) => isLast[at] === true || (kept & (1 << at)) !== 0);
    expect(read(left)).toBe(current);
  }
});

test.each<[when: string, lines: Line[]]>([
  [
    'after it was superseded',
    [
      [1, 'a', held('A')],
      [2, 'b', held('B')],
      [1, 'a', { ...held('A', 0), state: 'released' } as EntryValue],
    ],
  ],
  [
    'just before it was',
    [
      [1, 'a', held('A')],
      [1, 'a', { ...held('A', 0), state: 'released' } as EntryValue],
      [2, 'b', held('B')],
    ],
  ],
])('the entry with which an owner gives a session up %s is kept until its claim is removed', (_when, lines) => {
  const index = new SessionIndex();
  const applied = log(lines).map((record) => index.apply(record, 0).kind);
  expect(applied.at(-1)).toBe(lines.at(-1)?.[1] === 'a' ? 'handedOver' : 'changed');
  expect(index.get(IDENTITY)?.value.owner).toBe('B');
  expect(index.handedOver(IDENTITY, { epoch: 1, id: 'a' })?.value.state).toBe('released');
  expect(index.handedOver(IDENTITY, { epoch: 1, id: 'other' })).toBeUndefined();
  for (const record of log([[1, 'a', null]])) index.apply(record, 0);
  expect(index.handedOver(IDENTITY, { epoch: 1, id: 'a' })).toBeUndefined();
});

test.each<[what: string, lines: Line[], current: string, isCarried: boolean]>([
  ['counts while the new log has nothing of the session', [], 'A held 2', true],
  ['is what the new log has once its owner has written it', [[2, 'a', held('A', 5)]], 'A held 2', false],
  ['comes before an older epoch', [[1, 'b', held('B')]], 'A held 2', true],
  ['comes behind another claim of its epoch', [[2, 'b', held('B')]], 'B held 2', false],
  [
    'comes behind another claim of its epoch, also when its owner writes it later',
    [
      [2, 'b', held('B')],
      [2, 'a', held('A')],
    ],
    'B held 2',
    false,
  ],
  [
    'comes behind another claim of its epoch, also when a late write has its offset in the old log',
    [
      [2, 'b', held('B')],
      [2, 'a', held('A', 7)],
    ],
    'B held 2',
    false,
  ],
  [
    'comes before other claims once its owner has written it',
    [
      [2, 'a', held('A')],
      [2, 'b', held('B')],
    ],
    'A held 2',
    false,
  ],
  ['comes behind a later epoch', [[3, 'b', held('B')]], 'B held 3', false],
])('an entry of a log that was deleted %s', (_, lines, expected, isCarried) => {
  const before = new SessionIndex();
  for (const record of log([
    [1, 'x', held('X')],
    [2, 'a', held('A')],
  ]))
    before.apply(record, 0);
  const index = SessionIndex.carryingOver(before);
  for (const record of log(lines)) index.apply(record, 1);
  const current = index.get(IDENTITY);
  expect(current && `${current.value.owner} ${current.value.state} ${current.epoch}`).toBe(expected);
  expect(current && isCarriedOver(current)).toBe(isCarried);
});

test('a deleted session is not carried over into a new log', () => {
  const before = new SessionIndex();
  for (const record of log([[5, 'a', { ...head('A'), state: 'deleted' }]])) before.apply(record, 0);
  const index = SessionIndex.carryingOver(before);
  expect([index.get(IDENTITY), index.deletedCount]).toEqual([undefined, 0]);
});

test('keys hold any text, and other keys and values are not taken for those of a claim', () => {
  const identity = { group: 'a/b","c', name: 'ü[1]' };
  const claim = { epoch: 7, id: 'x' };
  expect(decodeKey(encodeKey(identity, claim))).toEqual({ identity, claim });
  for (const text of [
    '',
    '[]',
    '["g","c",0,"x"]',
    '["g","c",1]',
    '["g","c",9007199254740992,"x"]',
    '["g","c",1e300,"x"]',
    '{',
  ])
    expect(decodeKey(Buffer.from(text))).toBeUndefined();
  expect(decodeValue(encodeValue(held('A', 3)))).toEqual(held('A', 3));
  for (const text of ['', '1', '{}', '{"version":1}']) expect(decodeValue(Buffer.from(text))).toBeUndefined();
});

test('little is kept of a deleted session, and nothing once it is forgotten', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heapBytes = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const index = new SessionIndex();
  const count = 20_000;
  const apply = (at: number, epoch: number, value: EntryValue | null): void => {
    const identity = { group: 'group', name: `consumer-${at}` };
    index.apply(
      {
        topic: 't',
        partition: 0,
        offset: BigInt(3 * at + epoch),
        timestampMs: 0n,
        headers: [],
        key: encodeKey(identity, { epoch, id: `${at}-${epoch}` }),
        value: value === null ? null : encodeValue(value),
      },
      at,
    );
  };
  const topics = Array.from({ length: 20 }, (_, at) => `topic-${at}`);
  const subscribed = { ...held('A'), description: { ...describing(topics) } } as EntryValue;
  const over = { ...head('A'), state: 'deleted', ofANewerVersion: 'x'.repeat(1000) } as unknown as EntryValue;
  const emptyBytes = heapBytes();
  for (let at = 0; at < count; at += 1) {
    apply(at, 1, subscribed);
    apply(at, 2, over);
    apply(at, 1, null);
  }
  expect(index.deletedCount).toBe(count);
  expect([...index.deleted()].slice(0, 2).map(({ identity }) => identity.name)).toEqual(['consumer-0', 'consumer-1']);
  const keptBytes = heapBytes() - emptyBytes;
  expect(keptBytes / count).toBeLessThan(1000);
  // It is created again, and no longer deleted.
  apply(1, 3, subscribed);
  expect(index.deletedCount).toBe(count - 1);
  for (let at = 0; at < count; at += 1) apply(at, at === 1 ? 3 : 2, null);
  expect([index.deletedCount, [...index.entries()].length]).toEqual([0, 0]);
  expect(heapBytes() - emptyBytes).toBeLessThan(keptBytes / 4);
});

function describing(topics: string[]) {
  return {
    options: {
      format: 'json',
      resetPolicy: 'latest',
      fetchMinBytes: 1,
      requestTimeoutMs: 1,
      isAutoCommit: true,
      isolationLevel: 'read_uncommitted',
    },
    subscription: { kind: 'topics', topics },
    seeks: [],
  };
}

test('the sessions of each principal are counted: those that are neither deleted nor another claim of the same', () => {
  const index = new SessionIndex();
  let offset = 0n;
  const apply = (name: string, epoch: number, value: EntryValue | null, into = index): void => {
    const key = encodeKey({ group: 'g', name }, { epoch, id: `${epoch}` });
    const fixed = { topic: 't', partition: 0, timestampMs: 0n, headers: [] };
    into.apply({ ...fixed, offset, key, value: value === null ? null : encodeValue(value) }, 0);
    offset += 1n;
  };
  const counts = (of = index): number[] => ['alice', 'bob', ''].map((name) => of.countOf(name));
  const of = (principal: string, owner = 'A'): EntryValue => ({ ...held(owner), principal });
  apply('one', 1, of('alice'));
  apply('two', 1, of('alice'));
  apply('three', 1, of('bob'));
  apply('four', 1, held('A'));
  expect(counts()).toEqual([2, 1, 0]);
  // Written again, adopted, and a claim that lost.
  apply('one', 1, of('alice'));
  apply('one', 2, of('alice', 'B'));
  apply('one', 1, of('alice'));
  expect(counts()).toEqual([2, 1, 0]);
  apply('one', 2, { ...head('B'), state: 'deleted', principal: 'alice' });
  apply('one', 2, { ...head('B'), state: 'deleted', principal: 'alice' });
  expect(counts()).toEqual([1, 1, 0]);
  expect(counts(SessionIndex.carryingOver(index))).toEqual([1, 1, 0]);
  // Created again, by another principal.
  apply('one', 3, of('bob'));
  expect(counts()).toEqual([1, 2, 0]);
  for (const [name, epoch] of [
    ['one', 3],
    ['two', 1],
    ['three', 1],
    ['four', 1],
  ] as const) {
    apply(name, epoch, null);
  }
  expect(counts()).toEqual([0, 0, 0]);
});
