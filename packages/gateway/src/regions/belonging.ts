/** Decides to which region a piece of work belongs: by weight, for what one bridge owns by its hash. Pure. */
import { drawRegion, type SelectionRequest } from './select.ts';
import type { RegionSnapshot, Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

/** Whether any target of the region is serving. In-flight limits do not count: they change from moment to moment. */
export function canRegionServe({ targets }: RegionSnapshot): boolean {
  return targets.some(({ isServing }) => isServing);
}

/** Whether every region to which work belongs can serve: those with weight, of the lowest priority. */
export function isWhole(regions: readonly RegionSnapshot[]): boolean {
  const priority = lowestPriority(regions);
  return regions.every((region) => region.weight === 0 || region.priority !== priority || canRegionServe(region));
}

/**
 * Returns the region from which work that `servedBy` served was redirected; `undefined` if it belongs there. After a retry it is
 * the region of the first attempt. Otherwise a draw that ignores health decides: work drawn for a region that cannot serve counts
 * as redirected, so that its share is that of the region's weight.
 */
export function redirectedFrom(
  { regions }: Snapshot,
  request: Pick<SelectionRequest, 'ownedHash' | 'localOnly' | 'random'>,
  { tried, servedBy }: { tried: readonly Target[]; servedBy: string },
): string | undefined {
  const first = tried[0]?.region;
  if (request.localOnly || first === undefined) return undefined;
  if (first !== servedBy) return first;
  const region = regionOfWork(regions, request);
  return region === undefined || region.name === servedBy || canRegionServe(region) ? undefined : region.name;
}

function regionOfWork(
  regions: readonly RegionSnapshot[],
  request: Pick<SelectionRequest, 'ownedHash' | 'random'>,
): RegionSnapshot | undefined {
  const priority = lowestPriority(regions);
  let best: RegionSnapshot | undefined;
  let bestDraw = Number.POSITIVE_INFINITY;
  for (const region of regions) {
    if (region.weight === 0 || region.priority !== priority) continue;
    const draw = drawRegion(region, request);
    if (best !== undefined && draw >= bestDraw) continue;
    best = region;
    bestDraw = draw;
  }
  return best;
}

function lowestPriority(regions: readonly RegionSnapshot[]): number {
  return regions.reduce(
    (lowest, { weight, priority }) => (weight > 0 ? Math.min(lowest, priority) : lowest),
    Number.POSITIVE_INFINITY,
  );
}
