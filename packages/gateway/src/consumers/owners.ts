/** How a consumer's owner is reached, and when a consumer moves although its owner is healthy. */
import { parseBridge } from '@causeway/protocol/routing.ts';
import { type SelectionRequest, selectTarget } from '../regions/select.ts';
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
  const itself = region.targets.find((target) => target.bridge === owner);
  if (itself !== undefined) return isReachable(snapshot, itself) ? itself : undefined;
  // A target that is another bridge does not lead to the owner.
  const gateways = region.targets.filter((target) => target.bridge === undefined && isReachable(snapshot, target));
  return gateways[(request.consumerHash ?? 0) % Math.max(1, gateways.length)];
}

/** Why a consumer leaves a healthy owner. */
export type MoveReason = 'drain' | 'return';

/**
 * Why the consumer should move at this poll: its region is drained, or the place where it belongs has been healthy for
 * `returnAfterMs` (0: never).
 */
export function whyMove(
  snapshot: Snapshot,
  home: Home,
  { request, nowMs, returnAfterMs }: { request: SelectionRequest; nowMs: number; returnAfterMs: number },
): MoveReason | undefined {
  const region = snapshot.regions.find(({ name }) => name === home.target.region);
  const isDrained = region !== undefined && region.weight === 0;
  if (snapshot.isPanic || (!isDrained && returnAfterMs === 0)) return undefined;
  const best = selectTarget(snapshot, { ...request, home: undefined }, []);
  if (best === undefined || best === home.target || !best.isAvailable) return undefined;
  if (isDrained) return 'drain';
  // Several gateways of one region lead to the same bridge.
  const isOtherPlace = best.region !== home.target.region || best.bridge !== undefined;
  return isOtherPlace && nowMs - best.stableSinceMs >= returnAfterMs ? 'return' : undefined;
}

/** Paces consumers that return home: a region that recovers must not get all of them at once. */
export class ReturnPace {
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Whether one may return now, which then counts as done. */
  take(nowMs: number): boolean {
    if (nowMs - this.#lastMs < RETURN_GAP_MS) return false;
    this.#lastMs = nowMs;
    return true;
  }
}

/** Time between two consumers that return: a join costs a bridge some milliseconds. */
const RETURN_GAP_MS = 20;
