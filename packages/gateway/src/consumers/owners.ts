/** How a consumer's owner is reached. */
import { parseBridge } from '@causeway/protocol/routing.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';

/** Whether requests may go to the target now; in a panic to any that is not full. */
export function isReachable(snapshot: Snapshot, target: Target): boolean {
  return target.isAvailable || (snapshot.isPanic && !target.isFull);
}

/**
 * The target that leads to the owner `region/bridge`, if one is reachable: the bridge itself where the region's targets are
 * bridges, otherwise one of the region's gateways.
 */
export function targetOfOwner(snapshot: Snapshot, owner: string, request: SelectionRequest): Target | undefined {
  const bridge = parseBridge(owner);
  const region = snapshot.regions.find(({ name }) => name === bridge?.region);
  if (region === undefined || (request.localOnly && !region.isLocal)) return undefined;
  const itself = region.targets.find((target) => target.bridge === owner);
  if (itself !== undefined) return isReachable(snapshot, itself) ? itself : undefined;
  // A target that is another bridge does not lead to the owner.
  const gateways = region.targets.filter((target) => target.bridge === undefined && isReachable(snapshot, target));
  return gateways[(request.consumerHash ?? 0) % Math.max(1, gateways.length)];
}
