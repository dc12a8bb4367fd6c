/** Targets that are found by DNS: real gateways, a real DNS server, and HTTP servers on 127.0.0.2, 127.0.0.3, … */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import {
  discovering,
  discoveryYaml,
  dnsServer,
  fleet,
  hasTargets,
  NAME,
  regionsOf,
  targetsOf,
} from './discovery-fixture.ts';
import { from, produce, seededRandom } from './fixture.ts';

const A = '127.0.0.2';
const B = '127.0.0.3';
const C = '127.0.0.4';

type Events = ReturnType<TestGateway['gateway']['events']['recent']>;

function eventsOf<Type extends Events[number]['type']>(gw: TestGateway, type: Type) {
  return gw.gateway.events
    .recent()
    .filter((event): event is Extract<Events[number], { type: Type }> => event.type === type);
}

/** Each target that was new, by its first probe; others change their health on a busy machine, too. */
function begunTargets(gw: TestGateway): string[] {
  return eventsOf(gw, 'health').flatMap(({ target, from: before }) => (before === 'unknown' ? [target] : []));
}

/** The responses to some requests, by the address that responded. */
async function responders(gw: TestGateway, count = 40): Promise<string[]> {
  const seen = new Set<string>();
  for (let index = 0; index < count; index += 1) seen.add(await from(gw));
  return [...seen].sort();
}

test('each address is a target, which comes and goes with it', async () => {
  const dns = await dnsServer();
  const { port, urlOf } = await fleet([A, B, C]);
  dns.set(NAME, [A, B, A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
  await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
  expect(await responders(gw)).toEqual([A, B]);
  dns.set(NAME, [C, B]);
  await hasTargets(gw, [`east ${urlOf(B)}`, `east ${urlOf(C)}`]);
  expect(await responders(gw)).toEqual([B, C]);
  const reported = eventsOf(gw, 'discovery').map(({ region, name, added, removed, targetCount }) => ({
    region,
    name,
    added,
    removed,
    targetCount,
  }));
  expect(reported).toEqual([
    { region: 'east', name: NAME, added: [urlOf(A), urlOf(B)], removed: [], targetCount: 2 },
    { region: 'east', name: NAME, added: [urlOf(C)], removed: [urlOf(A)], targetCount: 2 },
  ]);
  // B has never been another target.
  expect(begunTargets(gw).filter((target) => target === urlOf(B))).toHaveLength(1);
});

test('no request fails while the answers change 50 times', async () => {
  const dns = await dnsServer();
  const addresses = Array.from({ length: 6 }, (_, index) => `127.0.0.${index + 2}`);
  const slowly =
    (address: string) =>
    (
      received: Parameters<ReturnType<typeof answerJson>>[0],
      response: Parameters<ReturnType<typeof answerJson>>[1],
    ) => {
      const answer = (): void => answerJson({ from: address })(received, response);
      if (received.url.includes('slow')) setTimeout(answer, 60);
      else answer();
    };
  const { port, urlOf, members } = await fleet(addresses, slowly);
  const random = seededRandom();
  const pick = (): string[] => {
    const some = addresses.filter(() => random() < 0.4);
    return some.length === 0 ? addresses.slice(0, 1) : some;
  };
  let last = pick();
  dns.set(NAME, last);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
  await hasTargets(
    gw,
    last.map((address) => `east ${urlOf(address)}`),
  );
  const statuses = new Map<number, number>();
  let isOver = false;
  const client = async (topic: string): Promise<void> => {
    while (!isOver) {
      const { statusCode, body } = await request(`${gw.url}/topics/${topic}`, produce);
      await body.dump();
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
  };
  const clients = ['fast', 'fast', 'slow', 'slow', 'slow', 'slow'].map(client);
  for (let change = 0; change < 50; change += 1) {
    last = pick();
    dns.set(NAME, last);
    const seen = dns.countOf(NAME, 'AAAA');
    await until('the gateway has asked again', () => dns.countOf(NAME, 'AAAA') > seen + 1);
  }
  await hasTargets(
    gw,
    last.map((address) => `east ${urlOf(address)}`),
  );
  isOver = true;
  await Promise.all(clients);
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(200);
  for (const [address, member] of members) {
    if (last.includes(address)) continue;
    await until(`no connection to ${address} is left`, async () => (await member.connectionCount()) === 0);
  }
  // None of them was retried either: a target that goes finishes its requests.
  const received = [...members.values()].reduce((sum, { requests }) => sum + requests.length, 0);
  expect(received).toBe(statuses.get(200));
});

describe('a name that gives no addresses keeps its targets', () => {
  test.each([
    ['does not exist (NXDOMAIN)', (dns) => dns.remove(NAME)],
    ['has no addresses', (dns) => dns.set(NAME, [])],
    ['the DNS server failed (SERVFAIL)', (dns) => dns.fail(NAME, 'SERVFAIL')],
    ['no answer within 1000 ms', (dns) => dns.fail(NAME, 'SILENT')],
  ] as const satisfies [string, (dns: Awaited<ReturnType<typeof dnsServer>>) => void][])(
    'that %s',
    async (problem, breakIt) => {
      const dns = await dnsServer();
      const { port, urlOf } = await fleet([A, B]);
      dns.set(NAME, [A]);
      const timeoutMs = problem.includes('1000 ms') ? 1_000 : 20_000;
      const gw = await discovering(dns, {
        regions: regionsOf({ east: { dns: NAME, port } }),
        discovery: { timeoutMs },
      });
      await hasTargets(gw, [`east ${urlOf(A)}`]);
      breakIt(dns);
      await until('the problem is reported', () => eventsOf(gw, 'discoveryProblem').length > 0);
      const before = dns.countOf(NAME, 'A');
      await until('it is asked for three times more', () => dns.countOf(NAME, 'A') > before + 3);
      expect(await from(gw)).toBe(A);
      expect(await targetsOf(gw)).toEqual([`east ${urlOf(A)}`]);
      dns.set(NAME, [B]);
      await hasTargets(gw, [`east ${urlOf(B)}`]);
      const reported = eventsOf(gw, 'discoveryProblem').map(({ name, problem: reason, addressCount }) => [
        name,
        reason,
        addressCount,
      ]);
      const reason = problem.includes('1000 ms') ? expect.stringMatching(/no answer|do not answer/) : problem;
      expect(reported).toEqual([
        [NAME, reason, 1],
        [NAME, null, 1],
      ]);
    },
  );
});

test('the addresses of a family that fails stay, and those of the other one change', async () => {
  const dns = await dnsServer();
  const { port, urlOf } = await fleet([A, B, '::1']);
  dns.set(NAME, [A, '::1']);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
  const v6 = `east http://[::1]:${port}`;
  await hasTargets(gw, [`east ${urlOf(A)}`, v6]);
  dns.set(NAME, [B]);
  dns.fail(NAME, 'SERVFAIL', ['AAAA']);
  await hasTargets(gw, [`east ${urlOf(B)}`, v6]);
  dns.set(NAME, [B]);
  await hasTargets(gw, [`east ${urlOf(B)}`]);
  expect(eventsOf(gw, 'discoveryProblem')).toEqual([]);
});

test('a gateway is not ready before the first answer, and says for which name it waits', async () => {
  const dns = await dnsServer();
  const { port, urlOf } = await fleet([A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
  const ready = await request(`${gw.adminUrl}/ready`);
  expect([ready.statusCode, await ready.body.text()]).toEqual([
    503,
    expect.stringContaining(`no addresses of ${NAME} yet`),
  ]);
  expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(503);
  await until('the problem is reported', () => eventsOf(gw, 'discoveryProblem').length === 1);
  expect(await targetsOf(gw)).toEqual([]);
  const { regions } = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as { regions: unknown[] };
  expect(regions).toMatchObject([{ state: 'down', reason: 'DNS has no addresses for it yet' }]);
  dns.set(NAME, [A]);
  await hasTargets(gw, [`east ${urlOf(A)}`]);
  expect((await request(`${gw.adminUrl}/ready`)).statusCode).toBe(200);
});

test('a request in flight on an address that goes is finished there', async () => {
  const dns = await dnsServer();
  let finish = (): void => {};
  const { port, urlOf, members } = await fleet([A, B], (address) => (received, response) => {
    const answer = (): void => answerJson({ from: address })(received, response);
    if (address === A) finish = answer;
    else answer();
  });
  dns.set(NAME, [A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
  await hasTargets(gw, [`east ${urlOf(A)}`]);
  const pending = from(gw);
  await until('it is in flight', () => members.get(A)?.requests.length === 1);
  dns.set(NAME, [B]);
  await hasTargets(gw, [`east ${urlOf(B)}`]);
  expect(await from(gw)).toBe(B);
  finish();
  expect(await pending).toBe(A);
});

test('a failed connection asks again, long before the next refresh', async () => {
  const dns = await dnsServer();
  const { port, urlOf, members } = await fleet([A, B]);
  dns.set(NAME, [A]);
  const gw = await discovering(dns, {
    regions: regionsOf({ east: { dns: NAME, port } }),
    discovery: { refreshMs: 3_600_000 },
  });
  await hasTargets(gw, [`east ${urlOf(A)}`]);
  dns.set(NAME, [B]);
  await members.get(A)?.kill();
  await hasTargets(gw, [`east ${urlOf(B)}`]);
  expect(dns.countOf(NAME, 'A')).toBeLessThanOrEqual(4);
});

describe('one address in two places', () => {
  test('two names of a region: one target, of the first name, until neither has it', async () => {
    const dns = await dnsServer();
    const { port, urlOf } = await fleet([A, B]);
    dns.set('one.test', [A]);
    dns.set('two.test', [A, B]);
    const targets = [
      { dns: 'one.test', port },
      { dns: 'two.test', port },
    ];
    const gw = await discovering(dns, { regions: [{ name: 'east', targets }] });
    await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
    dns.set('one.test', [B]);
    await until('the second name has the address', () => dns.countOf('two.test', 'A') > 3);
    await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
    expect(begunTargets(gw)).toHaveLength(2);
    dns.set('two.test', [B]);
    await hasTargets(gw, [`east ${urlOf(B)}`]);
  });

  test('a URL and a name: one target, which stays when the name loses it', async () => {
    const dns = await dnsServer();
    const { port, urlOf } = await fleet([A, B]);
    dns.set(NAME, [A, B]);
    const targets = [{ dns: NAME, port }, { url: urlOf(A) }];
    const gw = await discovering(dns, { regions: [{ name: 'east', targets }] });
    await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
    dns.set(NAME, [B]);
    const seen = dns.countOf(NAME, 'A');
    await until('it was asked for again', () => dns.countOf(NAME, 'A') > seen + 2);
    await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
    expect(begunTargets(gw)).toHaveLength(2);
  });

  test('two regions: a target in each, with its own probes', async () => {
    const dns = await dnsServer();
    const { port, urlOf } = await fleet([A]);
    dns.set('east.test', [A]);
    dns.set('west.test', [A]);
    const gw = await discovering(dns, {
      regions: regionsOf({ east: { dns: 'east.test', port }, west: { dns: 'west.test', port } }),
    });
    await hasTargets(gw, [`east ${urlOf(A)}`, `west ${urlOf(A)}`]);
  });
});

describe('a reload', () => {
  test('to another name keeps the targets until that name has addresses', async () => {
    const dns = await dnsServer();
    const { port, urlOf } = await fleet([A, B]);
    dns.set(NAME, [A]);
    const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
    await hasTargets(gw, [`east ${urlOf(A)}`]);
    const yaml = discoveryYaml(dns, { regions: regionsOf({ east: { dns: 'new.test', port } }) });
    gw.gateway.reload(testConfig(yaml));
    await until('the new name is asked for', () => dns.countOf('new.test', 'A') > 1);
    expect(await from(gw)).toBe(A);
    const asked = dns.countOf(NAME, 'A');
    dns.set('new.test', [B]);
    await hasTargets(gw, [`east ${urlOf(B)}`]);
    expect(dns.countOf(NAME, 'A')).toBe(asked);
    expect(eventsOf(gw, 'reload')[0]?.changes).toEqual(
      expect.arrayContaining([`regions.east.targets.new.test.dns: new.test (new)`]),
    );
  });

  test('from a URL to a name of the same address keeps the target', async () => {
    const dns = await dnsServer();
    const { port, urlOf } = await fleet([A]);
    dns.set(NAME, [A]);
    const gw = await discovering(dns, { regions: regionsOf({ east: { url: urlOf(A) } }) });
    const yaml = discoveryYaml(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
    gw.gateway.reload(testConfig(yaml));
    expect(await from(gw)).toBe(A);
    await until('the name is asked for', () => dns.countOf(NAME, 'A') > 1);
    await hasTargets(gw, [`east ${urlOf(A)}`]);
    expect(begunTargets(gw)).toHaveLength(1);
    gw.gateway.reload(testConfig(discoveryYaml(dns, { regions: regionsOf({ east: { url: urlOf(A) } }) })));
    const asked = dns.countOf(NAME, 'A');
    await delay(100);
    expect(dns.countOf(NAME, 'A') - asked).toBeLessThanOrEqual(1);
    expect(await targetsOf(gw)).toEqual([`east ${urlOf(A)}`]);
  });

  test('of the interval asks at once, and then at the new one', async () => {
    const dns = await dnsServer();
    const { port, urlOf } = await fleet([A, B]);
    dns.set(NAME, [A]);
    const regions = regionsOf({ east: { dns: NAME, port } });
    const gw = await discovering(dns, { regions, discovery: { refreshMs: 3_600_000 } });
    await hasTargets(gw, [`east ${urlOf(A)}`]);
    gw.gateway.reload(testConfig(discoveryYaml(dns, { regions })));
    dns.set(NAME, [B]);
    await hasTargets(gw, [`east ${urlOf(B)}`]);
  });

  test('of the servers asks them at once', async () => {
    const [old, other] = [await dnsServer(), await dnsServer()];
    const { port, urlOf } = await fleet([A, B]);
    old.set(NAME, [A]);
    other.set(NAME, [B]);
    const regions = regionsOf({ east: { dns: NAME, port } });
    const discovery = { refreshMs: 3_600_000 };
    const gw = await discovering(old, { regions, discovery });
    await hasTargets(gw, [`east ${urlOf(A)}`]);
    gw.gateway.reload(testConfig(discoveryYaml(other, { regions, discovery })));
    await hasTargets(gw, [`east ${urlOf(B)}`]);
  });
});

test('a name has at most maxTargets targets, and those that it has stay', async () => {
  const dns = await dnsServer();
  const { port, urlOf } = await fleet([B, C]);
  dns.set(NAME, [B, C]);
  const gw = await discovering(dns, {
    regions: regionsOf({ east: { dns: NAME, port } }),
    discovery: { maxTargets: 2 },
  });
  await hasTargets(gw, [`east ${urlOf(B)}`, `east ${urlOf(C)}`]);
  dns.set(NAME, [...Array.from({ length: 1_000 }, (_, index) => `127.0.${index >> 8}.${index & 255}`), B, C]);
  await until('the problem is reported', () => eventsOf(gw, 'discoveryProblem').length > 0);
  await hasTargets(gw, [`east ${urlOf(B)}`, `east ${urlOf(C)}`]);
  dns.set(NAME, [B]);
  await hasTargets(gw, [`east ${urlOf(B)}`]);
  expect(eventsOf(gw, 'discoveryProblem').map(({ problem }) => problem)).toEqual([
    'has more than 2 addresses (discovery.maxTargets): the others are not used',
    null,
  ]);
});

test('without a port, SRV records give hosts and ports', async () => {
  const dns = await dnsServer();
  const one = await fleet([A]);
  const two = await fleet([A, B]);
  dns.set('b0.test', [A]);
  dns.set('b1.test', [B]);
  dns.setServices('_http._tcp.bridge.test', [
    { host: 'b0.test', port: one.port },
    { host: 'b0.test', port: two.port },
    { host: 'b1.test', port: two.port },
  ]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: '_http._tcp.bridge.test' } }) });
  await hasTargets(gw, [`east ${one.urlOf(A)}`, `east ${two.urlOf(A)}`, `east ${two.urlOf(B)}`]);
  dns.setServices('_http._tcp.bridge.test', [{ host: 'b1.test', port: two.port }]);
  await hasTargets(gw, [`east ${two.urlOf(B)}`]);
});

test('without servers in the configuration, those of resolv.conf are asked, with its search list', async () => {
  const dns = await dnsServer();
  const { port, urlOf } = await fleet([A]);
  const directory = mkdtempSync(join(tmpdir(), 'causeway-resolv-conf-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const resolvConf = join(directory, 'resolv.conf');
  writeFileSync(
    resolvConf,
    `nameserver ${dns.address}\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5\n`,
  );
  dns.set('bridge.kafka.svc.cluster.local', [A]);
  const gw = await discovering(
    dns,
    { regions: regionsOf({ east: { dns: 'bridge.kafka', port } }), discovery: { servers: [] } },
    { resolvConf },
  );
  await hasTargets(gw, [`east ${urlOf(A)}`]);
});

test('probes go to the health port of each address', async () => {
  const dns = await dnsServer();
  const { port, urlOf, members } = await fleet([A, B]);
  const management = await fleet([A, B]);
  for (const member of members.values()) member.readyStatus = 500;
  dns.set(NAME, [A, B]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port, healthPort: management.port } }) });
  await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
  await management.members.get(B)?.kill();
  await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)} unhealthy`]);
});

test('newcomers do not cause panic: one target of five that starts gets all work', async () => {
  const dns = await dnsServer();
  const addresses = [A, B, C, '127.0.0.5', '127.0.0.6'];
  const { port, urlOf, members } = await fleet(addresses);
  for (const address of addresses.slice(1)) Object.assign(members.get(address) ?? {}, { readyStatus: 503 });
  dns.set(NAME, [A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { dns: NAME, port } }) });
  await hasTargets(gw, [`east ${urlOf(A)}`]);
  dns.set(NAME, addresses);
  await hasTargets(gw, [
    `east ${urlOf(A)}`,
    ...addresses.slice(1).map((address) => `east ${urlOf(address)} unhealthy`),
  ]);
  expect(await responders(gw)).toEqual([A]);
  expect(eventsOf(gw, 'panic')).toEqual([]);
});

test('the admin API and the metrics show which name found a target, and a name that does not resolve', async () => {
  const dns = await dnsServer();
  const { port, urlOf } = await fleet([A, B]);
  dns.set(NAME, [A]);
  const targets = [{ dns: NAME, port }, { url: urlOf(B) }];
  const gw = await discovering(dns, { regions: [{ name: 'east', targets }] });
  await hasTargets(gw, [`east ${urlOf(A)}`, `east ${urlOf(B)}`]);
  const topology = async () =>
    (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
      state: string;
      summary: string;
      regions: { targets: { discoveredBy: string | null }[]; dnsNames: unknown[] }[];
    };
  const before = await topology();
  expect(before.regions[0]?.targets.map(({ discoveredBy }) => discoveredBy)).toEqual([NAME, null]);
  expect(before.regions[0]?.dnsNames).toEqual([{ name: NAME, addressCount: 1, problem: null, since: null }]);
  dns.remove(NAME);
  await until('the name has a problem', async () => (await topology()).state === 'degraded');
  const after = await topology();
  expect(after.regions[0]?.dnsNames).toMatchObject([{ addressCount: 1, problem: 'does not exist (NXDOMAIN)' }]);
  expect(after.summary).toContain(`The DNS name ${NAME} does not exist (NXDOMAIN) since`);
  const metrics = await (await request(`${gw.adminUrl}/metrics`)).body.text();
  const sampleOf = (series: string): number =>
    Number(
      metrics
        .split('\n')
        .find((line) => line.startsWith(series))
        ?.split(' ')[1],
    );
  expect(sampleOf(`causeway_discovery_addresses{name="${NAME}"}`)).toBe(1);
  expect(sampleOf(`causeway_discovery_problem{name="${NAME}"}`)).toBe(1);
  expect(sampleOf(`causeway_discovery_lookups_total{name="${NAME}",result="found"}`)).toBeGreaterThan(0);
  expect(sampleOf(`causeway_discovery_lookups_total{name="${NAME}",result="unknown"}`)).toBeGreaterThan(0);
  expect(sampleOf(`causeway_discovery_answer_age_seconds{name="${NAME}"}`)).toBeGreaterThanOrEqual(0);
});
