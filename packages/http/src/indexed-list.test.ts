import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Indexed, IndexedList } from './indexed-list.ts';

test('holds what a Set would hold, whatever is added, removed and popped', () => {
  const step = fc.tuple(fc.constantFrom('add', 'remove', 'pop', 'removeWhileVisiting'), fc.nat(9));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const items: Indexed[] = Array.from({ length: 10 }, () => ({ listIndex: -1 }));
      const list = new IndexedList<Indexed>();
      const expected = new Set<Indexed>();
      for (const [what, index] of steps) {
        const item = items[index] as Indexed;
        if (what === 'add' && !expected.has(item)) {
          list.add(item);
          expected.add(item);
        } else if (what === 'remove') {
          list.remove(item);
          expected.delete(item);
        } else if (what === 'pop') {
          const popped = list.pop();
          expect(popped !== undefined).toBe(expected.size > 0);
          if (popped !== undefined) expect(expected.delete(popped)).toBe(true);
        } else if (what === 'removeWhileVisiting') {
          const visited: Indexed[] = [];
          list.forEach((member) => {
            visited.push(member);
            if (items.indexOf(member) % 2 === index % 2) list.remove(member);
          });
          expect(new Set(visited)).toEqual(expected);
          for (const member of visited) if (items.indexOf(member) % 2 === index % 2) expected.delete(member);
        }
        expect(new Set(list.toArray())).toEqual(expected);
        expect(list.size).toBe(expected.size);
        for (const each of items) expect(each.listIndex === -1).toBe(!expected.has(each));
      }
    }),
    { seed: 14, numRuns: 200 },
  );
});
