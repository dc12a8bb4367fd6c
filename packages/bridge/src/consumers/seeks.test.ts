import { expect, test } from 'vitest';
import { Seeks } from './seeks.ts';

const NONE = { sought: [], received: [] };
const at = (partition: number, offset: bigint) => ({ topic: 't', partition, offset });

test('positions that the client chose are kept until they are committed', () => {
  const seeks = new Seeks();
  expect(seeks.keep([at(0, 7n), at(1, 9n)], [{ topic: 't', partition: 1 }], 'sought')).toBe(true);
  expect(seeks.logged).toEqual([{ topic: 't', partition: 1, to: '9' }]);
  expect(seeks.forget([{ topic: 't', partition: 0 }])).toBe(false);
  expect(seeks.forget([{ topic: 't', partition: 1 }])).toBe(true);
  expect(seeks.logged).toEqual([]);
});

test('partitions begin once at the positions of the previous owner, which are kept for the next owner', () => {
  const seeks = new Seeks();
  seeks.restore([{ topic: 't', partition: 2, to: '5' }]);
  expect(seeks.takeRestored([{ topic: 't', partition: 2 }])).toMatchObject({ sought: [at(2, 5n)], received: [] });
  expect(seeks.takeRestored([{ topic: 't', partition: 2 }])).toEqual(NONE);
  expect(seeks.logged).toEqual([{ topic: 't', partition: 2, to: '5' }]);
});

test('logged positions of partitions that other members got since do not come back', () => {
  const seeks = new Seeks();
  seeks.restore([
    { topic: 't', partition: 1, to: '4' },
    { topic: 't', partition: 2, to: '5' },
  ]);
  const [first, second] = [1, 2].map((partition) => ({ topic: 't', partition }));
  if (first === undefined || second === undefined) throw new Error('no partitions');
  expect(seeks.takeRestored([])).toEqual(NONE);
  expect(seeks.takeRestored([first])).toMatchObject({ sought: [at(1, 4n)], received: [] });
  expect(seeks.retain([first])).toBe(true);
  expect(seeks.retain([first, second])).toBe(false);
  expect(seeks.takeRestored([first, second])).toEqual(NONE);
  expect(seeks.logged).toEqual([{ topic: 't', partition: 1, to: '4' }]);
});

test('another subscription forgets them', () => {
  const seeks = new Seeks();
  seeks.restore([{ topic: 't', partition: 2, to: '5' }]);
  seeks.clear();
  expect(seeks.takeRestored([{ topic: 't', partition: 2 }])).toEqual(NONE);
  expect(seeks.logged).toEqual([]);
});

test('the next owner knows which positions the client read up to, and to which it moved', () => {
  const seeks = new Seeks();
  const partitions = [0, 1].map((partition) => ({ topic: 't', partition }));
  seeks.keep([at(1, 3n)], partitions, 'sought');
  // It reads on, also behind its seek.
  seeks.keep([at(0, 7n), at(1, 5n)], partitions, 'received');
  const next = new Seeks();
  next.restore(seeks.logged);
  expect(next.logged).toEqual([
    { topic: 't', partition: 1, to: '5' },
    { topic: 't', partition: 0, to: '7', isReceived: true },
  ]);
  expect(next.takeRestored(partitions)).toMatchObject({ sought: [at(1, 5n)], received: [at(0, 7n)] });
});
