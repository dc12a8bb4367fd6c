/** The decision about the order of a key's requests, by a table, and against a search through every order. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type KeyOperation, type KeyResult, orderFault } from './key-order.ts';

const answer = (text: string, isReplayed = false): KeyResult => ({ kind: 'answer', text, isReplayed });
const replay = (text: string): KeyResult => answer(text, true);
const OTHER: KeyResult = { kind: 'otherRequest' };
const BUSY: KeyResult = { kind: 'underWay' };
const UNKNOWN: KeyResult = { kind: 'unknown' };

function operation(request: string, [from, to]: readonly [number, number], result: KeyResult): KeyOperation {
  return { request, invokedAtMs: from, completedAtMs: to, result };
}

const FIRST = operation('a', [0, 10], answer('1'));

test.each<[string, KeyOperation[], string | undefined, string | undefined]>([
  ['one request', [FIRST], 'a', undefined],
  ['a repetition', [FIRST, operation('a', [20, 30], replay('1'))], 'a', undefined],
  ['a repetition that is answered first', [FIRST, operation('a', [1, 2], replay('1'))], 'a', undefined],
  ['a repetition by the system itself', [operation('a', [0, 10], replay('1'))], 'a', undefined],
  ['a broken connection, and its repetition', [operation('a', [0, 5], UNKNOWN), FIRST], 'a', undefined],
  ['a request that was never answered', [operation('a', [0, 5], UNKNOWN)], undefined, undefined],
  ['the same, executed', [operation('a', [0, 5], UNKNOWN)], 'a', undefined],
  ['another request with the key', [FIRST, operation('b', [20, 30], OTHER)], 'a', undefined],
  ['409 while the first is under way', [FIRST, operation('a', [1, 9], BUSY)], 'a', undefined],
  [
    '409 while one may be under way',
    [operation('a', [0, 5], UNKNOWN), operation('a', [6, 9], BUSY)],
    undefined,
    undefined,
  ],
  ['another answer', [FIRST, operation('a', [20, 30], replay('2'))], 'a', 'its answers differ'],
  ['an answer to another request', [FIRST, operation('b', [20, 30], replay('1'))], 'a', 'its answers differ'],
  [
    'a second execution',
    [FIRST, operation('a', [20, 30], answer('1'))],
    'a',
    'it was executed twice: two answers are not marked as repeated',
  ],
  [
    'an execution after the answer',
    [operation('a', [0, 10], replay('1')), operation('a', [20, 30], answer('1'))],
    'a',
    'it was answered before the request that was executed',
  ],
  [
    'a refusal after the answer',
    [FIRST, operation('a', [20, 30], BUSY)],
    'a',
    'it was refused with 409, and no other request explains it',
  ],
  [
    'the same beside a request that may be under way',
    [FIRST, operation('a', [0, 15], UNKNOWN), operation('a', [20, 30], BUSY)],
    'a',
    'it was refused with 409 after the key had its answer',
  ],
  [
    'the executed request refused as another one',
    [FIRST, operation('b', [0, 15], UNKNOWN), operation('a', [20, 30], OTHER)],
    'a',
    'it was refused with 422 after the key had its answer',
  ],
  [
    'a refusal for a request that came later',
    [operation('b', [0, 5], OTHER), operation('a', [20, 30], answer('1'))],
    'a',
    'it was refused with 422 before the request that was executed',
  ],
  [
    'the only request refused',
    [operation('a', [0, 5], BUSY)],
    undefined,
    'it was refused with 409, and no other request explains it',
  ],
  [
    'the same with 422',
    [operation('a', [0, 5], OTHER)],
    undefined,
    'it was refused with 422, and no other request explains it',
  ],
  [
    'records of refused requests',
    [operation('a', [0, 5], OTHER), operation('b', [0, 5], UNKNOWN)],
    'a',
    'its records stand, and every request for them was refused',
  ],
])('%s', (_, operations, stored, fault) => {
  expect(orderFault(operations, stored)).toBe(fault);
});

/** Whether some order of the operations fits, found by trying each: the definition, word by word. */
function hasOrder(operations: readonly KeyOperation[], stored: string | undefined): boolean {
  const meets = (one: KeyOperation, other: KeyOperation): boolean => {
    const end = other.result.kind === 'unknown' ? Number.POSITIVE_INFINITY : other.completedAtMs;
    return other.invokedAtMs <= one.completedAtMs && end >= one.invokedAtMs;
  };
  const isRefusal = ({ result: { kind } }: KeyOperation): boolean => kind === 'underWay' || kind === 'otherRequest';
  type Register = { request: string; text: string | undefined } | undefined;
  /** The register after the operation; `false`: it does not fit. */
  const after = (operation: KeyOperation, register: Register): Register[] | false => {
    const { request, result } = operation;
    const others = operations.filter((other) => other !== operation && !isRefusal(other) && meets(operation, other));
    switch (result.kind) {
      case 'answer':
        if (register === undefined) return [{ request, text: result.text }];
        if (!result.isReplayed || register.request !== request) return false;
        return (register.text ?? result.text) === result.text && [{ request, text: result.text }];
      case 'underWay':
        return register === undefined && others.length > 0 && [register];
      case 'otherRequest':
        if (register !== undefined) return register.request !== request && [register];
        return others.some((other) => other.request !== request) && [register];
      case 'unknown':
        return register === undefined ? [undefined, { request, text: undefined }] : [register];
    }
  };
  const end = ({ completedAtMs, result }: KeyOperation): number =>
    result.kind === 'unknown' ? Number.POSITIVE_INFINITY : completedAtMs;
  const search = (rest: readonly KeyOperation[], register: Register): boolean => {
    if (rest.length === 0)
      return register?.request === stored || (stored === undefined && register?.text !== undefined);
    return rest.some((next) => {
      const others = rest.filter((other) => other !== next);
      if (others.some((other) => end(other) < next.invokedAtMs)) return false;
      const registers = after(next, register);
      return registers !== false && registers.some((changed) => search(others, changed));
    });
  };
  return search(operations, undefined);
}

const anyOperation = fc
  .record({
    request: fc.constantFrom('a', 'b'),
    from: fc.nat(8),
    length: fc.nat(5),
    result: fc.constantFrom(
      answer('1'),
      answer('1'),
      replay('1'),
      replay('1'),
      answer('2'),
      OTHER,
      BUSY,
      UNKNOWN,
      UNKNOWN,
    ),
  })
  .map(({ request, from, length, result }) => operation(request, [from, from + length], result));

test('it decides as a search through every order does', () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.array(anyOperation, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(undefined, 'a', 'b'),
      (operations, found) => {
        // Answered records stand: `history-check.ts` checks that by itself.
        const stored = operations.find(({ result }) => result.kind === 'answer')?.request ?? found;
        const isAccepted = orderFault(operations, stored) === undefined;
        if (isAccepted) accepted += 1;
        expect(isAccepted).toBe(hasOrder(operations, stored));
      },
    ),
    { seed: 18, numRuns: 2_000 },
  );
  // Neither all nor nothing.
  expect(accepted).toBeGreaterThan(200);
  expect(accepted).toBeLessThan(1_800);
});
