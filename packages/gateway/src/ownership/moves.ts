/** When a consumer or slot moves although its owner is healthy. */
import { type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Home } from './home.ts';

/** Why it leaves a healthy owner. */
export type MoveReason = 'drain' | 'return';

/**
 * Why what lives at `home` should move now: its region is drained, or the place where it belongs has been healthy for
 * `returnAfterMs` (0: never). With `staysInRegion`, only a place in its own region counts.
 */
export function whyMove(
  snapshot: Snapshot,
  home: Home,
  options: { request: SelectionRequest; nowMs: number; returnAfterMs: number; staysInRegion?: boolean },
): MoveReason | undefined {
  const { request, nowMs, returnAfterMs, staysInRegion } = options;
  const region = snapshot.regions.find(({ name }) => name === home.target.region);
  const isDrained = region !== undefined && region.weight === 0;
  if (snapshot.isPanic || (!isDrained && returnAfterMs === 0)) return undefined;
  const best = selectTarget(snapshot, { ...request, home: undefined }, []);
  if (best === undefined || best === home.target || !best.isAvailable) return undefined;
  if (isDrained) return 'drain';
  const isOtherRegion = best.region !== home.target.region;
  // Several gateways of one region lead to the same bridge.
  const isOtherPlace = isOtherRegion ? staysInRegion !== true : best.bridge !== undefined;
  return isOtherPlace && nowMs - best.stableSinceMs >= returnAfterMs ? 'return' : undefined;
}

/** Paces what returns home: a region that recovers must not get all of it at once. */
export class ReturnPace {
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Whether one may return now, which then counts as done. */
  take(nowMs: number): boolean {
    if (nowMs - this.#lastMs < RETURN_GAP_MS) return false;
    this.#lastMs = nowMs;
    return true;
  }
}

/** Time between two that return: a consumer's join costs a bridge some milliseconds. */
const RETURN_GAP_MS = 20;
