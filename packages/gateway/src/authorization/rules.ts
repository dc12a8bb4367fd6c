/** What the rules of a configuration permit a principal. Pure. */
import type { Right } from '@causeway/protocol/operations/operation.ts';
import { type TopicFilter, type TopicPatterns, topicFilterOf } from '@causeway/protocol/topic-filter.ts';

export const RIGHTS = ['produce', 'consume', 'describe', 'createTopics'] as const satisfies readonly Right[];

/** Several rights by one word: `admin` is what the API has below `/admin`. */
type SeveralRights = 'admin' | 'all';
const SEVERAL: Readonly<Record<SeveralRights, readonly Right[]>> = { admin: ['createTopics'], all: RIGHTS };

/** An entry of `access.rules`. */
export interface AccessRule {
  /** Names, or `*` for all. */
  readonly principals?: readonly string[] | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly operations: readonly (Right | SeveralRights)[];
  /** Names, beginnings with `*` at the end, or `*` for all. */
  readonly topics?: readonly string[] | undefined;
  /** The same. */
  readonly groups?: readonly string[] | undefined;
  readonly effect: 'allow' | 'deny';
}

/** Whom rules are about. */
export interface Subject {
  readonly name: string;
  readonly roles: readonly string[];
}

/** What a principal may do by one right. */
export interface Permission {
  readonly topics: TopicPatterns;
  readonly topicFilter: TopicFilter;
}

/** What a principal may do. */
export interface Permissions {
  readonly rights: Readonly<Record<Right, Permission>>;
  /** Groups in which it may consume: names like those of topics. */
  readonly groups: TopicFilter;
}

/** `rules`: all that apply to the principal, in any order. */
export function permissionsOf(rules: readonly AccessRule[]): Permissions {
  const permission = (right: Right): Permission => {
    const topics = patternsOf(rules, right, ({ topics }) => topics);
    return { topics, topicFilter: topicFilterOf(topics) };
  };
  return {
    rights: {
      produce: permission('produce'),
      consume: permission('consume'),
      describe: permission('describe'),
      createTopics: permission('createTopics'),
    },
    groups: topicFilterOf(patternsOf(rules, 'consume', ({ groups }) => groups)),
  };
}

function patternsOf(
  rules: readonly AccessRule[],
  right: Right,
  names: (rule: AccessRule) => readonly string[] | undefined,
): TopicPatterns {
  const about = rules.filter(({ operations }) => operations.some((operation) => rightsOf(operation).includes(right)));
  const withEffect = (effect: AccessRule['effect']) => about.filter((rule) => rule.effect === effect);
  return {
    allow: withEffect('allow').flatMap((rule) => names(rule) ?? []),
    deny: withEffect('deny').flatMap((rule) => names(rule) ?? []),
  };
}

/** What an operation of a rule stands for. */
export function rightsOf(operation: Right | SeveralRights): readonly Right[] {
  return operation === 'admin' || operation === 'all' ? SEVERAL[operation] : [operation];
}
