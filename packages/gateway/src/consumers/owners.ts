/** Where a consumer's owner is reached, and when a consumer is to move although its owner is well. Pure. */
import { parseBridge } from '@causeway/protocol/routing.ts';
import { type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Home } from './affinity.ts';

/** Whether requests may go to the target now. */
export function isReachable(snapshot: Snapshot, target: Target): boolean {
  return target.isAvailable || (snapshot.isPanic && !target.isFull);
}

/**
 * The target behind which the owner `region/bridge` stands, if it is reachable: the bridge itself where the region's
 * targets are bridges, else one of the region's gateways.
 */
export function targetOfOwner(snapshot: Snapshot, owner: string, request: SelectionRequest): Target | undefined {
  const bridge = parseBridge(owner);
  const region = snapshot.regions.find(({ name }) => name === bridge?.region);
  if (region === undefined || (request.localOnly && !region.isLocal)) return undefined;
  const itself = region.targets.find((target) => target.bridge === owner);
  if (itself !== undefined) return isReachable(snapshot, itself) ? itself : undefined;
  // Of what is known to be another bridge the owner cannot be asked.
  const gateways = region.targets.filter((target) => target.bridge === undefined && isReachable(snapshot, target));
  return gateways[(request.consumerHash ?? 0) % Math.max(1, gateways.length)];
}

/** Why a consumer is to leave the owner that serves it well. */
export type MoveReason = 'drain' | 'return';

/**
 * Whether the consumer is to move at this poll: its region is drained, or it has been away and the place where it belongs
 * has been well for `returnAfterMs` (0: never).
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
  // Between several gateways of one region there is nothing to choose: the bridge behind them is the same.
  const isOtherPlace = best.region !== home.target.region || best.bridge !== undefined;
  return isOtherPlace && nowMs - best.wellSinceMs >= returnAfterMs ? 'return' : undefined;
}

/** Lets consumers go home one at a time: a returning region must not get all of them at once. */
export class ReturnPace {
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Whether one may go now; it has gone then. */
  take(nowMs: number): boolean {
    if (nowMs - this.#lastMs < RETURN_GAP_MS) return false;
    this.#lastMs = nowMs;
    return true;
  }
}

/** Between two consumers that go home: a join costs a bridge some milliseconds. */
const RETURN_GAP_MS = 20;
