/** What a region's gateway, or another program at its address, reports to the gateway in front. */
import { expect, test } from 'vitest';
import { ask, systemOf, watchLive } from '../../../../test/harness/admin.ts';
import { startGateway } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';
import { startUpstream } from '../../../../test/harness/upstream.ts';

const gateway = { name: 'gateway', region: 'east', startedAt: '2026-11-27T12:00:00Z' };
const reportOf = (region: object): string => JSON.stringify({ gateway, regions: [{ name: 'east', ...region }] });

test('a response that no gateway gives is an error of the region, and harms neither the topology nor those who watch it', async () => {
  const east = await startUpstream();
  let report = 'nothing';
  const region = await startUpstream(({ url }, response) => {
    response.end(url.startsWith('/api/topology') ? report : '{"events":[null]}');
  });
  const gw = await startGateway({ regions: [{ name: 'east', targets: [{ url: east.url, adminUrl: region.url }] }] });
  const live = await watchLive(gw.adminUrl);
  try {
    for (report of ['{}', 'null', reportOf({}), reportOf({ targets: [null] })]) {
      const askedCount = region.requests.length;
      await until('the region was asked', () => region.requests.length > askedCount);
      const seenCount = live.systems.length;
      await until('the stream continues', () => live.systems.length > seenCount);
      expect((await ask(`${gw.adminUrl}/api/topology`)).status, report).toBe(200);
    }
    const [target] = (await systemOf(gw.adminUrl)).regions[0]?.targets ?? [];
    expect(target).toMatchObject({ behind: null, behindError: 'its response is not that of a gateway' });
  } finally {
    live.close();
    await gw.close();
    await Promise.all([east.kill(), region.kill()]);
  }
});

test('events that this version does not know, or that lack something, are not carried: pages could not show them', async () => {
  const east = await startUpstream();
  const target = { url: 'http://127.0.0.1:1', kind: 'bridge', name: 'east/bridge', isAvailable: true, inFlight: 0 };
  const since = gateway.startedAt;
  const known = { id: 3, at: since, type: 'drain', region: 'east', isDrained: true };
  const report = reportOf({
    targets: [
      {
        ...target,
        rates: { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null },
        health: { status: 'healthy', since, reason: 'answered 200' },
        breaker: { state: 'closed', since },
      },
    ],
  });
  const others = [null, { ...known, id: 1, type: 'reload' }, { ...known, id: 2, type: 'of a later version' }];
  const region = await startUpstream(({ url }, response) => {
    response.end(url.startsWith('/api/topology') ? report : JSON.stringify({ events: [...others, known] }));
  });
  const gw = await startGateway({ regions: [{ name: 'east', targets: [{ url: east.url, adminUrl: region.url }] }] });
  try {
    const carried = () => gw.gateway.events.recent().filter((event) => event.gateway !== undefined);
    await until('the event is there', async () => {
      expect((await systemOf(gw.adminUrl)).regions[0]?.targets[0]?.behind).toMatchObject([target]);
      return carried().length > 0;
    });
    expect(carried()).toMatchObject([{ type: 'drain', gateway: 'east/gateway' }]);
  } finally {
    await gw.close();
    await Promise.all([east.kill(), region.kill()]);
  }
});

test.each([
  '{}',
  'null',
  '{"total":1,"matching":1,"consumers":[null]}',
  '{"total":1,"matching":1,"consumers":[{"group":"g"}],"incomplete":[]}',
])('a list of consumers that none reports is missing, and says so: %s', async (text) => {
  const bridge = await startUpstream((_, response) => response.end(text));
  bridge.bridge = 'west/bridge';
  const region = await startUpstream((_, response) => response.end(text));
  const east = await startUpstream();
  const gw = await startGateway({
    regions: [
      { name: 'east', targets: [{ url: east.url, adminUrl: region.url }] },
      { name: 'west', targets: [{ url: bridge.url }] },
    ],
  });
  try {
    expect((await ask(`${gw.adminUrl}/api/consumers`)).body).toEqual({
      total: 0,
      matching: 0,
      consumers: [],
      incomplete: [
        { region: 'east', reason: 'its gateway: its response is not a list of consumers' },
        { region: 'west', reason: 'west/bridge: its response is not a list of consumers' },
      ],
    });
  } finally {
    await gw.close();
    await Promise.all([east, region, bridge].map((each) => each.kill()));
  }
});
