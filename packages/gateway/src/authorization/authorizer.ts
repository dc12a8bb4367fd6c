/** Decides requests by the rules: what their URLs name here, and what their bodies name at the bridge, by a header. */
import { forbiddenGroup, forbiddenTopic } from '@causeway/protocol/forbidden.ts';
import type { Right } from '@causeway/protocol/operations/operation.ts';
import { rightOf } from '@causeway/protocol/operations/table.ts';
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import { ANONYMOUS } from '@causeway/protocol/principal.ts';
import { TOPICS_HEADER } from '@causeway/protocol/routing.ts';
import {
  formatTopicFilter,
  MAX_TOPIC_FILTER_BYTES,
  permits,
  permitsAll,
  type TopicFilter,
} from '@causeway/protocol/topic-filter.ts';
import { RuleIndex } from './rule-index.ts';
import { type AccessRule, type Permission, permissionsOf, type Subject } from './rules.ts';

export type Authorization =
  /** `headers`: names and values in turn, for targets: the topics that the principal may use. */
  | { readonly kind: 'permitted'; readonly headers: readonly string[] }
  /** `message`: for the client. */
  | { readonly kind: 'forbidden'; readonly message: string };

/** What a request names. */
export type RequestedUrl = Pick<ParsedUrl, 'operation' | 'topic' | 'group'>;

/** One right of a principal, as requests need it. */
interface Grant {
  readonly topics: TopicFilter;
  /** With the header for topics that the bridge checks; `undefined` where that would be too long. */
  readonly permitted: Authorization | undefined;
}

interface Grants {
  readonly rights: Readonly<Record<Right, Grant>>;
  readonly groups: TopicFilter;
}

const NO_HEADERS: readonly string[] = [];
const PERMITTED: Authorization = { kind: 'permitted', headers: NO_HEADERS };
const UNKNOWN: Subject = { name: ANONYMOUS, roles: [] };
/** Sets of rules that apply to some principal: as many as combinations of roles, and names in rules. */
const MAX_GRANTS = 1_000;

/** By one version of the rules: a reload makes another one. */
export class Authorizer {
  readonly #index: RuleIndex;
  /** By the principal, whose object lives as long as its credentials are cached. */
  readonly #grantsOf = new WeakMap<Subject, Grants>();
  /** Principals to whom the same rules apply share them. */
  readonly #grants = new Map<string, Grants>();

  constructor(rules: readonly AccessRule[]) {
    this.#index = new RuleIndex(rules);
  }

  /** `principal`: `undefined` where no method of authentication is configured. */
  authorize(principal: Subject | undefined, { operation, topic, group }: RequestedUrl): Authorization {
    const right = rightOf(operation);
    if (right === undefined) return PERMITTED;
    const { rights, groups } = this.#find(principal ?? UNKNOWN);
    const grant = rights[right];
    if (topic !== undefined) {
      if (permits(grant.topics, topic)) return PERMITTED;
      return { kind: 'forbidden', message: forbiddenTopic(principal?.name, right, topic) };
    }
    if (group !== undefined && !permits(groups, group)) {
      return { kind: 'forbidden', message: forbiddenGroup(principal?.name, group) };
    }
    if (grant.permitted !== undefined) return grant.permitted;
    const message = `The rules for ${principal?.name ?? ANONYMOUS} name more topics than a request can carry`;
    return { kind: 'forbidden', message };
  }

  #find(subject: Subject): Grants {
    const known = this.#grantsOf.get(subject);
    if (known !== undefined) return known;
    const { key, rules } = this.#index.find(subject);
    let grants = this.#grants.get(key);
    if (grants === undefined) {
      if (this.#grants.size >= MAX_GRANTS) this.#grants.clear();
      grants = grantsOf(rules);
      this.#grants.set(key, grants);
    }
    this.#grantsOf.set(subject, grants);
    return grants;
  }
}

function grantsOf(rules: readonly AccessRule[]): Grants {
  const { rights, groups } = permissionsOf(rules);
  const { produce, consume, describe, createTopics } = rights;
  return {
    rights: {
      produce: grantOf(produce),
      consume: grantOf(consume),
      describe: grantOf(describe),
      createTopics: grantOf(createTopics),
    },
    groups,
  };
}

function grantOf({ topics, topicFilter }: Permission): Grant {
  if (permitsAll(topicFilter)) return { topics: topicFilter, permitted: PERMITTED };
  const text = formatTopicFilter(topics);
  const isTooLong = text.length > MAX_TOPIC_FILTER_BYTES;
  return {
    topics: topicFilter,
    permitted: isTooLong ? undefined : { kind: 'permitted', headers: [TOPICS_HEADER, text] },
  };
}
