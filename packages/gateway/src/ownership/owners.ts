/** How the owner of a consumer or slot is reached. */
import { BRIDGE_HEADER, parseBridge } from '@causeway/protocol/routing.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Home, Homes } from './home.ts';

/** A target's response. */
export interface TargetResponse {
  readonly target: Target;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Whether requests may go to the target now; in a panic to any that is not full. */
export function isReachable(snapshot: Snapshot, target: Target): boolean {
  return target.isAvailable || (snapshot.isPanic && !target.isFull);
}

type Way = Pick<SelectionRequest, 'ownedHash' | 'localOnly'>;

/** Whether the target is the owner `region/bridge`, or a gateway of its region, which knows the way to it. */
export function leadsToOwner({ bridge, region }: Pick<Target, 'bridge' | 'region'>, owner: string): boolean {
  return bridge === undefined ? region === parseBridge(owner)?.region : bridge === owner;
}

/**
 * The target that leads to the owner `region/bridge`, if one is reachable: the bridge itself where the region's targets are
 * bridges, otherwise one of the region's gateways.
 */
export function targetOfOwner(snapshot: Snapshot, owner: string, request: Way): Target | undefined {
  const bridge = parseBridge(owner);
  const region = snapshot.regions.find(({ name }) => name === bridge?.region);
  if (region === undefined || region.standsBy || (request.localOnly && !region.isLocal)) return undefined;
  // A bridge with an IPv4 and an IPv6 address is two targets.
  const itself = region.targets.filter((target) => target.bridge === owner);
  if (itself.length > 0) return itself.find((target) => isReachable(snapshot, target));
  // A target that is another bridge does not lead to the owner.
  const gateways = region.targets.filter((target) => target.bridge === undefined && isReachable(snapshot, target));
  return gateways[(request.ownedHash ?? 0) % Math.max(1, gateways.length)];
}

/** Whether the owner lives and gets no request now, because all targets that lead to it have as many as they may have. */
export function isOwnerFull(snapshot: Snapshot, owner: string): boolean {
  const targets = snapshot.regions.flatMap((region) => region.targets.filter((target) => leadsToOwner(target, owner)));
  return targets.some(({ isServing }) => isServing) && targets.every(({ isServing, isFull }) => !isServing || isFull);
}

/**
 * The home by the target that leads to it now. The owner is the bridge: DNS may have given it another address since the home was
 * remembered, and where gateways of its region lead to it, one of them may be gone or down.
 */
export function currentHome(snapshot: Snapshot, home: Home, request: Way): Home {
  const { owner, target: before } = home;
  if (owner === undefined || (!before.isRetired && isReachable(snapshot, before))) return home;
  const target = targetOfOwner(snapshot, owner, request);
  return target === undefined ? home : { target, owner };
}

/**
 * The remembered home, which moves to another target when that leads to the owner now. `undefined` in a region whose Kafka
 * cluster stands by.
 */
export function rememberedHome<Key>(homes: Homes<Key>, key: Key, snapshot: Snapshot, request: Way): Home | undefined {
  const known = homes.homeOf(key);
  if (known === undefined || standsBy(snapshot, known)) return undefined;
  const home = currentHome(snapshot, known, request);
  if (home !== known) homes.remember(key, home);
  return home;
}

function standsBy({ clusters, regions }: Snapshot, { target: { region } }: Home): boolean {
  return clusters !== undefined && regions.some(({ name, standsBy }) => standsBy && name === region);
}

/** The home that a response names. */
export function homeOfResponse(snapshot: Snapshot, { target, headers }: TargetResponse, request: Way): Home {
  const owner = textOf(headers[BRIDGE_HEADER]);
  // Another region's gateway may have passed it on: the next request goes there directly.
  const place = owner === undefined ? undefined : targetOfOwner(snapshot, owner, request);
  return { target: place ?? target, owner };
}

/** The value of a header that is sent once. */
export function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
