import { expect, test } from 'vitest';
import { fixtureState } from '../../../test/harness/admin-fixture.ts';
import { addClusters, loseEast, replicationOf } from '../../../test/harness/cluster-fixture.ts';
import { picture } from './picture.ts';

function twoClusters() {
  const { system } = fixtureState(['east', 'west']);
  system.at = '2026-11-28T02:00:00.000Z';
  const all = addClusters(system);
  const linesOf = (): string[] => {
    const paint = (colour: string, text: string): string =>
      colour === 'red' || colour === 'yellow' ? `${colour.toUpperCase()} ${text}` : text;
    const lines = picture({ system, access: null, events: [] }, { url: 'http://x', paint }).split('\n');
    const from = lines.findIndex((line) => line.startsWith('cluster '));
    return from === -1
      ? []
      : lines.slice(
          from,
          lines.findIndex((line) => line.startsWith('retries')),
        );
  };
  return { system, linesOf, ...all };
}

test('clusters are shown with mode, since when and why, and what would be lost now', () => {
  const { system, clusters, west, east, linesOf } = twoClusters();
  const lines = linesOf();
  expect(lines).toEqual([
    'cluster     east ● active   regions: east',
    '  active by promotion 1 (initial) for 1 h 0 min, since 01:00:00 UTC, gateway tier1: clusters.active of its configuration',
    'cluster     west ● standby   regions: west',
    '  lacks 12 records, 0.4 s of east (orders 10, payments 2): RPO',
  ]);
  east.replication = null;
  west.replication = replicationOf('east', 'west', {
    problem: 'no offset syncs',
    measuredAgoMs: 7_000,
    records: 3,
    seconds: 1,
  });
  expect(linesOf().at(-1)).toBe(
    'YELLOW   lacks an unknown number of records of east: no offset syncs; 7 s ago it was 3 records, 1 s',
  );
  west.replication.measuredAgoMs = null;
  expect(linesOf().at(-1)).toBe('YELLOW   lacks an unknown number of records of east: no offset syncs');
  west.replication = replicationOf('east', 'west');
  expect(linesOf().at(-1)).toBe('  lacks nothing of east: RPO');
  clusters.isReplicationEnded = false;
  expect(linesOf().at(-1)).toBe('  lacks nothing of east: RPO');
  west.replication = replicationOf('east', 'west', { records: 3, seconds: 31 });
  expect(linesOf().slice(-2)).toEqual([
    '  lacks 3 records, 31 s of east: RPO',
    'YELLOW   MirrorMaker may still fill east; when it has stopped: npm run clusters -- replication-ended east',
  ]);
  system.clusters = null;
  expect(linesOf()).toEqual([]);
});

test('after a loss: who was promoted and why, and which records the promoted cluster does not have', () => {
  const all = twoClusters();
  const { system, clusters, linesOf } = all;
  loseEast(system, all);
  Object.assign(clusters, { awaited: 'switchOver', waitingCount: 3 });
  expect(linesOf()).toEqual([
    'cluster     east RED ○ cannot serve, last reported active   regions: east   none of its targets is available',
    'YELLOW   lacks an unknown number of records of west: Kafka does not respond',
    'cluster     west ● active   regions: west',
    '  active by promotion 2 (forced) for 40 s, since 01:59:20 UTC, gateway tier1: no region of cluster east has had a healthy target for 5000 ms',
    'RED waiting     3 requests: no bridge of the active cluster takes requests',
    'RED lost        12 records, as far as known, of east by promotion 2 of west, 40 s ago (not final, its ends were seen 5.3 s before)',
    '  └ orders partition 0, offsets 1200341 to 1200348: 8 records',
    '  └ orders partition 2, offsets 1199870 to 1199871: 2 records',
    '  └ payments partition 1, offsets 90211 to 90212: 2 records',
  ]);
  const back = twoClusters();
  loseEast(back.system, back, { hasReturned: true });
  const lines = back.linesOf();
  expect(lines[0]).toBe(
    'cluster     east RED ○ fenced: it may have records that west lacks; npm run clusters -- rejoin east   regions: east',
  );
  const losses = lines.filter((line) => line.includes('lost  '));
  expect(losses).toEqual([expect.stringContaining('(final)')]);
});
