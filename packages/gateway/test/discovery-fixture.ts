/** HTTP servers on several loopback addresses and one port, the DNS server that gives their addresses, and gateways that ask it. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { GatewayOptions } from '@causeway/gateway/gateway.ts';
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import { DnsServer } from '../../../test/harness/dns-server.ts';
import { type ConfigOverrides, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../test/harness/upstream.ts';

export const NAME = 'bridge.test';

export async function dnsServer(): Promise<DnsServer> {
  const dns = await DnsServer.start();
  onTestFinished(() => dns.close());
  return dns;
}

export interface Fleet {
  port: number;
  /** By address. */
  members: Map<string, Upstream>;
  urlOf(address: string): string;
}

/** Each responds with its address. */
export async function fleet(
  addresses: readonly string[],
  handlerOf: (address: string) => UpstreamHandler = (from) => answerJson({ from }),
): Promise<Fleet> {
  const port = await freePort();
  const members = new Map<string, Upstream>();
  for (const host of addresses) {
    const member = await startUpstream(handlerOf(host), undefined, { host, port });
    onTestFinished(() => member.kill());
    members.set(host, member);
  }
  return { port, members, urlOf: (address) => new URL(`http://${address}:${port}`).origin };
}

/** A port that no other server has, on any address. */
async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '0.0.0.0');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

/** A gateway of region east, whose targets are those of a name unless `overrides` says otherwise. */
export async function discovering(
  dns: DnsServer,
  overrides: ConfigOverrides & { discovery?: Record<string, unknown> },
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const gw = await startGateway(discoveryYaml(dns, overrides), options);
  onTestFinished(gw.close);
  return gw;
}

/** With short intervals, and time limits that a slow machine keeps. */
export function discoveryYaml(
  dns: DnsServer,
  { discovery, ...overrides }: ConfigOverrides & { discovery?: Record<string, unknown> },
): ConfigOverrides {
  return { ...overrides, discovery: { refreshMs: 20, timeoutMs: 20_000, servers: [dns.address], ...discovery } };
}

/** As YAML: regions with one target each. */
export function regionsOf(targets: Record<string, Record<string, unknown>>): unknown[] {
  return Object.entries(targets).map(([name, target]) => ({ name, targets: [target] }));
}

interface ShownTarget {
  url: string;
  discoveredBy: string | null;
  health: { status: string };
}

/** The targets in the order of the topology, as `region url`, or `region url status` of those that are not healthy. */
export async function targetsOf(gw: TestGateway): Promise<string[]> {
  const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
    regions: { name: string; targets: ShownTarget[] }[];
  };
  return topology.regions.flatMap(({ name, targets }) =>
    targets.map(({ url, health }) => [name, url, health.status].join(' ').replace(/ healthy$/, '')),
  );
}

/** Waits until the targets are these, all of them healthy. */
export async function hasTargets(gw: TestGateway, expected: readonly string[]): Promise<void> {
  let seen: string[] = [];
  await until(`the targets ${expected.join(', ')}`, async () => {
    seen = await targetsOf(gw);
    return [...seen].sort().join() === [...expected].sort().join();
  }).catch((error: unknown) => {
    throw new Error(`the targets are ${seen.join(', ')}`, { cause: error });
  });
}
