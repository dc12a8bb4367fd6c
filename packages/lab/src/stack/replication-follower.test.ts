import type { ClusterMode, ClusterStatus } from '@causeway/protocol/clusters.ts';
import { parsePromotion } from '@causeway/protocol/clusters.ts';
import { expect, test } from 'vitest';
import { activeCluster, decideReplication } from './replication-follower.ts';

/** `standby 2;west`: the mode of a cluster and the highest promotion that its bridge knows; `undefined`: it does not respond. */
function status(cluster: string, text: string | undefined): ClusterStatus | undefined {
  if (text === undefined) return undefined;
  const [mode = '', promotion] = text.split(' ');
  const known = parsePromotion(promotion) ?? null;
  return {
    cluster,
    mode: mode as ClusterMode,
    promotion: known,
    promoted: null,
    isReplicationEnded: false,
    replication: null,
    reports: [],
  };
}

test.each<[string, string | undefined, string | undefined, string]>([
  ['before the first promotion', 'unassigned', 'unassigned', 'keep'],
  ['while the source is active', 'active 1;east', 'standby 1;east', 'keep'],
  ['while the source is dead and the other one not promoted', undefined, 'standby 1;east', 'keep'],
  ['while a switch-over is under way', 'pausing 1;east', 'standby 1;east', 'keep'],
  ['once the other one is promoted without the source', undefined, 'active 2;west', 'stop'],
  ['while the source, which returned, is fenced', 'fenced 2;west', 'active 2;west', 'stop'],
  ['before the source has learned of the promotion', 'active 1;east', 'active 2;west', 'stop'],
  ['once the source stands by', 'standby 2;west', 'active 2;west', 'turn west'],
  [
    'after the source has handed over, and the promoted one not yet read it',
    'standby 2;west',
    'standby 1;east',
    'turn west',
  ],
])('replication from east, %s', (_, east, west, expected) => {
  const statuses = { east: status('east', east), west: status('west', west) };
  const step = decideReplication({ source: 'east', isRunning: true }, statuses);
  expect(step.kind === 'turn' ? `turn ${step.source}` : step.kind).toBe(expected);
});

test('what was stopped is not stopped again', () => {
  const statuses = { east: undefined, west: status('west', 'active 2;west') };
  expect(decideReplication({ source: 'east', isRunning: false }, statuses)).toEqual({ kind: 'keep' });
});

test('the active cluster is that of the highest promotion that any bridge knows', () => {
  expect(activeCluster({ east: status('east', 'active 3;east'), west: status('west', 'active 2;west') })).toBe('east');
  expect(activeCluster({ east: undefined, west: undefined })).toBeUndefined();
});
