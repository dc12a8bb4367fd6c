/** A gateway in the test's process, on ports that the system chooses, over regions given as URLs. */
import { parseConfig } from '@causeway/config/load.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { Gateway, type GatewayOptions } from '@causeway/gateway/gateway.ts';
import { stringify } from 'yaml';
import { TEST_TRUST } from './trust.ts';
import { until } from './until.ts';

/** Partial YAML. Its sections replace those of the test's defaults; `upstream` keeps its patient time limit for connections. */
export type ConfigOverrides = Record<string, unknown>;

/** The admin token of test gateways, by default. */
export const TEST_TOKEN = 'the-token-of-a-test';

export function testConfig(overrides: ConfigOverrides): GatewayConfig {
  const yaml = stringify({
    // Patient: the targets share this process, which stalls now and then on a busy machine.
    healthCheck: { intervalMs: 50, timeoutMs: 2_000, rise: 1, fall: 2 },
    ...('listeners' in overrides ? {} : { listen: { port: 0 } }),
    admin: { port: 0, token: TEST_TOKEN },
    trust: TEST_TRUST,
    shutdown: { graceMs: 100 },
    ...overrides,
    upstream: { connectTimeoutMs: 10_000, ...(overrides['upstream'] as object | undefined) },
  });
  return parseConfig('test.yaml', yaml, { schema: GatewayConfig, env: {} });
}

/** Regions `east`, `west`, … with one target each, as YAML. */
export function regions(urls: Record<string, string>, weights: Record<string, number> = {}): unknown[] {
  return Object.entries(urls).map(([name, url]) => ({ name, weight: weights[name] ?? 100, targets: [{ url }] }));
}

export interface TestGateway {
  gateway: Gateway;
  url: string;
  /** Of all listeners. */
  urls: string[];
  adminUrl: string;
  close(): Promise<void>;
}

/** Starts a gateway and waits until every target with a URL was probed. */
export async function startGateway(
  overrides: ConfigOverrides,
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const gateway = new Gateway({ config: testConfig(overrides), configFile: 'test.yaml', ...options });
  const { url, urls, adminUrl } = await gateway.start();
  const targets = testConfig(overrides).regions.flatMap((region) => region.targets);
  const configured = targets.flatMap(({ url: given }) => (given === undefined ? [] : new URL(given).origin));
  await until('every target is probed', () => {
    // Its own events: it also relays those of gateways behind it.
    const own = gateway.events.recent().filter((event) => event.gateway === undefined);
    const probed = new Set(own.flatMap((event) => (event.type === 'health' ? [event.target] : [])));
    return configured.every((origin) => probed.has(origin));
  });
  return { gateway, url, urls, adminUrl, close: () => gateway.close('the test is over') };
}
