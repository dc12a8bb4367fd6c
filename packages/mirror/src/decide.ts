/** Whether MirrorMaker fills a cluster, and from where. Pure. */
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';

export type Decision =
  | { kind: 'run'; source: string }
  /** `reason`: for the log. */
  | { kind: 'stop' | 'keep'; reason: string };

/** `clusters`: as a gateway sees them. Errors: `Error` for a target that it does not know. */
export function decide(target: string, { active, members }: Pick<KafkaClusters, 'active' | 'members'>): Decision {
  const found = members.find(({ name }) => name === target);
  if (found === undefined) {
    const known = members.map(({ name }) => name).join(', ');
    throw new Error(`The gateway knows no Kafka cluster ${target} (known: ${known})`);
  }
  const { mode } = found;
  switch (mode) {
    case 'standby':
      // A gateway learns of a promotion a moment later than the cluster's own bridges.
      return active === target
        ? { kind: 'keep', reason: `${target} is about to change` }
        : { kind: 'run', source: active };
    case 'active':
    case 'pausing':
      return { kind: 'stop', reason: `${target} is active` };
    case 'fenced':
      return { kind: 'stop', reason: `${target} is fenced until an operator lets it rejoin` };
    default:
      return { kind: 'keep', reason: `the gateway does not know the mode of ${target} (${mode})` };
  }
}
