/** Translation by offset syncs, over random logs that MirrorMaker copies with restarts, retries and lost syncs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartitionSyncs } from './partition-syncs.ts';
import { PromotionPoint } from './points.ts';
import { SyncIndex } from './sync-index.ts';
import { type TwoWaySyncs, translateDescription, translateOffset, translateSince } from './translate.ts';

const PLACE = { topic: 'orders', partition: 3 };

interface Pair {
  upstream: number;
  downstream: number;
}

/** What happens next to a replication. */
type Step =
  /** MirrorMaker copies the next records of the source, which skips offsets before each (compaction, markers of transactions). */
  | { kind: 'copy'; gaps: number[] }
  /** A batch is stored twice: MirrorMaker sent it again. */
  | { kind: 'retry'; count: number }
  /** MirrorMaker starts again, and copies its last records again. */
  | { kind: 'restart'; back: number }
  /** Something else takes offsets of the copy, such as the marker of a transaction. */
  | { kind: 'skip'; count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('copy' as const), gaps: fc.array(gap(), { maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retry' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), back: fc.integer({ min: 0, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), count: fc.integer({ min: 1, max: 3 }) }) },
);

function gap(): fc.Arbitrary<number> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 6 }) });
}

/** A copy: the offset in the source of each record, by its offset in the copy (`undefined`: no record of the source). */
interface Copy {
  records: (number | undefined)[];
  /** Of each copied record, in order. */
  pairs: Pair[];
  /** One after the last record of the source. */
  end: number;
}

function copyOf(steps: readonly Step[], firstUpstream: number): Copy {
  const source: number[] = [];
  const records: (number | undefined)[] = [];
  const pairs: Pair[] = [];
  let next = 0;
  const copyNext = (): void => {
    const upstream = source[next] as number;
    next += 1;
    pairs.push({ upstream, downstream: records.length });
    records.push(upstream);
  };
  for (const one of steps) {
    if (one.kind === 'copy') {
      for (const skipped of one.gaps) source.push((source.at(-1) ?? firstUpstream - 1) + 1 + skipped);
      while (next < source.length) copyNext();
    } else if (one.kind === 'retry') {
      // The first copies have no answer: MirrorMaker knows of the second ones.
      const count = Math.min(one.count, next);
      if (count === 0) continue;
      pairs.splice(-count);
      next -= count;
      while (next < source.length) copyNext();
    } else if (one.kind === 'restart') {
      next = Math.max(0, next - one.back);
      while (next < source.length) copyNext();
    } else {
      for (let index = 0; index < one.count; index += 1) records.push(undefined);
    }
  }
  return { records, pairs, end: (source.at(-1) ?? firstUpstream - 1) + 1 };
}

function indexOf(pairs: readonly Pair[]): SyncIndex {
  const index = new SyncIndex();
  for (const { upstream, downstream } of pairs) {
    index.add({ ...PLACE, upstream: BigInt(upstream), downstream: BigInt(downstream) });
  }
  return index;
}

/** Without syncs of the other direction. */
function oneWay(towards: SyncIndex): TwoWaySyncs {
  return { towards, back: new SyncIndex() };
}

function translate(index: SyncIndex, offset: number): number {
  return Number(translateOffset(oneWay(index), { ...PLACE, offset: BigInt(offset) }));
}

/** From the copy to the source. */
function translateBack(index: SyncIndex, offset: number): number {
  return Number(translateOffset({ towards: new SyncIndex(), back: index }, { ...PLACE, offset: BigInt(offset) }));
}

/** MirrorMaker's own rule (`OffsetSyncStore`), with every sync since the source went back, which is more than its store keeps. */
function mirrorMakers(pairs: readonly Pair[], offset: number): number | undefined {
  let known: Pair[] = [];
  for (const pair of pairs) {
    if (known.length > 0 && (known.at(-1) as Pair).upstream > pair.upstream) known = [];
    known.push(pair);
  }
  const sync = known.findLast(({ upstream }) => upstream <= offset);
  if (sync === undefined) return undefined;
  return sync.upstream === offset ? sync.downstream : sync.downstream + 1;
}

/** A log of one of two clusters. */
interface Log {
  /** What is stored, by offset; `undefined`: nothing that a reader gets. */
  records: (symbol | undefined)[];
  /** Where the other cluster copies from next. */
  copiedTo: number;
  /** Of its copy in the other cluster. */
  syncs: Pair[];
}

function newLog(): Log {
  return { records: [], copiedTo: 0, syncs: [] };
}

/** What a promotion lost stays in the old cluster alone; its report names it. */
const LOST = 'lost';

/** While one cluster is active: records are stored there, and copied with restarts of MirrorMaker. */
const tenure = fc.record({
  rounds: fc.array(
    fc.record({
      gaps: fc.array(gap(), { maxLength: 6 }),
      back: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8 })),
    }),
    { maxLength: 5 },
  ),
  /** Records that are not copied before the cluster is lost. */
  tail: fc.integer({ min: 0, max: 4 }),
  isWritten: fc.infiniteStream(fc.boolean()),
});

function serve(
  { rounds, tail, isWritten }: typeof tenure extends fc.Arbitrary<infer T> ? T : never,
  active: Log,
  standby: Log,
): void {
  // What the standby lost when it was active is not copied back, and copying begins where this cluster was promoted.
  active.copiedTo = active.records.length;
  const begunAt = active.copiedTo;
  for (const { gaps, back } of rounds) {
    active.copiedTo = Math.max(begunAt, active.copiedTo - back);
    for (const skipped of gaps) active.records.push(...Array<undefined>(skipped), Symbol('record'));
    for (; active.copiedTo < active.records.length; active.copiedTo += 1) {
      const record = active.records[active.copiedTo];
      if (record === undefined) continue;
      if (isWritten.next().value) active.syncs.push({ upstream: active.copiedTo, downstream: standby.records.length });
      standby.records.push(record);
    }
  }
  for (let count = 0; count < tail; count += 1) active.records.push(Symbol(LOST));
}

const replication = fc.record({
  steps: fc.array(step, { maxLength: 30 }),
  firstUpstream: fc.integer({ min: 0, max: 50 }),
  /** Which syncs are written: MirrorMaker leaves some out when it is busy. */
  isWritten: fc.infiniteStream(fc.boolean()),
});

describe('translated positions', () => {
  test('never pass a record that has not been delivered, and are never behind those of MirrorMaker', () => {
    fc.assert(
      fc.property(replication, ({ steps, firstUpstream, isWritten }) => {
        const { records, pairs, end } = copyOf(steps, firstUpstream);
        const written = pairs.filter(() => isWritten.next().value);
        const index = indexOf(written);
        // Every record that was not delivered stands at the translated position or behind it.
        let furthest = Number.POSITIVE_INFINITY;
        for (let offset = end + 3; offset >= 0; offset -= 1) {
          if (records.includes(offset)) furthest = Math.min(furthest, records.lastIndexOf(offset));
          const translated = translate(index, offset);
          const own = mirrorMakers(written, offset) ?? 0;
          if (translated > furthest || translated < own)
            expect.fail(`${offset} became ${translated}: ${own} to ${furthest}`);
        }
      }),
      { seed: 19, numRuns: 400 },
    );
  });

  test('do not pass a record of a copy that was recreated', () => {
    fc.assert(
      fc.property(replication, replication, (before, after) => {
        const old = copyOf(before.steps, before.firstUpstream);
        // The source continues; its copy begins again, with whatever it still has.
        const copy = copyOf(after.steps, old.end + after.firstUpstream);
        const newest = old.pairs.at(-1);
        const first = copy.pairs[0];
        fc.pre(newest !== undefined && first !== undefined && first.downstream <= newest.downstream);
        const index = indexOf([...old.pairs, ...copy.pairs]);
        let furthest = Number.POSITIVE_INFINITY;
        for (let offset = copy.end; offset >= 0; offset -= 1) {
          if (copy.records.includes(offset)) furthest = Math.min(furthest, copy.records.lastIndexOf(offset));
          if (translate(index, offset) > furthest) expect.fail(`${offset} became ${translate(index, offset)}`);
        }
      }),
      { seed: 19, numRuns: 200 },
    );
  });

  test('do not pass a record of a source that was recreated', () => {
    const index = indexOf([
      { upstream: 10, downstream: 10 },
      { upstream: 250, downstream: 250 },
      { upstream: 0, downstream: 251 },
      { upstream: 20, downstream: 271 },
    ]);
    expect([0, 9, 20, 400].map((offset) => translate(index, offset))).toEqual([251, 252, 271, 272]);
  });

  test('in the copy, become positions in the source that pass no record', () => {
    fc.assert(
      fc.property(replication, ({ steps, firstUpstream, isWritten }) => {
        const { records, pairs } = copyOf(steps, firstUpstream);
        const index = indexOf(pairs.filter(() => isWritten.next().value));
        // From the end: the records that a reader at an offset has not seen yet.
        let furthest = Number.POSITIVE_INFINITY;
        for (let offset = records.length + 2; offset >= 0; offset -= 1) {
          const upstream = records[offset];
          if (upstream !== undefined && records.indexOf(upstream) === offset) furthest = Math.min(furthest, upstream);
          if (translateBack(index, offset) > furthest) expect.fail(`${offset} became ${translateBack(index, offset)}`);
        }
      }),
      { seed: 19, numRuns: 400 },
    );
  });

  test('in the copy of a source that was recreated, do not rely on the syncs of the old one', () => {
    const index = indexOf([
      { upstream: 3, downstream: 3 },
      { upstream: 250, downstream: 250 },
      { upstream: 5, downstream: 256 },
    ]);
    expect([3, 250, 255, 256, 300].map((offset) => translateBack(index, offset))).toEqual([0, 0, 0, 5, 6]);
  });

  test('pass no record after any number of promotions, whichever cluster was the copy when', () => {
    fc.assert(
      fc.property(fc.array(tenure, { minLength: 1, maxLength: 5 }), (tenures) => {
        const logs = [newLog(), newLog()] as const;
        for (const [number, one] of tenures.entries())
          serve(one, logs[number % 2 === 0 ? 0 : 1], logs[number % 2 === 0 ? 1 : 0]);
        for (const [from, to] of [logs, [logs[1], logs[0]] as const]) {
          const syncs = { towards: indexOf(from.syncs), back: indexOf(to.syncs) };
          const last = new Map(to.records.map((id, offset) => [id, offset]));
          const first = new Map([...from.records.entries()].reverse().map(([offset, id]) => [id, offset]));
          const lacking = to.records.flatMap((id, offset) =>
            id === undefined || id.description === LOST || first.has(id) ? [] : [offset],
          );
          let furthest = Math.min(...lacking);
          for (let offset = from.records.length + 1; offset >= 0; offset -= 1) {
            const id = from.records[offset];
            if (id !== undefined && first.get(id) === offset) furthest = Math.min(furthest, last.get(id) ?? furthest);
            const translated = Number(translateOffset(syncs, { ...PLACE, offset: BigInt(offset) }));
            if (translated > furthest) expect.fail(`${offset} became ${translated}, past ${furthest}`);
          }
        }
      }),
      { seed: 19, numRuns: 400 },
    );
  });

  test('are at the beginning where no sync is known, or only later ones', () => {
    const index = indexOf([{ upstream: 40, downstream: 7 }]);
    expect(translate(index, 39)).toBe(0);
    expect(translate(index, 40)).toBe(7);
    expect(translateOffset(oneWay(index), { topic: 'other', partition: 3, offset: 5n })).toBe(0n);
  });

  test('in a cluster that is active, are not behind the point since which it is', () => {
    const index = indexOf([
      { upstream: 40, downstream: 7 },
      // What a MirrorMaker that still runs has copied behind records of this cluster.
      { upstream: 50, downstream: 30 },
    ]);
    const translated = (point: PromotionPoint, offset: number) =>
      Number(translateSince(oneWay(index), point, { ...PLACE, offset: BigInt(offset) }));
    const forced = new PromotionPoint([{ topic: 'orders', ends: [0, 0, 0, 10] }]);
    expect([39, 40, 45, 50, 60].map((offset) => translated(forced, offset))).toEqual([0, 7, 8, 10, 10]);
    const orderly = new PromotionPoint([{ topic: 'orders', ends: [0, 0, 0, 10], peerEnds: [0, 0, 0, 43] }]);
    expect([39, 40, 42, 43, 60].map((offset) => translated(orderly, offset))).toEqual([0, 7, 8, 10, 10]);
    // A topic that this cluster did not have then.
    expect(translated(new PromotionPoint([{ topic: 'other', ends: [3] }]), 45)).toBe(0);
    expect(translated(new PromotionPoint([]), 60)).toBe(31);
  });

  test('replace the positions of a description, and leave the rest', () => {
    const index = indexOf([{ upstream: 40, downstream: 7 }]);
    const description = {
      options: {
        format: 'json' as const,
        resetPolicy: 'latest' as const,
        fetchMinBytes: 1,
        requestTimeoutMs: 30_000,
        isAutoCommit: false,
        isolationLevel: 'read_uncommitted' as const,
      },
      subscription: { kind: 'partitions' as const, partitions: [PLACE] },
      seeks: [{ ...PLACE, to: '44' }],
      begun: [{ ...PLACE, to: '40' }],
    };
    expect(translateDescription(oneWay(index), new PromotionPoint([]), description)).toEqual({
      ...description,
      seeks: [{ ...PLACE, to: '8' }],
      begun: [{ ...PLACE, to: '7' }],
    });
  });
});

describe('syncs of a partition', () => {
  test('beyond the bound lose precision towards the beginning only, and order never', () => {
    const syncs = new PartitionSyncs(() => 4096);
    const count = 300_000;
    let most = 0;
    for (let upstream = 0; upstream < count; upstream += 1) {
      syncs.add({ upstream, downstream: 2 * upstream });
      most = Math.max(most, syncs.count);
    }
    expect(most).toBeLessThanOrEqual(4096 + 1024);
    expect(syncs.floor(0)).toEqual({ upstream: 0, downstream: 0 });
    for (let offset = 1; offset < count; offset += 97) {
      const age = count - offset;
      const found = syncs.floor(offset);
      expect(found?.downstream).toBe(2 * (found?.upstream ?? -1));
      const behind = offset - (found?.upstream ?? 0);
      expect(behind, `at ${offset}`).toBeLessThanOrEqual(age <= 2048 ? 0 : age / 64 + 1);
    }
  });

  test('share one bound: the more partitions, the fewer syncs each', () => {
    const index = new SyncIndex();
    const partitions = 2000;
    for (let upstream = 0; upstream < 2500; upstream += 1) {
      for (let partition = 0; partition < (upstream < 2000 ? 1 : partitions); partition += 97) {
        index.add({ topic: 'orders', partition, upstream: BigInt(upstream), downstream: BigInt(upstream) });
      }
    }
    expect(index.syncCount).toBeLessThan(2_097_152);
    expect(index.newest({ topic: 'orders', partition: 97 })).toEqual({ upstream: 2499, downstream: 2499 });
  });
});
