/** Whether MirrorMaker fills a cluster, and from where. Pure. */
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';

export type Decision =
  | { kind: 'run'; source: string }
  /** `isToReport`: whether to say, once it has stopped, that it does not fill the cluster any more, which is active. `reason`: for the log. */
  | { kind: 'stop'; isToReport: boolean; reason: string }
  | { kind: 'keep'; reason: string };

/**
 * `clusters`: as a gateway sees them. Two directions at once would copy every record for ever: so a direction begins only when the program beside its source
 * has said that MirrorMaker does not fill that any more. Errors: `Error` for a target that the gateway does not know.
 */
export function decide(
  target: string,
  { active, members, isReplicationEnded }: Pick<KafkaClusters, 'active' | 'members' | 'isReplicationEnded'>,
): Decision {
  const found = members.find(({ name }) => name === target);
  if (found === undefined) {
    const known = members.map(({ name }) => name).join(', ');
    throw new Error(`The gateway knows no Kafka cluster ${target} (known: ${known})`);
  }
  const { mode } = found;
  switch (mode) {
    case 'standby':
      // A gateway learns of a promotion a moment later than the cluster's own bridges.
      if (active === target) return { kind: 'keep', reason: `${target} is about to change` };
      if (isReplicationEnded === null) return { kind: 'keep', reason: `no bridge of ${active} responds` };
      if (isReplicationEnded) return { kind: 'run', source: active };
      return {
        kind: 'stop',
        isToReport: false,
        reason: `MirrorMaker may still fill ${active}: npm run mirror-maker beside it, or npm run clusters -- replication-ended ${active}, says when that has ended`,
      };
    case 'active':
    case 'pausing':
      return {
        kind: 'stop',
        isToReport: mode === 'active' && active === target && isReplicationEnded === false,
        reason: `${target} is active`,
      };
    case 'fenced':
      return { kind: 'stop', isToReport: false, reason: `${target} is fenced until an operator lets it rejoin` };
    default:
      return { kind: 'keep', reason: `the gateway does not know the mode of ${target} (${mode})` };
  }
}
