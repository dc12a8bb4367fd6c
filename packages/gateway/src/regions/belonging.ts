/** To which region a piece of work belongs, whoever serves it: by weight, for a consumer by its name. Pure. */
import { drawRegion, type SelectionRequest } from './select.ts';
import type { RegionSnapshot, Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

/** Whether one of its targets is serving; limits in flight come and go. */
export function canRegionServe({ targets }: RegionSnapshot): boolean {
  return targets.some(({ isServing }) => isServing);
}

/** Whether every region to which work belongs can serve: those with weight, of the lowest priority. */
export function isWhole(regions: readonly RegionSnapshot[]): boolean {
  const priority = lowestPriority(regions);
  return regions.every((region) => region.weight === 0 || region.priority !== priority || canRegionServe(region));
}

/**
 * From which region the work was redirected that `servedBy` answered; `undefined` when it belongs there. Where one
 * target failed and another answered, from the one that failed. Else, by the draw that ignores health: what is drawn for
 * a region that cannot serve is drawn again, so the share of it is that of the region's weight.
 */
export function redirectedFrom(
  { regions }: Snapshot,
  request: Pick<SelectionRequest, 'consumerHash' | 'localOnly' | 'random'>,
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
  request: Pick<SelectionRequest, 'consumerHash' | 'random'>,
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
