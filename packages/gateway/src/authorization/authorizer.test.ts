import type { OperationEntry, Right } from '@causeway/protocol/operations/operation.ts';
import { type NamedOperation, OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { parseUrl } from '@causeway/protocol/paths.ts';
import { TOPICS_HEADER } from '@causeway/protocol/routing.ts';
import { MAX_TOPIC_FILTER_BYTES, parseTopicFilter, permits } from '@causeway/protocol/topic-filter.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mayUse, PRINCIPALS, ROLES, someNames, someRules } from '../../../../test/harness/access-rules.ts';
import { Authorizer, type RequestedUrl } from './authorizer.ts';
import type { Subject } from './rules.ts';

const who: fc.Arbitrary<Subject> = fc.record({ name: fc.constantFrom(...PRINCIPALS), roles: fc.subarray(ROLES) });

function url(given: Partial<RequestedUrl> & Pick<RequestedUrl, 'operation'>): RequestedUrl {
  return { topic: undefined, group: undefined, ...given };
}

function filterOf(headers: readonly string[], topic: string): boolean {
  if (headers.length === 0) return true;
  expect(headers[0]).toBe(TOPICS_HEADER);
  return permits(parseTopicFilter(headers[1] as string), topic);
}

test('decides paths, and filters for bodies and lists, as the rules read', () => {
  fc.assert(
    fc.property(someRules, who, someNames, someNames, (rules, subject, topic, group) => {
      const authorizer = new Authorizer(rules);
      const may = (right: Right) => mayUse(rules, subject, { right, key: 'topics', name: topic });
      const kindOf = (given: RequestedUrl) => authorizer.authorize(subject, given).kind === 'permitted';
      expect(kindOf(url({ operation: 'send', topic }))).toBe(may('produce'));
      expect(kindOf(url({ operation: 'getOffsets', topic }))).toBe(may('describe'));
      const poll = authorizer.authorize(subject, url({ operation: 'poll', group }));
      expect(poll.kind === 'permitted').toBe(mayUse(rules, subject, { right: 'consume', key: 'groups', name: group }));
      if (poll.kind === 'permitted') expect(filterOf(poll.headers, topic)).toBe(may('consume'));
      for (const [operation, right] of [
        ['listTopics', 'describe'],
        ['createTopic', 'createTopics'],
      ] as const) {
        const listed = authorizer.authorize(subject, url({ operation }));
        expect(listed.kind === 'permitted' && filterOf(listed.headers, topic)).toBe(may(right));
      }
    }),
    { numRuns: 1000 },
  );
});

test('admin is every operation below /admin, and no other', () => {
  const authorizer = new Authorizer([
    { principals: ['alice'], operations: ['admin'], topics: ['*'], groups: ['*'], effect: 'allow' },
  ]);
  const alice = { name: 'alice', roles: [] };
  for (const { operation, path, right } of OPERATIONS as readonly OperationEntry<NamedOperation>[]) {
    if (right === undefined) continue;
    const { kind } = authorizer.authorize(alice, url({ operation, topic: 't', group: 'g' }));
    expect([operation, kind]).toEqual([operation, path.startsWith('/admin/') ? 'permitted' : 'forbidden']);
  }
});

test('the message names the principal and what it asked for, and says nothing else', () => {
  const authorizer = new Authorizer([
    { principals: ['alice'], operations: ['all'], topics: ['a*'], groups: ['a'], effect: 'allow' },
  ]);
  const alice = { name: 'alice', roles: [] };
  const messageOf = (who: Subject | undefined, method: string, path: string): string => {
    const authorization = authorizer.authorize(who, parseUrl(method, path));
    return authorization.kind === 'forbidden' ? authorization.message : authorization.kind;
  };
  expect(messageOf(alice, 'POST', '/topics/orders')).toBe('alice may not produce to topic orders');
  expect(messageOf(alice, 'GET', '/topics/orders')).toBe('alice may not describe topic orders');
  expect(messageOf(alice, 'POST', '/consumers/b')).toBe('alice may not consume in group b');
  expect(messageOf(alice, 'GET', '/consumers/b/instances/x/records')).toBe('alice may not consume in group b');
  expect(messageOf(undefined, 'POST', '/topics/a')).toBe('anonymous may not produce to topic a');
  expect(messageOf(alice, 'POST', `/topics/${'x'.repeat(4000)}`)).toHaveLength(281);
});

test.each([
  // Decoded once.
  ['/topics/%61llowed', 'permitted'],
  ['/topics/%2561llowed', 'forbidden'],
  ['/topics/allowed%2e', 'forbidden'],
  ['/topics/team%2ea', 'permitted'],
  ['//topics///allowed', 'permitted'],
  ['/topics/./allowed', 'permitted'],
  ['/topics/other/%2e%2e/allowed', 'permitted'],
  ['/topics/allowed/../other', 'forbidden'],
  ['/topics/Allowed', 'forbidden'],
  ['/topics/ALLOWED', 'forbidden'],
  ['/topics/allowed%20', 'forbidden'],
  ['/topics/allowed%00', 'forbidden'],
  ['/topics/allowed%2Fother', 'forbidden'],
  ['/topics/*', 'forbidden'],
  ['/topics/team.*', 'permitted'],
  ['/topics/team.', 'permitted'],
  ['/topics/team', 'forbidden'],
  ['/topics/team.secret', 'forbidden'],
  ['/topics/team%2Esecret', 'forbidden'],
  ['/topics/allowed?topic=other', 'permitted'],
  ['/topics/allowed/partitions/0', 'permitted'],
  ['/topics/other/partitions/0', 'forbidden'],
  ['/topics/other/partitions/0/offsets', 'forbidden'],
])('%s is %s', (path, expected) => {
  const authorizer = new Authorizer([
    { principals: ['*'], operations: ['describe'], topics: ['allowed', 'team.*'], effect: 'allow' },
    { principals: ['*'], operations: ['describe'], topics: ['team.secret'], effect: 'deny' },
  ]);
  expect(authorizer.authorize(undefined, parseUrl('GET', path)).kind).toBe(expected);
});

test('without a rule that allows it, every operation on topics and consumers is forbidden, or has no topics', () => {
  const authorizer = new Authorizer([]);
  for (const { operation, method, path, right } of OPERATIONS.map((entry) => ({ right: undefined, ...entry }))) {
    const authorization = authorizer.authorize(undefined, parseUrl(method, path.replaceAll(/[{}]/g, '')));
    const isByBridge = operation === 'listTopics' || operation === 'createTopic';
    const expected =
      right === undefined
        ? { kind: 'permitted', headers: [] }
        : isByBridge
          ? { kind: 'permitted', headers: [TOPICS_HEADER, 'allow=;deny='] }
          : { kind: 'forbidden' };
    expect(authorization, operation).toMatchObject(expected);
  }
});

test('a filter that no request can carry forbids what needs it', () => {
  const topics = Array.from({ length: 400 }, (_, index) => `topic-with-a-long-name-${index}`);
  expect(topics.join().length).toBeGreaterThan(MAX_TOPIC_FILTER_BYTES);
  const authorizer = new Authorizer([
    { roles: ['writer'], operations: ['all'], topics, groups: ['*'], effect: 'allow' },
  ]);
  const who = { name: 'alice', roles: ['writer'] };
  expect(authorizer.authorize(who, url({ operation: 'send', topic: topics[7] }))).toMatchObject({ kind: 'permitted' });
  expect(authorizer.authorize(who, url({ operation: 'poll', group: 'g' }))).toEqual({
    kind: 'forbidden',
    message: 'The rules for alice name more topics than a request can carry',
  });
});

test('principals to whom the same rules apply share what is kept of them', () => {
  const authorizer = new Authorizer([
    { roles: ['writer'], operations: ['all'], topics: ['a'], groups: ['*'], effect: 'allow' },
    { principals: ['alice'], operations: ['all'], topics: ['b'], effect: 'allow' },
  ]);
  const poll = (who: Subject) => authorizer.authorize(who, url({ operation: 'poll', group: 'g' }));
  const first = poll({ name: 'one', roles: ['writer'] });
  expect(poll({ name: 'another', roles: ['writer', 'unknown'] })).toBe(first);
  expect(poll({ name: 'alice', roles: ['writer'] })).not.toBe(first);
});
