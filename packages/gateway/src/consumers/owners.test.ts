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

function bridgeAt(address: string, bridge: string, isHealthy = true): Target {
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
    weightIsOverridden: false,
    priority: 0,
    isDrained: false,
    isLocal: false,
    targets: all,
  };
  return { regions: [region], isPanic: false, isWhole: true, settings };
}

const request: SelectionRequest = { consumerHash: 1, home: undefined, localOnly: false, random: () => 0 };

test('a bridge with two addresses is reached by the one that is healthy', () => {
  const [v4, v6] = [bridgeAt('10.0.0.1', 'east/b0', false), bridgeAt('[fd00::1]', 'east/b0')];
  expect(targetOfOwner(snapshotOf(v4, v6), 'east/b0', request)).toBe(v6);
  expect(targetOfOwner(snapshotOf(v4), 'east/b0', request)).toBeUndefined();
});

test('a home moves with its bridge to another address, and only when it has lost the one before', async () => {
  const [old, other, now] = [
    bridgeAt('10.0.0.1', 'east/b0'),
    bridgeAt('10.0.0.2', 'east/b1'),
    bridgeAt('10.0.0.3', 'east/b0'),
  ];
  const home = { target: old, owner: 'east/b0' };
  expect(currentHome(snapshotOf(old, other, now), home)).toBe(home);
  await old.retire();
  expect(currentHome(snapshotOf(other, now), home)).toEqual({ target: now, owner: 'east/b0' });
  expect(currentHome(snapshotOf(other), home)).toBe(home);
  expect(currentHome(snapshotOf(other, now), { target: old, owner: undefined })).toMatchObject({ target: old });
});
