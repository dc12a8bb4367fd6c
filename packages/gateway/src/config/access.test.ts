import { parseConfig } from '@causeway/config/load.ts';
import { MAX_TOPIC_FILTER_BYTES } from '@causeway/protocol/topic-filter.ts';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { AccessSection, checkAccess } from './access.ts';

const AUTH = {};

function reasonsOf(access: unknown): string[] {
  const section = parseConfig('g.yaml', stringify(access), { schema: AccessSection, env: {} });
  return checkAccess({ access: section, auth: AUTH }).map(({ path, reason }) => `${path.join('.')}: ${reason}`);
}

const RULE = { principals: ['alice'], operations: ['all'], topics: ['a'] };

test.each([
  [
    { ...RULE, principals: undefined },
    'access.rules.0: is about no principal: set principals or roles (principals: ["*"] is everyone)',
  ],
  [
    { ...RULE, topics: undefined },
    'access.rules.0: is about nothing: set topics or groups (topics: ["*"] is all topics)',
  ],
  [
    { ...RULE, operations: ['produce', 'describe'], groups: ['g'] },
    'access.rules.0.groups: has no effect: of the operations only consume is about groups',
  ],
])('%j is refused', (rule, expected) => {
  expect(reasonsOf({ rules: [rule] })).toEqual([expected]);
});

test.each([
  [{ ...RULE, topics: ['a*b'] }],
  [{ ...RULE, topics: ['**'] }],
  [{ ...RULE, topics: [''] }],
  [{ ...RULE, topics: ['Überweisung'] }],
  [{ ...RULE, topics: [] }],
  [{ ...RULE, groups: ['*a'] }],
  [{ ...RULE, principals: [''] }],
  [{ ...RULE, operations: ['administer'] }],
  [{ ...RULE, operations: [] }],
  [{ ...RULE, effect: 'forbid' }],
  [{ ...RULE, group: ['a'] }],
])('%j does not fit the schema', (rule) => {
  expect(() => reasonsOf({ rules: [rule] })).toThrow(/rules\[0\]/);
});

test('names, beginnings and everything are accepted, and an empty list of rules', () => {
  const rules = [
    { roles: ['writer'], operations: ['produce'], topics: ['orders', 'team-a.*', '*'] },
    { principals: ['*'], operations: ['consume', 'describe'], groups: ['team a', 'g*', '*'], effect: 'deny' },
  ];
  expect(reasonsOf({ rules })).toEqual([]);
  expect(reasonsOf({ rules: [] })).toEqual([]);
  expect(checkAccess({ auth: AUTH })).toEqual([]);
});

test('rules without a way to know principals are refused', () => {
  expect(checkAccess({ access: { rules: [] } })).toEqual([
    { path: ['access'], reason: 'needs to know who the clients are: set auth, too' },
  ]);
});

test('topics that no request can carry are refused, with the bound', () => {
  const topics = Array.from({ length: 500 }, (_, index) => `orders-of-region-${index}`);
  const halves = [topics.slice(0, 250), topics.slice(250)];
  const reason = (who: string) => [expect.stringContaining(`access.rules: the topics for consume of ${who} take`)];
  const rule = { operations: ['consume'], topics };
  expect(reasonsOf({ rules: [{ ...rule, principals: ['alice'] }] })).toEqual(reason('alice'));
  expect(reasonsOf({ rules: [{ ...rule, roles: ['writer'] }] })).toEqual(reason('the role writer'));
  expect(reasonsOf({ rules: [{ ...rule, roles: ['writer'] }] })[0]).toContain(
    `more than the ${MAX_TOPIC_FILTER_BYTES} that`,
  );
  // Together with what everyone may.
  const parts = halves.map((half, index) => ({ ...rule, principals: index === 0 ? ['alice'] : ['*'], topics: half }));
  expect(reasonsOf({ rules: parts })).toEqual(reason('alice'));
  // A path carries its topic itself; and a beginning stands for many.
  expect(reasonsOf({ rules: [{ ...rule, operations: ['produce'], principals: ['alice'] }] })).toEqual([]);
  expect(reasonsOf({ rules: [{ ...rule, principals: ['alice'], topics: [...topics, 'orders*'] }] })).toEqual([]);
});
