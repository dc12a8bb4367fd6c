import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Answer, type Family, familyOf } from './answer.ts';
import { afterAnswer, type NameState, NOT_ASKED, resultOf } from './name-state.ts';

const at = (address: string) => ({ address, port: undefined });
const found = (addresses: readonly string[], missing?: Family): Answer => ({
  kind: 'found',
  endpoints: addresses.map(at),
  missing,
});
const addressesOf = ({ endpoints }: NameState): string[] => endpoints.map(({ address }) => address);

const WITHOUT: Answer[] = [{ kind: 'empty' }, { kind: 'unknown' }, { kind: 'failed', reason: 'silence' }];

test.each([
  ['empty', 'has no addresses'],
  ['unknown', 'does not exist (NXDOMAIN)'],
  ['failed', 'silence'],
])('an answer that is %s keeps what there was', (kind, reason) => {
  const before = afterAnswer(NOT_ASKED, found(['10.0.0.2', '10.0.0.1']), 10);
  const answer = WITHOUT.find((one) => one.kind === kind) as Answer;
  const after = afterAnswer(before, answer, 10);
  expect([addressesOf(after), after.isKnown, after.problem?.reason]).toEqual([['10.0.0.1', '10.0.0.2'], true, reason]);
  expect(afterAnswer(NOT_ASKED, answer, 10)).toMatchObject({ endpoints: [], isKnown: false });
  expect(resultOf(answer)).toBe(kind);
});

test('a lowered maximum keeps what fits', () => {
  const before = afterAnswer(NOT_ASKED, found(['10.0.0.3', '10.0.0.1', '10.0.0.2']), 10);
  const after = afterAnswer(before, found(['10.0.0.3', '10.0.0.1', '10.0.0.2']), 2);
  expect([addressesOf(after), after.problem?.kind]).toEqual([['10.0.0.1', '10.0.0.2'], 'tooMany']);
});

const POOL = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', 'fd00::1', 'fd00::2', 'fd00::3'];
const someAddresses = fc
  .subarray(POOL, { minLength: 1 })
  .chain((some) => fc.shuffledSubarray(some, { minLength: some.length }));
const answers = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: someAddresses.map((some) => found(some)) },
    {
      weight: 1,
      arbitrary: fc.tuple(someAddresses, fc.constantFrom<Family>('IPv4', 'IPv6')).map(([some, missing]) => {
        const others = some.filter((address) => familyOf(at(address)) !== missing);
        return others.length === 0 ? ({ kind: 'failed', reason: 'both failed' } as const) : found(others, missing);
      }),
    },
    { weight: 2, arbitrary: fc.constantFrom(...WITHOUT) },
  ),
  { maxLength: 30 },
);

test('for any answers the endpoints are those of the last good one, by family, in a fixed order, and never too many', () => {
  fc.assert(
    fc.property(answers, fc.integer({ min: 1, max: 8 }), (sequence, maxTargets) => {
      let state = NOT_ASKED;
      /** The last good answer of each family. */
      const expected: Record<Family, string[]> = { IPv4: [], IPv6: [] };
      for (const answer of sequence) {
        const before = state;
        state = afterAnswer(state, answer, maxTargets);
        const now = addressesOf(state);
        expect(now).toEqual([...new Set(now)].sort());
        if (answer.kind !== 'found') {
          expect(now).toEqual(addressesOf(before));
          continue;
        }
        for (const family of ['IPv4', 'IPv6'] as const) {
          if (answer.missing === family)
            expected[family] = addressesOf(before).filter((one) => familyOf(at(one)) === family);
          else
            expected[family] = answer.endpoints
              .map(({ address }) => address)
              .filter((one) => familyOf(at(one)) === family);
        }
        const all = [...expected.IPv4, ...expected.IPv6].sort();
        if (all.length <= maxTargets) {
          expect([now, state.problem]).toEqual([all, undefined]);
        } else {
          expect([now.length, state.problem?.kind]).toEqual([maxTargets, 'tooMany']);
          expect(all).toEqual(expect.arrayContaining(now));
          // Targets that the answer still has come first.
          const kept = addressesOf(before)
            .filter((one) => all.includes(one))
            .slice(0, maxTargets);
          expect(now).toEqual(expect.arrayContaining(kept));
        }
      }
    }),
    { seed: 17, numRuns: 500 },
  );
});
