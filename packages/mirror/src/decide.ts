/** Whether MirrorMaker fills a cluster, and from where. Pure. */
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';

export type Decision =
  | { kind: 'run'; source: string }
  /** `reason`: for the log. */
  | { kind: 'stop' | 'keep'; reason: string };

export interface Patience {
  /** How long this program has known of the last promotion. */
  activeForMs: number;
  /** How long the replication to it, which its own program stops, may take to end. */
  turnAfterMs: number;
}

/**
 * `clusters`: as a gateway sees them. Two directions at once would copy every record for ever, and no program sees what the other one does: so the new
 * direction begins only some time after a promotion. Errors: `Error` for a target that the gateway does not know.
 */
export function decide(
  target: string,
  { active, members }: Pick<KafkaClusters, 'active' | 'members'>,
  { activeForMs, turnAfterMs }: Patience,
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
      return activeForMs < turnAfterMs
        ? { kind: 'stop', reason: `${active} was promoted just now, and MirrorMaker may still run towards it` }
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

/** How long ago the active cluster was promoted, by two clocks, in milliseconds. The first promotion turns no direction. */
export function ageMs({ promotion, since }: Pick<KafkaClusters, 'promotion' | 'since'>, wallMs: number): number {
  if (promotion <= 1 || since === null) return Number.POSITIVE_INFINITY;
  return Math.max(0, wallMs - Date.parse(since));
}
