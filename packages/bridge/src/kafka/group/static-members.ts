/** Members of a group with an instance id of their own (KIP-345), which the group keeps until their session times out or someone removes them. */
import { describeGroupsV5, leaveGroupV5 } from '@platformatic/kafka';
import type { Limits } from '../client/limits.ts';
import type { GroupCoordinator } from './coordinator.ts';

/** Removes the members whose instance ids are chosen, and returns how many there were. Errors: those of the library. */
export async function removeStaticMembers(
  coordinator: GroupCoordinator,
  isChosen: (instanceId: string) => boolean,
  { reason, limits }: { reason: string; limits: Limits },
): Promise<number> {
  const { group } = coordinator;
  const { groups } = await coordinator.send(
    (connection) => describeGroupsV5.api.async(connection, [group], false),
    limits,
  );
  const chosen = (groups[0]?.members ?? []).flatMap(({ groupInstanceId }) =>
    groupInstanceId && isChosen(groupInstanceId) ? [{ memberId: '', groupInstanceId, reason }] : [],
  );
  if (chosen.length === 0) return 0;
  await coordinator.sendAndStore((connection) => leaveGroupV5.api.async(connection, group, chosen), limits);
  return chosen.length;
}
