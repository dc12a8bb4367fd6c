/**
 * The headers by which a gateway reports Kafka clusters to the gateways that probe it: the highest promotion that it knows, and what the
 * bridges of its own region agree on. A promotion stays true, so that it may be repeated; the mode of another region would be out of date.
 */
import {
  CLUSTER_HEADER,
  type ClusterMode,
  type ClusterModeReport,
  formatClusterMode,
  PROMOTION_HEADER,
} from '@causeway/protocol/clusters.ts';

/** A region, as far as these headers are concerned. */
export interface ClusterHeaderRegion {
  readonly isLocal: boolean;
  readonly targets: readonly { readonly isServing: boolean; readonly cluster: ClusterModeReport | undefined }[];
}

/** `promotion`: the value of `causeway-promotion`, if one is known. Pure. */
export function clusterHeaders(
  { regions }: { regions: readonly ClusterHeaderRegion[] },
  promotion: string | undefined,
): string[] {
  const headers = promotion === undefined ? [] : [PROMOTION_HEADER, promotion];
  const reports = regions
    .filter(({ isLocal }) => isLocal)
    .flatMap(({ targets }) => targets.filter(({ isServing }) => isServing))
    .flatMap(({ cluster }) => cluster ?? []);
  const [first] = reports;
  if (first === undefined || reports.some(({ cluster }) => cluster !== first.cluster)) return headers;
  const mode = modeOf(reports.map((report) => report.mode));
  return mode === undefined
    ? headers
    : [...headers, CLUSTER_HEADER, formatClusterMode({ cluster: first.cluster, mode })];
}

/** One bridge that serves is enough: this gateway finds it. */
function modeOf(modes: readonly ClusterMode[]): ClusterMode | undefined {
  if (modes.includes('active')) return 'active';
  const [first] = modes;
  return modes.every((mode) => mode === first) ? first : undefined;
}
