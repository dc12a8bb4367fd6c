import { parseUrl } from '@causeway/protocol/paths.ts';
import { describe, expect, test } from 'vitest';
import type { Home } from '../ownership/home.ts';
import type { Target } from '../regions/target.ts';
import { Affinity, consumerKey } from './affinity.ts';
import { consumerOf, learnHome } from './homes.ts';

describe('the home of a consumer', () => {
  const home: Home = { target: { region: 'east' } as Target, owner: 'east/bridge' };
  const other: Home = { target: home.target, owner: 'east/other' };
  const created = Buffer.from('{"instance_id":"c"}');
  const nothing = Buffer.alloc(0);
  const instance = '/consumers/g/instances/c';

  test.each<[string, string, string, number, Buffer, Home | undefined, Home | undefined]>([
    ['is where it was created', 'POST', '/consumers/g', 200, created, undefined, home],
    ['is unknown if the creation failed', 'POST', '/consumers/g', 409, created, undefined, undefined],
    ['is unknown if the response has no name', 'POST', '/consumers/g', 200, nothing, undefined, undefined],
    ['is unknown if the response is null', 'POST', '/consumers/g', 200, Buffer.from('null'), undefined, undefined],
    [
      'is unknown if the name is no text',
      'POST',
      '/consumers/g',
      200,
      Buffer.from('{"instance_id":1}'),
      undefined,
      undefined,
    ],
    ['is where its request succeeded', 'GET', `${instance}/records`, 200, nothing, undefined, home],
    ['moves with its owner', 'GET', `${instance}/records`, 200, nothing, other, home],
    ['stays if its request failed', 'GET', `${instance}/records`, 300, nothing, other, other],
    ['is forgotten when it is deleted', 'DELETE', instance, 204, nothing, home, undefined],
    ['is forgotten when it is gone', 'DELETE', instance, 404, nothing, home, undefined],
    ['stays if the delete failed', 'DELETE', instance, 300, nothing, home, home],
    ['is of no concern to other requests', 'GET', '/topics', 200, nothing, home, home],
    ['is of no concern to operations that are unknown', 'GET', `${instance}/other`, 200, nothing, other, other],
  ])('%s', (_, method, path, status, body, known, expected) => {
    const affinity = new Affinity(10);
    if (known !== undefined) affinity.remember(consumerKey('g', 'c'), known);
    learnHome(affinity, { url: parseUrl(method, path), known, home, status, body });
    expect(affinity.homeOf(consumerKey('g', 'c'))).toBe(expected);
  });

  test('that is known already is not counted again', () => {
    const affinity = new Affinity(10);
    learnHome(affinity, { url: parseUrl('GET', `${instance}/records`), known: home, home, status: 200, body: nothing });
    expect(affinity.size).toBe(0);
  });
});

test.each([
  ['POST', '/consumers/g', '{"name":"c"}', consumerKey('g', 'c')],
  ['POST', '/consumers/g', '{}', undefined],
  ['GET', '/consumers/g/instances/c/records', '{"name":"other"}', consumerKey('g', 'c')],
  ['GET', '/topics', '{"name":"c"}', undefined],
])('%s %s with %s belongs to its consumer', (method, path, body, expected) => {
  expect(consumerOf(parseUrl(method, path), { bytes: Buffer.from(body), coding: undefined })).toBe(expected);
});
