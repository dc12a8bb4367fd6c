import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addedBytes, BATCH_OVERHEAD_BYTES } from '../producer/record-size.ts';
import type { KeyedRequest } from './keyed-request.ts';
import { type RecordRun, recordsOf, takeBatch, withoutBad } from './record-runs.ts';

/** A request whose records are numbers, for the sake of their order. */
function requestOf(sizes: readonly number[], from: number): KeyedRequest {
  const recordBytes = sizes.map((size) => size + BATCH_OVERHEAD_BYTES);
  return { records: sizes.map((_, index) => from + index), recordBytes, results: [] } as unknown as KeyedRequest;
}

/** One run of all records of each request. */
function runsOf(requests: readonly (readonly number[])[]): RecordRun[] {
  let from = 0;
  return requests.map((sizes) => {
    const request = requestOf(sizes, from);
    from += sizes.length;
    return { request, partition: 0, first: 0, count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  });
}

const requests = fc.array(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 20 }), {
  minLength: 1,
  maxLength: 10,
});
const limits = fc.record({ maxBytes: fc.integer({ min: 70, max: 800 }), batchLimit: fc.integer({ min: 1, max: 40 }) });

const bytesOf = (runs: readonly RecordRun[]): number =>
  runs.reduce((sum, { request, first, count }) => {
    const sizes = request.recordBytes.slice(first, first + count);
    return sum + sizes.reduce((all, size) => all + addedBytes(size, 1), 0);
  }, 0);

test('batches have all records once and in order, each as many as fit, and one at least', () => {
  const property = fc.property(requests, limits, (all, { maxBytes, batchLimit }) => {
    const runs = runsOf(all);
    const total = all.flat().length;
    const taken: unknown[] = [];
    while (runs.length > 0) {
      const batch = takeBatch(runs, { maxBytes, batchLimit });
      const records = recordsOf(batch);
      const bytes = BATCH_OVERHEAD_BYTES + bytesOf(batch);
      expect(bytes).toBe(BATCH_OVERHEAD_BYTES + batch.reduce((sum, run) => sum + run.bytes, 0));
      expect(records.length).toBeGreaterThan(0);
      expect(records.length).toBeLessThanOrEqual(batchLimit);
      if (records.length > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
      taken.push(...records);
      const [next] = runs;
      if (next === undefined) break;
      const nextBytes = addedBytes(next.request.recordBytes[next.first] as number, 1);
      expect(records.length === batchLimit || bytes + nextBytes > maxBytes).toBe(true);
    }
    expect(taken).toEqual(Array.from({ length: total }, (_, index) => index));
  });
  fc.assert(property, { seed: 19, numRuns: 200 });
});

test('without bad records, the others remain in order, and each bad one has its text as its result', () => {
  const property = fc.property(requests, fc.uniqueArray(fc.nat(100), { maxLength: 20 }), (all, places) => {
    const runs = runsOf(all);
    const bad = new Map(places.map((place) => [place, `bad ${place}`]));
    const records = recordsOf(runs);
    const good = withoutBad(runs, bad);
    expect(recordsOf(good)).toEqual(records.filter((_, place) => !bad.has(place)));
    const refused = runs.flatMap(({ request }) =>
      request.results.map((result) => [request.records[result.first], 'message' in result ? result.message : '']),
    );
    expect(refused).toEqual(records.flatMap((record, place) => (bad.has(place) ? [[record, `bad ${place}`]] : [])));
  });
  fc.assert(property, { seed: 19, numRuns: 200 });
});
