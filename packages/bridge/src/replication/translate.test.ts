/** Translation by offset syncs, over random logs that MirrorMaker copies with restarts, retries and lost syncs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartitionSyncs } from './partition-syncs.ts';
import { SyncIndex } from './sync-index.ts';
import { translateDescription, translateOffset } from './translate.ts';

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

function translate(index: SyncIndex, offset: number): number {
  return Number(translateOffset(index, { ...PLACE, offset: BigInt(offset) }));
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
        for (let offset = 0; offset <= end + 3; offset += 1) {
          const translated = translate(index, offset);
          const undelivered = new Set(records.filter((upstream) => upstream !== undefined && upstream >= offset));
          const ahead = new Set(records.slice(translated));
          // Every record that was not delivered stands at the translated position or behind it.
          expect([...undelivered].filter((upstream) => !ahead.has(upstream))).toEqual([]);
          expect(translated).toBeGreaterThanOrEqual(mirrorMakers(written, offset) ?? 0);
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
        for (let offset = 0; offset <= copy.end; offset += 1) {
          const ahead = new Set(copy.records.slice(translate(index, offset)));
          const missed = copy.records.filter((upstream) => upstream !== undefined && upstream >= offset);
          expect(missed.filter((upstream) => !ahead.has(upstream))).toEqual([]);
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

  test('are at the beginning where no sync is known, or only later ones', () => {
    const index = indexOf([{ upstream: 40, downstream: 7 }]);
    expect(translate(index, 39)).toBe(0);
    expect(translate(index, 40)).toBe(7);
    expect(translateOffset(index, { topic: 'other', partition: 3, offset: 5n })).toBe(0n);
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
    };
    expect(translateDescription(index, description)).toEqual({ ...description, seeks: [{ ...PLACE, to: '8' }] });
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
