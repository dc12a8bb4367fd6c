/** How a consumer's owner is reached. */
import { parseBridge } from '@causeway/protocol/routing.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Home } from './affinity.ts';

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
  // A bridge with an IPv4 and an IPv6 address is two targets.
  const itself = region.targets.filter((target) => target.bridge === owner);
  if (itself.length > 0) return itself.find((target) => isReachable(snapshot, target));
  // A target that is another bridge does not lead to the owner.
  const gateways = region.targets.filter((target) => target.bridge === undefined && isReachable(snapshot, target));
  return gateways[(request.consumerHash ?? 0) % Math.max(1, gateways.length)];
}

/**
 * The home at the address that its bridge has now. The owner is the bridge, whatever its address: DNS may have given it another one
 * since the home was remembered.
 */
export function currentHome({ regions }: Snapshot, home: Home): Home {
  const { owner, target: before } = home;
  if (owner === undefined || !before.isRetired) return home;
  const region = regions.find(({ name }) => name === before.region);
  const target = region?.targets.find(({ bridge }) => bridge === owner);
  return target === undefined ? home : { target, owner };
}
