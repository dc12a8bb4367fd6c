import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runAtOnce } from '../http/sliced-work.ts';
import { decodeAnswer, encodeAnswer, encodeRuns } from './answers.ts';
import { inOrder, type ResultRun, resultsOf, resultsText, storedCount } from './result-runs.ts';

const count = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 12_000 }));
const result = fc.oneof(
  fc.record({ partition: fc.nat(50), baseOffset: fc.nat(2 ** 40) }),
  fc.record({ errorCode: fc.constantFrom(404, 500), message: fc.string() }),
);
/** Runs of one request, in an order in which their partitions may have stored them. */
const runs = fc.array(fc.record({ count, result, turn: fc.nat(5) }), { maxLength: 25 }).map((all) => {
  let first = 0;
  const placed = all.map(({ count, result, turn }) => {
    const run: ResultRun = Object.assign({ first, count }, result);
    first += count;
    return { run, turn };
  });
  return placed.toSorted((one, other) => one.turn - other.turn).map(({ run }) => run);
});

/** What a response without a key has, by JSON's own writer. */
function expectedText(all: readonly ResultRun[]): string {
  const offsets = resultsOf(all).map((one) =>
    'offset' in one
      ? { partition: one.partition, offset: Number(one.offset) }
      : { error_code: one.errorCode, message: one.message },
  );
  return JSON.stringify({ offsets });
}

const property = fc.property(runs, (all) => {
  const ordered = inOrder([...all]);
  const expected = expectedText(ordered);
  expect(String(runAtOnce(resultsText(ordered))) === expected).toBe(true);
  expect(storedCount(ordered)).toBe(resultsOf(ordered).filter((one) => 'offset' in one).length);
});

describe('the results of a request', () => {
  test('have the text that they have one by one, in the order of the records', () => {
    fc.assert(property, { seed: 19, numRuns: 30 });
  });

  test('are written in slices when they are many', () => {
    const work = resultsText([{ first: 0, count: 12_000, partition: 1, baseOffset: 7 }]);
    const slices = [work.next(), work.next(), work.next()];
    expect(slices.map(({ done }) => done)).toEqual([false, false, true]);
  });

  test('come back from the log as they were, whichever way it keeps them', async () => {
    let shortCount = 0;
    const roundTrip = fc.asyncProperty(runs, async (all) => {
      const ordered = inOrder([...all]);
      const body = expectedText(ordered);
      const short = encodeRuns('f', ordered);
      if (short !== undefined) shortCount += 1;
      const read = await decodeAnswer(short ?? (await encodeAnswer({ status: 200, fingerprint: 'f', body })));
      expect({ ...read, body: String(read.body) === body }).toEqual({ status: 200, fingerprint: 'f', body: true });
    });
    await fc.assert(roundTrip, { seed: 19, numRuns: 30 });
    expect(shortCount).toBeGreaterThan(2);
    expect(shortCount).toBeLessThan(28);
  });

  test('of 100 stored records take few bytes in the log', () => {
    const stored = encodeRuns('f'.repeat(44), [{ first: 0, count: 100, partition: 2, baseOffset: 123_456_789 }]);
    expect(stored?.length).toBeLessThan(120);
  });

  test.each([
    ['no runs', '{"status":200,"fingerprint":"f","stored":{}}\n'],
    ['a run without a count', '{"status":200,"fingerprint":"f","stored":[[0,1]]}\n'],
    ['more than one slice writes', '{"status":200,"fingerprint":"f","stored":[[0,1,9000]]}\n'],
  ])('that are unreadable are refused: %s', async (_, value) => {
    await expect(decodeAnswer(Buffer.from(value))).rejects.toThrow(SyntaxError);
  });
});
