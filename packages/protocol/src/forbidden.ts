/** The texts of responses 403 by the rules of a gateway: equal at gateways and bridges, and for names that exist and that do not. Pure. */
import type { Right } from './operations/operation.ts';
import { ANONYMOUS } from './principal.ts';

const VERBS: Readonly<Record<Right, string>> = {
  produce: 'produce to',
  consume: 'consume',
  describe: 'describe',
  createTopics: 'create',
};

/** Names in URLs and bodies may be longer than any that Kafka has. */
const MAX_SHOWN_LENGTH = 249;

/** `principal` may not use `topic` so. */
export function forbiddenTopic(principal: string | undefined, right: Right, topic: string): string {
  return `${principal ?? ANONYMOUS} may not ${VERBS[right]} topic ${shown(topic)}`;
}

/** `principal` may not have consumers in `group`. */
export function forbiddenGroup(principal: string | undefined, group: string): string {
  return `${principal ?? ANONYMOUS} may not consume in group ${shown(group)}`;
}

/** `principal` may not use a consumer that another one has created. */
export function forbiddenConsumer(
  principal: string | undefined,
  { group, name }: { group: string; name: string },
): string {
  return `${principal ?? ANONYMOUS} may not use consumer ${shown(name)} in group ${shown(group)}`;
}

function shown(name: string): string {
  return name.length <= MAX_SHOWN_LENGTH ? name : `${name.slice(0, MAX_SHOWN_LENGTH)}…`;
}
