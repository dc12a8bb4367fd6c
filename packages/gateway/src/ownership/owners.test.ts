import { afterEach, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import { Target } from '../regions/target.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import { currentHome, targetOfOwner } from './owners.ts';

const settings = testConfig({ regions: [{ name: 'any', targets: [{ url: 'http://127.0.0.1:1' }] }] });
const targets: Target[] = [];
afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => target.close()));
});

function targetAt(address: string, bridge: string | undefined, isHealthy = true): Target {
  const target = new Target({
    region: 'east',
    url: `http://${address}`,
    settings,
    now: () => 0,
    createTransport: transportFactory({}),
    onBreakerChange: () => {},
  });
  target.bridge = bridge;
  const status = isHealthy ? 'healthy' : 'unhealthy';
  target.health = { status, contraryCount: 0, reason: '', publicReason: '', isSilent: false };
  targets.push(target);
  return target;
}

function snapshotOf(...all: Target[]): Snapshot {
  const region = {
    name: 'east',
    weight: 100,
    configuredWeight: 100,
    usableWeight: 100,
    standsBy: false,
    weightIsOverridden: false,
    priority: 0,
    isDrained: false,
    isLocal: false,
    targets: all,
  };
  return { regions: [region], isPanic: false, isWhole: true, clusters: undefined, settings };
}

const request: SelectionRequest = { ownedHash: 1, home: undefined, localOnly: false, random: () => 0 };

test('a bridge with two addresses is reached by the one that is healthy', () => {
  const [v4, v6] = [targetAt('10.0.0.1', 'east/b0', false), targetAt('[fd00::1]', 'east/b0')];
  expect(targetOfOwner(snapshotOf(v4, v6), 'east/b0', request)).toBe(v6);
  expect(targetOfOwner(snapshotOf(v4), 'east/b0', request)).toBeUndefined();
});

test('a home moves with its bridge to another address, and only when it has lost the one before', async () => {
  const [old, other, now] = [
    targetAt('10.0.0.1', 'east/b0'),
    targetAt('10.0.0.2', 'east/b1'),
    targetAt('10.0.0.3', 'east/b0'),
  ];
  const home = { target: old, owner: 'east/b0' };
  expect(currentHome(snapshotOf(old, other, now), home, request)).toBe(home);
  await old.retire();
  expect(currentHome(snapshotOf(other, now), home, request)).toEqual({ target: now, owner: 'east/b0' });
  expect(currentHome(snapshotOf(other), home, request)).toBe(home);
  expect(currentHome(snapshotOf(other, now), { target: old, owner: undefined }, request)).toMatchObject({
    target: old,
  });
});

test('a home behind the gateways of a region moves from one that is down or gone to another one', async () => {
  const [down, gone, up] = [
    targetAt('10.0.0.1', undefined, false),
    targetAt('10.0.0.2', undefined),
    targetAt('10.0.0.3', undefined),
  ];
  await gone.retire();
  for (const target of [down, gone]) {
    const home = { target, owner: 'east/b0' };
    expect(currentHome(snapshotOf(down, up), home, request)).toEqual({ target: up, owner: 'east/b0' });
    expect(currentHome(snapshotOf(down), home, request)).toBe(home);
    expect(currentHome(snapshotOf(down, up), { target, owner: 'west/b0' }, request)).toMatchObject({ target });
  }
});
