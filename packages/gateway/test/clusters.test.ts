/** Two Kafka clusters behind one gateway: requests go to the active one, wait until one serves, and follow promotions. */
import { Gateway } from '@causeway/gateway/gateway.ts';
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ConfigOverrides, TEST_TOKEN, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { clusterBridge, eastAndWest, twoClusters } from './clusters-fixture.ts';
import { gateway, produce } from './fixture.ts';

const POLL = '/consumers/g/instances/i/records?timeout=60000';
/** Probes that are too rare to tell anything during a test. */
const RARE = { intervalMs: 600_000, timeoutMs: 20_000 };
/** As a gateway of the system before this one. */
const fromGateway = (promotion: string) => ({
  ...produce.headers,
  'causeway-gateway': 'edge',
  [PROMOTION_HEADER]: promotion,
  ...PROOF,
});

async function send(url: string): Promise<[number, unknown]> {
  const { statusCode, body } = await request(`${url}/topics/t`, produce);
  return [statusCode, await body.json()];
}

async function pollOnce(url: string): Promise<[number, unknown]> {
  const { statusCode, body } = await request(`${url}${POLL}`);
  return [statusCode, await body.json()];
}

/** A gateway that has just started, and has no response to a probe yet. */
async function startUnprobed(yaml: ConfigOverrides): Promise<Pick<TestGateway, 'gateway' | 'url' | 'adminUrl'>> {
  const started = new Gateway({ config: testConfig(yaml), configFile: 'test.yaml' });
  onTestFinished(() => started.close('the test is over'));
  const { url, adminUrl } = await started.start();
  return { gateway: started, url, adminUrl };
}

async function metricsOf({ adminUrl }: Pick<TestGateway, 'adminUrl'>): Promise<string> {
  const { body } = await request(`${adminUrl}/metrics`, { headers: { authorization: `Bearer ${TEST_TOKEN}` } });
  return body.text();
}

async function waitingCount(gw: Pick<TestGateway, 'adminUrl'>): Promise<number> {
  return Number(/^causeway_cluster_waiting_requests (\d+)/m.exec(await metricsOf(gw))?.[1]);
}

describe('requests go to the active cluster', () => {
  test('and none to a region whose cluster stands by', async () => {
    const { east, west, gw } = await eastAndWest();
    for (let count = 0; count < 20; count += 1) expect(await send(gw.url)).toEqual([200, { from: 'east' }]);
    expect(west.served).toHaveLength(0);
    expect(east.served[0]?.headers[PROMOTION_HEADER]).toBe('1;east');
  });

  test('and say which cluster the YAML calls active while no promotion is known', async () => {
    const east = await clusterBridge('east', 'active', '1;east');
    const west = await clusterBridge('west', 'standby', '1;east');
    east.clusterHeaders = {};
    west.clusterHeaders = {};
    const gw = await gateway(twoClusters({ east, west }));
    await send(gw.url);
    expect(east.served[0]?.headers[PROMOTION_HEADER]).toBe('0;east');
  });

  test('and carry the promotion of a gateway before this one where this one has no section clusters', async () => {
    const east = await clusterBridge('east', 'active', '1;east');
    const gw = await gateway({ regions: [{ name: 'east', targets: [{ url: east.url }] }] });
    await request(`${gw.url}/topics/t`, { ...produce, headers: fromGateway('7;east') });
    expect(east.served[0]?.headers[PROMOTION_HEADER]).toBe('7;east');
    await send(gw.url);
    expect(east.served[1]?.headers[PROMOTION_HEADER]).toBeUndefined();
  });

  test('whatever a client claims', async () => {
    const { east, gw } = await eastAndWest();
    const headers = { ...produce.headers, [PROMOTION_HEADER]: '9;west' };
    await request(`${gw.url}/topics/t`, { ...produce, headers });
    expect(east.served[0]?.headers[PROMOTION_HEADER]).toBe('1;east');
    expect(await send(gw.url)).toEqual([200, { from: 'east' }]);
  });
});

describe('a gateway follows the highest promotion', () => {
  test('that it hears from probes, and never goes back', async () => {
    const { east, west, gw } = await eastAndWest();
    west.become('active', '2;west');
    await until('west is active', async () => {
      await send(gw.url);
      return west.served.length > 0;
    });
    const before = east.served.length;
    for (let count = 0; count < 5; count += 1) expect(await send(gw.url)).toEqual([200, { from: 'west' }]);
    // East still believes that it is active, and the YAML says so, too.
    gw.gateway.reload(gw.gateway.config);
    for (let count = 0; count < 5; count += 1) expect(await send(gw.url)).toEqual([200, { from: 'west' }]);
    expect(east.served).toHaveLength(before);
    const promotions = gw.gateway.events.recent().filter(({ type }) => type === 'promotion');
    expect(promotions).toMatchObject([
      { cluster: 'west', from: 'east', promotion: 2, reason: 'region west reports it' },
    ]);
  });

  test('that a refusal names: the request is served there, and its client sees no error', async () => {
    const { east, west, gw } = await eastAndWest({ healthCheck: RARE });
    west.become('active', '2;west');
    east.become('fenced', '2;west');
    expect(await send(gw.url)).toEqual([200, { from: 'west' }]);
    expect(east.served).toHaveLength(1);
    // Nothing is wrong with the bridge of east.
    expect(await metricsOf(gw)).toMatch(/causeway_target_available\{region="east",[^}]+\} 1/);
  });

  test('that another gateway knows', async () => {
    const { east, west, gw } = await eastAndWest({ healthCheck: RARE });
    west.become('active', '2;west');
    const response = await request(`${gw.url}/topics/t`, { ...produce, headers: fromGateway('2;west') });
    expect(await response.body.json()).toEqual({ from: 'west' });
    expect(east.served).toHaveLength(0);
  });

  test('from its start on: it sends nothing before the first probes have said who is active', async () => {
    const east = await clusterBridge('east', 'active', '1;east');
    const west = await clusterBridge('west', 'active', '2;west');
    west.isFrozen = true;
    const yaml = { ...twoClusters({ east, west }), healthCheck: { intervalMs: 50, timeoutMs: 60_000 } };
    const gw = await startUnprobed(yaml);
    const response = send(gw.url);
    await until('east is probed', () => gw.gateway.events.recent().some((event) => event.type === 'health'));
    await until('the request waits', async () => (await waitingCount(gw)) === 1);
    // The response to the probe arrives at last.
    west.thaw();
    expect(await response).toEqual([200, { from: 'west' }]);
    expect(east.served).toHaveLength(0);
  });

  test('and waits no longer than a probe may take where a region does not answer', async () => {
    const east = await clusterBridge('east', 'active', '1;east');
    const west = await clusterBridge('west', 'standby', '1;east');
    west.isFrozen = true;
    const yaml = { ...twoClusters({ east, west }), healthCheck: { intervalMs: 50, timeoutMs: 1_500 } };
    const { url } = await startUnprobed(yaml);
    expect(await send(url)).toEqual([200, { from: 'east' }]);
  });
});

describe('while no cluster serves, requests wait', () => {
  test('until the gateway has promoted the other one: every operation is served, and none fails', async () => {
    const { east, west, gw } = await eastAndWest({ clusters: { promoteAfterMs: 300 } });
    const obey = west.promote;
    const mayPromote = Promise.withResolvers<void>();
    west.promote = async (...asked) => {
      await mayPromote.promise;
      return obey(...asked);
    };
    await east.kill();
    const waiting = [send(gw.url), pollOnce(gw.url), send(gw.url)];
    await until('they wait', async () => (await waitingCount(gw)) === waiting.length);
    mayPromote.resolve();
    const answers = await Promise.all(waiting);
    for (const answer of answers) expect(answer).toEqual([200, { from: 'west' }]);
    expect(west.promotions).toEqual([
      {
        after: { number: 1, cluster: 'east' },
        by: 'gateway gateway',
        reason: 'no region of cluster east has had a healthy target for 300 ms',
        mayLose: true,
        isForced: false,
      },
    ]);
    const events = gw.gateway.events.recent().filter(({ type }) => type === 'promotion');
    expect(events).toMatchObject([{ cluster: 'west', from: 'east', promotion: 2, reason: west.promotions[0]?.reason }]);
    // Nothing was sent to targets that are down: there was no panic.
    expect(gw.gateway.events.recent().filter(({ type }) => type === 'panic')).toEqual([]);
    expect(await waitingCount(gw)).toBe(0);
    expect(await metricsOf(gw)).toMatch(/^causeway_active_cluster\{cluster="west"\} 1/m);
  });

  test('also those that were in flight when the cluster died', async () => {
    const { east, west, gw } = await eastAndWest({ clusters: { promoteAfterMs: 300 } });
    east.serve = () => {};
    const inFlight = [send(gw.url), pollOnce(gw.url)];
    await until('they are in flight', () => east.served.length === inFlight.length);
    await east.kill();
    for (const answer of await Promise.all(inFlight)) expect(answer).toEqual([200, { from: 'west' }]);
    expect(west.promotions).toHaveLength(1);
  });

  test('and those that a silent cluster holds move to the promoted one', async () => {
    const { east, west, gw } = await eastAndWest({
      clusters: { promoteAfterMs: 100 },
      healthCheck: { intervalMs: 50, timeoutMs: 1_000, rise: 1, fall: 2 },
    });
    east.serve = () => {};
    const inFlight = send(gw.url);
    await until('it is in flight', () => east.served.length === 1);
    east.isFrozen = true;
    expect(await inFlight).toEqual([200, { from: 'west' }]);
    expect(west.promotions).toHaveLength(1);
  });

  test('through a switch-over, in which bridges of both clusters refuse', async () => {
    const { east, west, gw } = await eastAndWest();
    east.become('pausing', '1;east');
    const waiting = [send(gw.url), pollOnce(gw.url)];
    await until('they wait', async () => (await waitingCount(gw)) === waiting.length);
    const askedBefore = east.served.length;
    const late = send(gw.url);
    await until('it waits, too', async () => (await waitingCount(gw)) === waiting.length + 1);
    // Those that arrive later are not sent to bridges that would refuse them.
    expect(east.served).toHaveLength(askedBefore);
    east.become('standby', '1;east');
    west.become('active', '2;west');
    for (const answer of await Promise.all([...waiting, late])) expect(answer).toEqual([200, { from: 'west' }]);
  });

  test('and continue where they were when the switch-over is given up', async () => {
    const { east, gw } = await eastAndWest();
    east.become('pausing', '1;east');
    const waiting = send(gw.url);
    await until('it waits', async () => (await waitingCount(gw)) === 1);
    east.become('active', '1;east');
    expect(await waiting).toEqual([200, { from: 'east' }]);
  });

  test('until their deadline, with the response of the cluster that refused', async () => {
    const { east, gw } = await eastAndWest({ request: { deadlineMs: 2_000 } });
    east.become('pausing', '1;east');
    const [status, body] = await send(gw.url);
    expect([status, (body as { message: string }).message]).toEqual([503, 'Kafka cluster east is pausing']);
  });

  test('unless their clients leave', async () => {
    const { east, gw } = await eastAndWest();
    east.become('pausing', '1;east');
    const leaving = new AbortController();
    const waiting = request(`${gw.url}/topics/t`, { ...produce, signal: leaving.signal });
    waiting.catch(() => {});
    await until('it waits', async () => (await waitingCount(gw)) === 1);
    leaving.abort();
    await until('it waits no more', async () => (await waitingCount(gw)) === 0);
  });

  test('at most as many as could be in flight', async () => {
    const { east, gw } = await eastAndWest({ upstream: { maxInFlight: 1 } });
    east.become('pausing', '1;east');
    const waiting = send(gw.url);
    await until('one waits', async () => (await waitingCount(gw)) === 1);
    const [status, body] = await send(gw.url);
    expect([status, (body as { message: string }).message]).toEqual([
      503,
      'Too many requests wait for a Kafka cluster; try again.',
    ]);
    east.become('active', '1;east');
    expect(await waiting).toEqual([200, { from: 'east' }]);
  });

  test('but not at a gateway behind another one, which decides for itself', async () => {
    const { east, gw } = await eastAndWest();
    east.become('pausing', '1;east');
    const response = await request(`${gw.url}/topics/t`, { ...produce, headers: fromGateway('1;east') });
    expect([response.statusCode, response.headers['causeway-fault'], response.headers[PROMOTION_HEADER]]).toEqual([
      503,
      'cluster',
      '1;east',
    ]);
  });

  test('and without the time limit for a promotion they fail at once', async () => {
    const { east, west, gw } = await eastAndWest();
    await east.kill();
    const [status] = await send(gw.url);
    expect(status).toBeGreaterThanOrEqual(502);
    expect(west.promotions).toHaveLength(0);
  });
});

describe('a promotion that fails', () => {
  test('is tried again, and reported once', async () => {
    const { east, west, gw } = await eastAndWest({ clusters: { promoteAfterMs: 100 } });
    const obey = west.promote;
    west.promote = () => ({ status: 409, body: { error_code: 409, message: 'it is too far behind' } });
    await east.kill();
    const waiting = send(gw.url);
    await until('it is asked again', () => west.promotions.length === 2);
    west.promote = obey;
    expect(await waiting).toEqual([200, { from: 'west' }]);
    const failures = gw.gateway.events.recent().filter(({ type }) => type === 'promotionFailed');
    expect(failures).toMatchObject([{ cluster: 'west', reason: 'it is too far behind' }]);
  });

  test('because another gateway was faster is followed', async () => {
    const { east, west, gw } = await eastAndWest({ clusters: { promoteAfterMs: 100 } });
    west.promote = (_, bridge) => {
      bridge.become('active', '5;west');
      // Probes tell nothing.
      bridge.clusterHeaders = {};
      return { status: 409, body: { error_code: 409, message: 'a higher promotion is known' } };
    };
    await east.kill();
    expect(await send(gw.url)).toEqual([200, { from: 'west' }]);
    expect(west.served[0]?.headers[PROMOTION_HEADER]).toBe('5;west');
    expect(gw.gateway.events.recent().filter(({ type }) => type === 'promotionFailed')).toEqual([]);
  });
});

describe('two gateways', () => {
  test('that promote at the same time agree', async () => {
    const east = await clusterBridge('east', 'active', '1;east');
    const west = await clusterBridge('west', 'standby', '1;east');
    const yaml = twoClusters({ east, west }, { promoteAfterMs: 200 });
    const [one, other] = [await gateway(yaml), await gateway(yaml)];
    // A bridge promotes once: the second one asks after a promotion that is no longer the last.
    west.promote = ({ after }, bridge) => {
      if (after.number >= 2 || west.promotions.length > 1) {
        return { status: 409, body: { error_code: 409, message: 'a higher promotion is known' } };
      }
      bridge.become('active', '2;west');
      return { status: 200, body: { promotion: { number: 2, cluster: 'west' }, kind: 'forced', report: null } };
    };
    await east.kill();
    const answers = await Promise.all([send(one.url), send(other.url), pollOnce(one.url), pollOnce(other.url)]);
    for (const answer of answers) expect(answer).toEqual([200, { from: 'west' }]);
    await east.revive();
    for (const { url } of [one, other]) expect(await send(url)).toEqual([200, { from: 'west' }]);
  });

  test('of which one does not reach the promoted cluster: it stays with the old one until a bridge there knows', async () => {
    const east = await clusterBridge('east', 'active', '1;east');
    const west = await clusterBridge('west', 'standby', '1;east');
    const yaml = twoClusters({ east, west });
    const cut = await gateway({ ...yaml, healthCheck: { intervalMs: 50, timeoutMs: 2_000 } });
    await west.kill();
    west.become('active', '2;west');
    expect(await send(cut.url)).toEqual([200, { from: 'east' }]);
    // East learns about it, and is fenced: nothing is written there any more.
    east.become('fenced', '2;west');
    const [status] = await send(cut.url);
    // By the fenced bridge, or as nothing listens in west, which the gateway may have learned about.
    expect([502, 503]).toContain(status);
    await west.revive();
    await until('west serves', async () => (await send(cut.url))[0] === 200);
    expect(west.served.length).toBeGreaterThan(0);
  });
});

test('a change of clusters.active that is reloaded promotes that cluster', async () => {
  const { east, west, gw } = await eastAndWest();
  west.promote = ({ after }, bridge) => {
    east.become('standby', '2;west');
    bridge.become('active', '2;west');
    return {
      status: 200,
      body: { promotion: { number: after.number + 1, cluster: 'west' }, kind: 'orderly', report: null },
    };
  };
  const { config } = gw.gateway;
  gw.gateway.reload({ ...config, clusters: { active: 'west', members: config.clusters?.members ?? [] } });
  await until('west serves', async () => (await send(gw.url))[1] !== undefined && west.served.length > 0);
  expect(west.promotions).toMatchObject([
    { after: { number: 1, cluster: 'east' }, reason: 'clusters.active in test.yaml is west now', mayLose: false },
  ]);
});
