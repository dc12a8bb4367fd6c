/**
 * Selects the target of an attempt. Pure, without allocation, in one scan over the targets that were not tried yet.
 *
 * Regions are spread by weighted rendezvous hashing (each draws -ln(u) / weight, the lowest wins). For what one bridge owns, a consumer or a
 * slot of idempotency keys, u comes from a hash of its name, so that all gateways select alike; for other work u is random.
 */
import { hashText } from '@causeway/protocol/hash-text.ts';
import type { RegionSnapshot, Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

export interface SelectionRequest {
  /** Hash of the consumer or slot that the request is for; `undefined` for work that any target can do. */
  readonly ownedHash: number | undefined;
  /** Its home, if known. */
  readonly home: Target | undefined;
  /** The request came from another region: only this gateway's own region may serve it. */
  readonly localOnly: boolean;
  /** Whether a target may serve a request that another one could not; `undefined` if any may. */
  readonly helps?: ((target: Target) => boolean) | undefined;
  readonly random: () => number;
}

/**
 * Returns the best target that was not tried, or `undefined`.
 *
 * Unavailable targets come last: they may have recovered since the last probe. A retry never goes to a silent target, which would
 * hold the request for its whole time. Panic applies to first attempts only: a retry goes where probes succeed.
 */
export function selectTarget(
  snapshot: Snapshot,
  request: SelectionRequest,
  tried: readonly Target[],
): Target | undefined {
  const { home, helps } = request;
  const isFirst = tried.length === 0;
  const believesProbes = !(snapshot.isPanic && isFirst);
  if (home !== undefined && !tried.includes(home) && !home.isFull && (!believesProbes || home.isAvailable)) {
    if (isKnown(snapshot, home, request.localOnly) && helps?.(home) !== false) return home;
  }
  let best: Target | undefined;
  let bestTier = Number.POSITIVE_INFINITY;
  let bestDraw = Number.POSITIVE_INFINITY;
  for (const region of snapshot.regions) {
    if (region.weight === 0 || (request.localOnly && !region.isLocal)) continue;
    const regionDraw = drawRegion(region, request);
    let bestTargetDraw = Number.POSITIVE_INFINITY;
    for (const target of region.targets) {
      if (tried.includes(target) || target.isFull || helps?.(target) === false) continue;
      if (!isFirst && target.health.status === 'unhealthy' && target.health.isSilent) continue;
      const tier = believesProbes && !target.isAvailable ? LAST_RESORT + region.priority : region.priority;
      if (tier > bestTier || (tier === bestTier && regionDraw > bestDraw)) continue;
      const isSameRegion = best !== undefined && best.region === region.name && tier === bestTier;
      const targetDraw = drawTarget(target, request);
      if (isSameRegion && targetDraw >= bestTargetDraw) continue;
      best = target;
      bestTier = tier;
      bestDraw = regionDraw;
      bestTargetDraw = targetDraw;
    }
  }
  return best;
}

/** Whether a serving target was left out only because it is full. */
export function isHeldUpByLimit(snapshot: Snapshot, request: SelectionRequest, tried: readonly Target[]): boolean {
  return snapshot.regions.some(
    (region) =>
      region.weight > 0 &&
      (!request.localOnly || region.isLocal) &&
      region.targets.some(
        (target) => target.isFull && !tried.includes(target) && target.isServing && request.helps?.(target) !== false,
      ),
  );
}

/** Whether any target can serve. If not, clients only get errors. With `localOnly`, the Kafka cluster of its own region may stand by. */
export function canServe(snapshot: Snapshot, localOnly: boolean): boolean {
  return snapshot.regions.some(
    (region) =>
      (localOnly ? region.isLocal && region.usableWeight > 0 : region.weight > 0) &&
      region.targets.some((target) => target.isServing),
  );
}

/**
 * Whether clients, or with `localOnly` other gateways, should send requests. A gateway whose active cluster is down and may be replaced
 * is ready: its clients wait there, and are served.
 */
export function isReady(snapshot: Snapshot, localOnly: boolean): boolean {
  return canServe(snapshot, localOnly) || (!localOnly && snapshot.clusters?.awaited === 'promotion');
}

/** The snapshot for requests about the Kafka cluster of the gateway's own region, which bridges of that region alone serve, in any mode. */
export function ownRegionOnly(snapshot: Snapshot): Snapshot {
  const regions = snapshot.regions
    .filter(({ isLocal }) => isLocal)
    .map((region) => ({ ...region, weight: 1, standsBy: false }));
  return { ...snapshot, regions, clusters: undefined };
}

/** Larger than every priority; lower is better. */
const LAST_RESORT = 1_000_000;

function isKnown(snapshot: Snapshot, target: Target, localOnly: boolean): boolean {
  return snapshot.regions.some(
    (region) =>
      !region.standsBy &&
      (!localOnly || region.isLocal) &&
      region.name === target.region &&
      region.targets.includes(target),
  );
}

/** Returns what a region draws for a piece of work; the lowest draw wins. */
export function drawRegion(
  region: RegionSnapshot,
  { ownedHash, random }: Pick<SelectionRequest, 'ownedHash' | 'random'>,
): number {
  const u = ownedHash === undefined ? random() : toUnitInterval(mix(ownedHash, hashText(region.name)));
  return -Math.log(1 - u) / region.weight;
}

function drawTarget(target: Target, { ownedHash, random }: SelectionRequest): number {
  return ownedHash === undefined ? random() : toUnitInterval(mix(ownedHash, hashText(target.url)));
}

/** Combines two hashes and spreads the bits (the finalizer of MurmurHash3). */
function mix(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function toUnitInterval(hash: number): number {
  return hash / 0x1_0000_0000;
}
