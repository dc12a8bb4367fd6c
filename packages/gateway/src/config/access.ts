/** The section `access`: what principals may do, with the checks that a schema cannot express. */
import { Choice, Entry, type Static, Type } from '@causeway/config/schema.ts';
import { formatTopicFilter, MAX_TOPIC_FILTER_BYTES } from '@causeway/protocol/topic-filter.ts';
import { RuleIndex } from '../authorization/rule-index.ts';
import { permissionsOf, rightsOf, type Subject } from '../authorization/rules.ts';

const OPERATIONS = ['produce', 'consume', 'describe', 'createTopics', 'admin', 'all'] as const;

/** Whom a rule is about, or what: names, each once. */
const names = (description: string, examples: string[], pattern: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, pattern }), {
      description,
      examples: [examples],
      minItems: 1,
    }),
  );

const RuleConfig = Entry(
  {
    principals: names('Principals by name; "*" is every principal, anonymous included.', ['alice'], '.'),
    roles: names('Roles: the rule is about each principal that has one of them, too.', ['writer'], '.'),
    operations: Type.Array(Choice(OPERATIONS, { description: 'What the rule is about.', default: 'all' }), {
      description:
        'What the rule is about: produce; consume, which is everything that one does with consumers; describe (metadata and offsets; GET /topics lists these topics); createTopics; admin, which is everything below /admin, now createTopics alone; all.',
      examples: [['produce', 'consume']],
      minItems: 1,
    }),
    topics: names(
      'Topics by name, by the beginning of their names with * at its end, or "*" for all.',
      ['orders', 'team-a.*'],
      '^(?:[A-Za-z0-9._-]+\\*?|\\*)$',
    ),
    groups: names(
      'Consumer groups, written like topics. To consume, a principal needs the group as well as the topics.',
      ['team-a.*'],
      '^(?:[^*]+\\*?|\\*)$',
    ),
    effect: Choice(['allow', 'deny'], {
      description: 'What the rule says. What one rule denies, no rule allows.',
      default: 'allow',
    }),
  },
  { description: 'A rule.' },
);
type RuleConfig = Static<typeof RuleConfig>;

export const AccessSection = Entry(
  {
    rules: Type.Array(RuleConfig, {
      description: 'What principals may do, in any order. What no rule allows is 403.',
    }),
  },
  {
    description:
      'What principals may do with topics and consumer groups. Without this section they may do everything. The first gateway that a request reaches applies the rules, for clients of its own.',
  },
);
export type AccessSection = Static<typeof AccessSection>;

type Finding = { path: (string | number)[]; reason: string };

/** Finds problems of the section. */
export function checkAccess({ access, auth }: { access?: AccessSection; auth?: object }): Finding[] {
  if (access === undefined) return [];
  if (auth === undefined) {
    return [{ path: ['access'], reason: 'needs to know who the clients are: set auth, too' }];
  }
  const { rules } = access;
  const findings = rules.flatMap((rule, index) => checkRule(rule, ['access', 'rules', index]));
  return findings.length > 0 ? findings : checkLengths(rules);
}

function checkRule({ principals, roles, operations, topics, groups }: RuleConfig, path: Finding['path']): Finding[] {
  const findings: Finding[] = [];
  if (principals === undefined && roles === undefined) {
    findings.push({ path, reason: 'is about no principal: set principals or roles (principals: ["*"] is everyone)' });
  }
  if (topics === undefined && groups === undefined) {
    findings.push({ path, reason: 'is about nothing: set topics or groups (topics: ["*"] is all topics)' });
  }
  const isAboutConsumers = operations.some((operation) => rightsOf(operation).includes('consume'));
  if (groups !== undefined && !isAboutConsumers) {
    findings.push({
      path: [...path, 'groups'],
      reason: 'has no effect: of the operations only consume is about groups',
    });
  }
  return findings;
}

/** Rights that bridges enforce, by a list of topics in a header. */
const IN_HEADERS = ['consume', 'describe', 'createTopics'] as const;

/** As far as rules alone show it: what a principal with several roles may do is known when it comes. */
function checkLengths(rules: readonly RuleConfig[]): Finding[] {
  const index = new RuleIndex(rules);
  const unique = (names: readonly string[]) => [...new Set(names)];
  const subjects: { who: string; subject: Subject }[] = [
    ...unique(rules.flatMap(({ principals = [] }) => principals)).map((name) => ({
      who: name,
      subject: { name, roles: [] },
    })),
    ...unique(rules.flatMap(({ roles = [] }) => roles)).map((role) => ({
      who: `the role ${role}`,
      subject: { name: '', roles: [role] },
    })),
  ];
  for (const { who, subject } of subjects) {
    const { rights } = permissionsOf(index.find(subject).rules);
    for (const right of IN_HEADERS) {
      const bytes = formatTopicFilter(rights[right].topics).length;
      if (bytes <= MAX_TOPIC_FILTER_BYTES) continue;
      const reason = `the topics for ${right} of ${who} take ${bytes} bytes, more than the ${MAX_TOPIC_FILTER_BYTES} that a request can carry: name fewer, or beginnings of names ("team-a.*")`;
      return [{ path: ['access', 'rules'], reason }];
    }
  }
  return [];
}
