/** What requests need to know of Kafka clusters, as a part of the snapshot; and how it follows from facts. Pure. */
import type { ClusterMode, ClusterModeReport } from '@causeway/protocol/clusters.ts';

/** Why requests wait. */
export type Awaited =
  /** The gateway has just started, and does not know yet which cluster is active. */
  | 'firstProbes'
  /** No bridge of the active cluster takes requests: it is being handed over, or has just been promoted. */
  | 'switchOver'
  /** The active cluster is down, and another one may be promoted. */
  | 'promotion';

export interface ClusterView {
  /** The cluster whose regions serve clients. */
  readonly active: string;
  /** Value of `causeway-promotion` on requests to targets. */
  readonly promotion: string;
  /** Why requests wait; `undefined`: they do not. */
  readonly awaited: Awaited | undefined;
  /** Whether a request that no target of the active cluster could serve may wait: a promotion would help it. */
  readonly mayBePromoted: boolean;
  /** The most requests that may wait. */
  readonly maxWaiting: number;
}

/** A target, as far as clusters are concerned. */
export interface ClusterTarget {
  readonly isServing: boolean;
  readonly health: { readonly status: 'unknown' | 'healthy' | 'unhealthy' };
  /** As it reports; `undefined`: it reports none. */
  readonly cluster: ClusterModeReport | undefined;
}

export interface ClusterRegion {
  readonly standsBy: boolean;
  /** Whether it would get requests if its cluster were active. */
  readonly isUsable: boolean;
  readonly targets: readonly ClusterTarget[];
}

/** Whether bridges in this mode serve clients; those of older versions report none. */
export function acceptsClients(mode: ClusterMode | undefined): boolean {
  return mode === undefined || mode === 'active';
}

/**
 * Whether no target of the cluster is healthy by probes, and at least one was probed. Breakers do not count: what requests do to
 * targets must not promote another cluster.
 */
export function isClusterDown(regions: readonly Pick<ClusterRegion, 'targets'>[]): boolean {
  const targets = regions.flatMap((region) => region.targets);
  return (
    targets.every(({ health }) => health.status !== 'healthy') &&
    targets.some(({ health }) => health.status === 'unhealthy')
  );
}

/** Whether any region of the cluster could serve clients. */
export function isPromotable(regions: readonly ClusterRegion[]): boolean {
  return regions.some(({ isUsable, targets }) => isUsable && targets.some(({ isServing }) => isServing));
}

/** Why requests wait. `mayBePromoted`: another cluster can serve, and the gateway would promote it, or is doing so. */
export function whyAwaited(
  regions: readonly ClusterRegion[],
  { isSettled, mayBePromoted }: { isSettled: boolean; mayBePromoted: boolean },
): Awaited | undefined {
  if (!isSettled) return 'firstProbes';
  const active = regions.filter(({ standsBy }) => !standsBy);
  const serving = active.flatMap(({ isUsable, targets }) => (isUsable ? targets : [])).filter((one) => one.isServing);
  if (serving.length > 0) {
    return serving.some(({ cluster }) => acceptsClients(cluster?.mode)) ? undefined : 'switchOver';
  }
  return mayBePromoted && isClusterDown(active) ? 'promotion' : undefined;
}
