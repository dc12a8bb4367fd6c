import { FAILED_HEADER, RELEASE_HEADER } from '@causeway/protocol/routing.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import { Target } from '../regions/target.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import { type MisdirectedResponse, type Misdirection, OwnerRoute, type OwnerRouteOptions } from './route.ts';

const settings = testConfig({ regions: [{ name: 'any', targets: [{ url: 'http://127.0.0.1:1' }] }] });
const targets: Target[] = [];
afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => target.close()));
});

function targetOf(region: string, isHealthy = true): Target {
  const target = new Target({
    region,
    url: `http://${region}`,
    settings,
    now: () => 0,
    createTransport: transportFactory({}),
    onBreakerChange: () => {},
  });
  target.bridge = `${region}/bridge`;
  const status = isHealthy ? 'healthy' : 'unhealthy';
  target.health = { status, contraryCount: 0, reason: '', publicReason: '', isSilent: false };
  targets.push(target);
  return target;
}

function snapshotOf(...all: Target[]): Snapshot {
  const regions = all.map((target, index) => ({
    name: target.region,
    weight: 100,
    configuredWeight: 100,
    usableWeight: 100,
    standsBy: false,
    weightIsOverridden: false,
    priority: 0,
    isDrained: false,
    isLocal: index === 0,
    targets: [target],
  }));
  return { regions, isPanic: false, isWhole: true, clusters: undefined, settings };
}

const request: SelectionRequest = { ownedHash: 1, home: undefined, localOnly: false, random: () => 0 };

/** It came from another region. */
const local: SelectionRequest = { ...request, localOnly: true };

function routeOf(options: Partial<OwnerRouteOptions> = {}): OwnerRoute {
  return new OwnerRoute({ home: undefined, failedHeader: undefined, releaseHeader: undefined, ...options });
}

function responseOf(snapshot: Snapshot, from: Target, changes: Partial<MisdirectedResponse> = {}): MisdirectedResponse {
  return {
    snapshot,
    request,
    from,
    owner: 'west/bridge',
    isFromGateway: false,
    ownRegion: undefined,
    tried: [from],
    ...changes,
  };
}

/** Follows a misdirection that leads somewhere. */
function follow(route: OwnerRoute, misdirection: Misdirection): void {
  if (misdirection.to === 'sender' || misdirection.to === 'nowhere') throw new Error(`leads to ${misdirection.to}`);
  route.follow(misdirection);
}

describe('a response 421 leads', () => {
  test('to the owner, without a failed one', () => {
    const [east, west] = [targetOf('east'), targetOf('west')];
    const route = routeOf();
    const misdirection = route.misdirected(responseOf(snapshotOf(east, west), east));
    expect(misdirection).toEqual({ to: 'owner', owner: 'west/bridge', target: west });
    follow(route, misdirection);
    expect(route.headersAt(west, [])).toEqual([]);
  });

  test('to the same target, which learns that the owner is out of reach', () => {
    const [east, west] = [targetOf('east'), targetOf('west', false)];
    const route = routeOf();
    const misdirection = route.misdirected(responseOf(snapshotOf(east, west), east));
    expect(misdirection).toEqual({ to: 'heir', unreachable: 'west/bridge', target: east });
    follow(route, misdirection);
    expect(route.headersAt(east, ['a', 'b'])).toEqual(['a', 'b', FAILED_HEADER, 'west/bridge']);
  });

  test('to the same target also if the owner is the one that responded, was tried, or failed another gateway', () => {
    const [east, west] = [targetOf('east'), targetOf('west')];
    const snapshot = snapshotOf(east, west);
    const heir = { to: 'heir', unreachable: 'west/bridge' };
    expect(routeOf().misdirected(responseOf(snapshot, west))).toMatchObject({ ...heir, target: west });
    expect(routeOf().misdirected(responseOf(snapshot, east, { tried: [west, east] }))).toMatchObject(heir);
    const informed = routeOf({ failedHeader: 'north/bridge, west/bridge' });
    expect(informed.misdirected(responseOf(snapshot, east))).toMatchObject(heir);
  });

  test('to anyone if no bridge owns the consumer, and no longer asks for a release', () => {
    const east = targetOf('east');
    const route = routeOf();
    route.askRelease('drain');
    expect(route.headersAt(east, [])).toEqual([RELEASE_HEADER, 'drain']);
    const misdirection = route.misdirected(responseOf(snapshotOf(east), east, { owner: undefined }));
    expect(misdirection).toEqual({ to: 'anyone' });
    follow(route, misdirection);
    expect(route.headersAt(east, [])).toEqual([]);
  });

  test.each<[string, Partial<MisdirectedResponse>, string | undefined, Misdirection['to']]>([
    ['the owner is of another region', {}, undefined, 'sender'],
    ['the owner is of this region', { owner: 'east/other' }, undefined, 'heir'],
    ['the owner released it for the gateway before', { owner: undefined }, 'drain', 'sender'],
    ['no bridge owns it', { owner: undefined }, undefined, 'anyone'],
    ['no bridge owns it, and no other target is left', { owner: undefined, request: local }, undefined, 'sender'],
    ['a client sent the request', { isFromGateway: false }, undefined, 'owner'],
    ['this gateway stands in no region', { ownRegion: undefined }, undefined, 'owner'],
    ['the owner’s region only begins like this one', { owner: 'eastern/bridge' }, undefined, 'sender'],
  ])('at a regional gateway, if %s', (_, changes, releaseHeader, to) => {
    const [east, west] = [targetOf('east'), targetOf('west')];
    const response = responseOf(snapshotOf(east, west), east, { isFromGateway: true, ownRegion: 'east', ...changes });
    expect(routeOf({ releaseHeader }).misdirected(response).to).toBe(to);
  });

  test('to nowhere after six that were followed', () => {
    const [east, west] = [targetOf('east'), targetOf('west')];
    const snapshot = snapshotOf(east, west);
    const route = routeOf();
    for (let count = 0; count < 6; count += 1) {
      const misdirection = route.misdirected(responseOf(snapshot, east));
      // Looking alone changes nothing.
      expect(route.misdirected(responseOf(snapshot, east))).toEqual(misdirection);
      follow(route, misdirection);
    }
    expect(route.misdirected(responseOf(snapshot, east))).toEqual({ to: 'nowhere' });
  });
});

describe('an attempt', () => {
  test('at another address of the owner leads to it, and at another bridge it does not', () => {
    const [old, now, west] = [targetOf('east'), targetOf('east'), targetOf('west')];
    const home = { target: old, owner: 'east/bridge' };
    expect(routeOf({ home }).headersAt(now, [])).toEqual([]);
    expect(routeOf({ home }).headersAt(west, [])).toEqual([FAILED_HEADER, 'east/bridge']);
  });

  test('that passes the known owner by says that it failed, from then on', () => {
    const [east, west] = [targetOf('east'), targetOf('west')];
    const route = routeOf({ home: { target: east, owner: 'east/bridge' } });
    expect(route.headersAt(east, [])).toEqual([]);
    expect(route.headersAt(west, [])).toEqual([FAILED_HEADER, 'east/bridge']);
    expect(route.headersAt(east, [])).toEqual([FAILED_HEADER, 'east/bridge']);
  });

  test('passes on what the gateway before said, and asks for no release once an owner failed', () => {
    const east = targetOf('east');
    expect(routeOf({ releaseHeader: 'return' }).headersAt(east, [])).toEqual([RELEASE_HEADER, 'return']);
    const both = routeOf({ releaseHeader: 'return', failedHeader: 'west/bridge' });
    expect(both.headersAt(east, [])).toEqual([FAILED_HEADER, 'west/bridge']);
  });
});
