/** The rules of a gateway, read word by word as the documents say, and such rules and names at random. */
import { type AccessRule, RIGHTS, type Subject } from '@causeway/gateway/authorization/rules.ts';
import type { Right } from '@causeway/protocol/operations/operation.ts';
import fc from 'fast-check';

/** Whether the principal may use a topic or group by this right. */
export function mayUse(
  rules: readonly AccessRule[],
  who: Subject,
  { right, key, name }: { right: Right; key: 'topics' | 'groups'; name: string },
): boolean {
  const about = rules.filter((rule) => {
    const isForPrincipal =
      (rule.principals ?? []).some((one) => one === '*' || one === who.name) ||
      (rule.roles ?? []).some((role) => who.roles.includes(role));
    const isForRight = rule.operations.some(
      (operation) => operation === 'all' || operation === right || (operation === 'admin' && right === 'createTopics'),
    );
    const isForName = (rule[key] ?? []).some((one) =>
      one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name,
    );
    return isForPrincipal && isForRight && isForName;
  });
  return about.some(({ effect }) => effect === 'allow') && !about.some(({ effect }) => effect === 'deny');
}

export const someNames = fc.string({ unit: fc.constantFrom(...'ab.'), minLength: 1, maxLength: 4 });

const patterns = fc.array(
  fc.oneof(
    someNames,
    someNames.map((text) => `${text}*`),
    fc.constant('*'),
  ),
  { minLength: 1, maxLength: 4 },
);

export const PRINCIPALS = ['alice', 'bob', 'anonymous'];
export const ROLES = ['writer', 'reader'];

/** As a configuration may have them: about principals, and about topics or groups. */
export const someRules: fc.Arbitrary<AccessRule[]> = fc.array(
  fc
    .record(
      {
        principals: fc.subarray([...PRINCIPALS, '*'], { minLength: 1 }),
        roles: fc.subarray(ROLES, { minLength: 1 }),
        operations: fc.subarray([...RIGHTS, 'admin', 'all'] as const, { minLength: 1 }),
        topics: patterns,
        groups: patterns,
        effect: fc.constantFrom('allow' as const, 'deny' as const),
      },
      { requiredKeys: ['operations', 'effect'] },
    )
    .filter(({ principals, roles }) => principals !== undefined || roles !== undefined)
    .filter(({ topics, groups }) => topics !== undefined || groups !== undefined)
    .filter(
      ({ groups, operations }) => groups === undefined || operations.some((one) => one === 'all' || one === 'consume'),
    ),
  { maxLength: 6 },
);
