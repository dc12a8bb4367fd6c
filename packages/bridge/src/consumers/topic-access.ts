/** Which topics the principal of a request may use: what its gateway says, enforced for names in bodies, lists, patterns and records. */
import { forbiddenTopic } from '@causeway/protocol/forbidden.ts';
import type { Right } from '@causeway/protocol/operations/operation.ts';
import { permits, type TopicFilter } from '@causeway/protocol/topic-filter.ts';
import { BridgeError } from '../errors.ts';
import type { Sender } from './sender.ts';

export interface TopicAccess {
  /** For errors. */
  readonly principal: string | undefined;
  /** `undefined`: all topics. */
  readonly topics: TopicFilter | undefined;
}

export function accessOf(sender: Sender): TopicAccess {
  return { principal: sender.principal, topics: sender.via === 'gateway' ? sender.topics : undefined };
}

/** The names that the principal may use. */
export function permittedOf({ topics }: Pick<TopicAccess, 'topics'>, names: readonly string[]): readonly string[] {
  return topics === undefined ? names : names.filter((name) => permits(topics, name));
}

/** The first name that the principal may not use. */
export function firstForbidden({ topics }: Pick<TopicAccess, 'topics'>, names: Iterable<string>): string | undefined {
  if (topics === undefined) return undefined;
  for (const name of names) if (!permits(topics, name)) return name;
  return undefined;
}

/** Errors: `forbidden`. */
export function checkTopics(access: TopicAccess, names: Iterable<string>, right: Right = 'consume'): void {
  const name = firstForbidden(access, names);
  if (name !== undefined) throw topicForbidden(access, name, right);
}

export function topicForbidden({ principal }: TopicAccess, topic: string, right: Right = 'consume'): BridgeError {
  return new BridgeError('forbidden', { message: forbiddenTopic(principal, right, topic) });
}
