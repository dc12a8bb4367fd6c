import type { ClusterMode } from '@causeway/protocol/clusters.ts';
import { expect, test } from 'vitest';
import { type ClusterHeaderRegion, clusterHeaders } from './cluster-headers.ts';

function region(modes: readonly (ClusterMode | 'dead')[], isLocal = true, cluster = 'west'): ClusterHeaderRegion {
  const targets = modes.map((mode) => ({
    isServing: mode !== 'dead',
    cluster: { cluster, mode: mode === 'dead' ? ('fenced' as const) : mode },
  }));
  return { isLocal, targets };
}

test.each<[string, ClusterHeaderRegion[], string | undefined]>([
  ['what all bridges of the region report', [region(['standby', 'standby'])], 'west;standby'],
  ['that one of them serves: the gateway finds it', [region(['standby', 'active'])], 'west;active'],
  ['nothing where they differ', [region(['pausing', 'standby'])], undefined],
  ['nothing of other regions', [region(['active'], false)], undefined],
  ['nothing of bridges that are down', [region(['dead', 'pausing'])], 'west;pausing'],
  [
    'nothing where they speak to different clusters',
    [region(['standby']), region(['standby'], true, 'east')],
    undefined,
  ],
])('a gateway reports %s', (_, regions, expected) => {
  const known = ['causeway-promotion', '2;west'];
  const mode = expected === undefined ? [] : ['causeway-cluster', expected];
  expect(clusterHeaders({ regions }, '2;west')).toEqual([...known, ...mode]);
  expect(clusterHeaders({ regions }, undefined)).toEqual(mode);
});
