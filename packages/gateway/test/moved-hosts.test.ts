/** A URL with a host name follows its address: real gateways, a real DNS server, and HTTP servers on 127.0.0.2, 127.0.0.3, … */
import { request } from 'undici';
import { expect, test } from 'vitest';
import { type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { discovering, discoveryYaml, dnsServer, fleet, hasTargets, regionsOf } from './discovery-fixture.ts';
import { from } from './fixture.ts';

const LB = 'lb.east.test';
const A = '127.0.0.2';
const B = '127.0.0.3';

async function metricsOf(gw: TestGateway): Promise<string> {
  return (await request(`${gw.adminUrl}/metrics`)).body.text();
}

test('a region that moves to another load balancer takes its traffic along, although the old one still answers', async () => {
  const dns = await dnsServer();
  const { port, members } = await fleet([A, B]);
  dns.set(LB, [A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { url: `http://${LB}:${port}` } }) });
  let isOver = false;
  const seen: string[] = [];
  const client = async (): Promise<void> => {
    while (!isOver) seen.push(await from(gw));
  };
  const clients = Promise.all([client(), client(), client(), client()]);
  await until('the old one has the traffic', () => seen.length > 40);
  dns.set(LB, [B]);
  await until('the new one has it', () => seen.at(-1) === B);
  const countAtA = (): number => members.get(A)?.requests.length ?? 0;
  let before = -1;
  await until('the old one gets nothing more', async () => {
    const isStill = before === countAtA();
    before = countAtA();
    const count = seen.length;
    await until('there is more traffic', () => seen.length > count + 40);
    return isStill;
  });
  isOver = true;
  await clients;
  // Every response is one of theirs, so none is an error.
  expect(new Set(seen)).toEqual(new Set([A, B]));
  expect(seen.slice(-40)).toEqual(Array(40).fill(B));
  // It is still the same target.
  await hasTargets(gw, [`east http://${LB}:${port}`]);
});

test('probes follow the host of their own URL', async () => {
  const dns = await dnsServer();
  const { port, members } = await fleet([A, B]);
  const target = { url: `http://127.0.0.2:${port}`, healthUrl: `http://${LB}:${port}` };
  dns.set(LB, [A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: target }) });
  const second = members.get(B);
  if (second !== undefined) second.readyStatus = 503;
  dns.set(LB, [B]);
  await until('the new one is probed', () =>
    gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
  );
});

test('a host that stops resolving keeps its address; an event and metrics report it', async () => {
  const dns = await dnsServer();
  const { port } = await fleet([A]);
  dns.set(LB, [A]);
  const gw = await discovering(dns, { regions: regionsOf({ east: { url: `http://${LB}:${port}` } }) });
  expect(await metricsOf(gw)).toMatch(/causeway_host_problem\{name="lb\.east\.test"\} 0/);
  dns.remove(LB);
  const problems = (): unknown[] =>
    gw.gateway.events.recent().flatMap((event) => (event.type === 'discoveryProblem' ? [event] : []));
  await until('it is reported', () => problems().length === 1);
  expect(problems()).toMatchObject([{ name: LB, problem: 'does not exist (NXDOMAIN)', addressCount: 1 }]);
  expect(await metricsOf(gw)).toMatch(/causeway_host_problem\{name="lb\.east\.test"\} 1/);
  expect(await from(gw)).toBe(A);
  dns.set(LB, [A]);
  await until('its return is reported', () => problems().length === 2);
  expect(problems()[1]).toMatchObject({ name: LB, problem: null, addressCount: 1 });
});

test('a reload looks hosts up at once, with the new settings', async () => {
  const [dns, other] = [await dnsServer(), await dnsServer()];
  const { port } = await fleet([A, B]);
  dns.set(LB, [A]);
  other.set(LB, [B]);
  const regions = regionsOf({ east: { url: `http://${LB}:${port}` } });
  const gw = await discovering(dns, { regions, discovery: { refreshMs: 3_600_000 } });
  expect(await from(gw)).toBe(A);
  gw.gateway.reload(testConfig(discoveryYaml(other, { regions, discovery: { refreshMs: 3_600_000 } })));
  await until('the answer of the new server is in use', async () => (await from(gw)) === B);
});
