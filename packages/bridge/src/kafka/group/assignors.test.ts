import { describe, expect, test } from 'vitest';
import { type Assignor, assign, type GroupMember } from './assignors.ts';

function member(memberId: string, topics: string, instanceId?: string): GroupMember {
  return { memberId, instanceId, topics: topics.split(' ') };
}

function spread(assignor: Assignor, members: GroupMember[], counts: Record<string, number>): Record<string, string> {
  const assignment = assign(assignor, members, new Map(Object.entries(counts)));
  return Object.fromEntries(
    [...assignment].map(([id, partitions]) => [
      id,
      partitions.map(({ topic, partition }) => `${topic}${partition}`).join(' '),
    ]),
  );
}

describe('range, as Kafka documents it', () => {
  test.each([
    ['one member gets everything', [member('a', 't u')], { t: 2, u: 1 }, { a: 't0 t1 u0' }],
    [
      'the first members of each topic get one more',
      [member('a', 't u'), member('b', 't u')],
      { t: 3, u: 3 },
      { a: 't0 t1 u0 u1', b: 't2 u2' },
    ],
    ['more members than partitions', [member('b', 't'), member('a', 't')], { t: 1 }, { a: 't0', b: '' }],
    ['only subscribers count', [member('a', 't'), member('b', 't u')], { t: 2, u: 2 }, { a: 't0', b: 't1 u0 u1' }],
    ['a topic that does not exist', [member('a', 't gone')], { t: 1 }, { a: 't0' }],
    [
      'static members come first, by instance id',
      [member('a', 't'), member('x', 't', 'i2'), member('y', 't', 'i1')],
      { t: 3 },
      { a: 't2', x: 't1', y: 't0' },
    ],
    [
      'static members in any order of arrival',
      [member('m1', 't', 'i1'), member('m2', 't', 'i3'), member('m3', 't', 'i2'), member('m4', 't', 'i0')],
      { t: 4 },
      { m1: 't1', m2: 't3', m3: 't2', m4: 't0' },
    ],
  ] as [string, GroupMember[], Record<string, number>, Record<string, string>][])(
    '%s',
    (_, members, counts, expected) => {
      expect(spread('range', members, counts)).toEqual(expected);
    },
  );
});

describe('roundrobin, as Kafka documents it', () => {
  test.each([
    [
      'the examples of its documentation: same topics',
      [member('a', 't u'), member('b', 't u')],
      { t: 3, u: 3 },
      { a: 't0 t2 u1', b: 't1 u0 u2' },
    ],
    [
      'the examples of its documentation: different topics',
      [member('a', 't'), member('b', 't u'), member('c', 't u v')],
      { t: 1, u: 2, v: 3 },
      { a: 't0', b: 'u0', c: 'u1 v0 v1 v2' },
    ],
  ] as [string, GroupMember[], Record<string, number>, Record<string, string>][])(
    '%s',
    (_, members, counts, expected) => {
      expect(spread('roundrobin', members, counts)).toEqual(expected);
    },
  );
});

test('every partition goes to exactly one member, whatever the members', () => {
  for (const assignor of ['range', 'roundrobin'] as const) {
    for (let count = 1; count <= 7; count += 1) {
      const members = Array.from({ length: count }, (_, index) => member(`m${index}`, index % 2 === 0 ? 't u' : 't'));
      const all = Object.values(spread(assignor, members, { t: 5, u: 4 }))
        .join(' ')
        .split(' ')
        .filter(Boolean);
      expect(all.sort()).toEqual(['t0', 't1', 't2', 't3', 't4', 'u0', 'u1', 'u2', 'u3']);
    }
  }
});
