import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { findConfigProblems } from './load.ts';

const MEMBERS = [
  { name: 'east', regions: ['east'] },
  { name: 'west', regions: ['west'] },
];

function problemsOf(clusters: object): string[] {
  const region = (name: string, port: number) => ({ name, targets: [{ url: `http://127.0.0.1:${port}` }] });
  const yaml = stringify({ regions: [region('east', 8081), region('west', 8082)], clusters });
  return findConfigProblems(yaml, {}).map(({ path, reason }) => `${path}: ${reason}`);
}

test('a region in each cluster, and a cluster for each region', () => {
  expect(problemsOf({ active: 'west', promoteAfterMs: 5_000, members: MEMBERS })).toEqual([]);
  // This gateway reaches the third cluster through no region.
  expect(problemsOf({ active: 'east', members: [...MEMBERS, { name: 'north', regions: [] }] })).toEqual([]);
});

test.each([
  ['an active cluster that is not a member', { active: 'north', members: MEMBERS }, 'there is no cluster north under'],
  [
    'a region that is missing',
    { active: 'east', members: [MEMBERS[0], { name: 'west', regions: [] }] },
    'region west is missing: write to which cluster its bridges speak',
  ],
  [
    'a region in two clusters',
    { active: 'east', members: [MEMBERS[0], { name: 'west', regions: ['west', 'east'] }] },
    'region east belongs to cluster east already',
  ],
  [
    'an unknown region',
    { active: 'east', members: [MEMBERS[0], { name: 'west', regions: ['west', 'wset'] }] },
    'there is no region wset under regions (known: east, west)',
  ],
  [
    'two clusters of one name',
    { active: 'east', members: [...MEMBERS, { name: 'east', regions: [] }] },
    'duplicate cluster east',
  ],
  ['a single cluster', { active: 'east', members: [{ name: 'east', regions: ['east', 'west'] }] }, 'clusters.members'],
  ...['ea st', 'ea.st', 'e'.repeat(101)].map((active): [string, object, string] => [
    `a name that no bridge may have, ${active},`,
    { active, members: MEMBERS },
    'clusters.active',
  ]),
  ['a time limit of nothing', { active: 'east', promoteAfterMs: 0, members: MEMBERS }, 'clusters.promoteAfterMs'],
])('%s is refused', (_, clusters, reason) => {
  const problems = problemsOf(clusters);
  expect(problems.join('\n')).toContain(reason);
});
