import type { ClusterMode } from '@causeway/protocol/clusters.ts';
import { describe, expect, test } from 'vitest';
import { type ClusterRegion, type ClusterTarget, isClusterDown, isPromotable, whyAwaited } from './cluster-view.ts';

type Letter = 'h' | 'u' | '?' | 'o';

/** `h`ealthy, `u`nhealthy, not probed yet, or healthy with an `o`pen breaker. */
function targetOf(letter: Letter, mode: ClusterMode | undefined): ClusterTarget {
  const status = letter === 'u' ? 'unhealthy' : letter === '?' ? 'unknown' : 'healthy';
  const cluster = mode === undefined ? undefined : { cluster: 'c', mode };
  return { isServing: letter === 'h', health: { status }, cluster };
}

function region(
  letters: string,
  { standsBy = false, isUsable = true, mode }: { standsBy?: boolean; isUsable?: boolean; mode?: ClusterMode } = {},
): ClusterRegion {
  return { standsBy, isUsable, targets: [...letters].map((letter) => targetOf(letter as Letter, mode)) };
}

describe('a cluster is down', () => {
  test.each([
    ['with all targets unhealthy', ['uu', 'u'], true],
    ['not while a region has a healthy one', ['uu', 'uh'], false],
    ['not because breakers are open: requests alone must not promote', ['o'], false],
    ['not before anything was probed', ['??'], false],
    ['not without targets, which DNS may fail to give', [''], false],
    ['with targets that are unhealthy, and new ones', ['u?'], true],
  ])('%s', (_, regions, expected) => {
    expect(isClusterDown(regions.map((letters) => region(letters)))).toBe(expected);
  });
});

test('a cluster can be promoted where a region that gets work has a serving target', () => {
  expect(isPromotable([region('u'), region('h')])).toBe(true);
  expect(isPromotable([region('h', { isUsable: false })])).toBe(false);
  expect(isPromotable([region('uo')])).toBe(false);
});

describe('requests wait', () => {
  const standby = region('h', { standsBy: true, mode: 'standby' });
  const settled = { isSettled: true, mayBePromoted: true };

  test.each<[string, ClusterRegion[], Partial<typeof settled>, string | undefined]>([
    ['not while the active cluster serves', [region('h', { mode: 'active' }), standby], {}, undefined],
    ['not at bridges of older versions', [region('h'), standby], {}, undefined],
    ['for the first probes', [region('h', { mode: 'active' }), standby], { isSettled: false }, 'firstProbes'],
    ['while the active cluster is handed over', [region('hh', { mode: 'pausing' }), standby], {}, 'switchOver'],
    ['until the promoted one has read that it is', [region('h', { mode: 'standby' }), standby], {}, 'switchOver'],
    ['until a new cluster has its first promotion', [region('h', { mode: 'unassigned' }), standby], {}, 'switchOver'],
    [
      'not while one of its regions serves',
      [region('h', { mode: 'pausing' }), region('h', { mode: 'active' })],
      {},
      undefined,
    ],
    ['while it is down', [region('uu'), standby], {}, 'promotion'],
    ['not where no gateway would promote another', [region('uu'), standby], { mayBePromoted: false }, undefined],
    ['not because of breakers', [region('o'), standby], {}, undefined],
    ['not because an operator drained it', [region('h', { isUsable: false }), standby], {}, undefined],
  ])('%s', (_, regions, changes, expected) => {
    expect(whyAwaited(regions, { ...settled, ...changes })).toBe(expected);
  });
});
