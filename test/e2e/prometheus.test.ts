/** A real Prometheus scrapes the running system: clean expositions, alerts that fire and resolve, a dashboard with data. */
import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BRIDGE_METRICS } from '@causeway/bridge/metrics.ts';
import { GATEWAY_METRICS } from '@causeway/gateway/metrics.ts';
import { Traffic } from '@causeway/lab/traffic/traffic.ts';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { dashboardQueries, readDashboard, variableQueries } from '../harness/dashboard.ts';
import { DnsServer } from '../harness/dns-server.ts';
import { parseExposition } from '../harness/exposition.ts';
import { OpenIdProvider } from '../harness/openid-provider.ts';
import { startPrometheus, type TestPrometheus } from '../harness/prometheus.ts';
import { type KnownMetrics, unknownIn } from '../harness/promql.ts';
import { hasPrometheus, PROMETHEUS_NOTE, promtool } from '../harness/promtool.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { until } from '../harness/until.ts';

/** Detection, a scrape, an evaluation and the alert's own delay, each about a second; the machine may be busy. */
const ALERT_TIMEOUT_MS = 90_000;
/** Why gateways send a request again when a region dies. */
const FAILOVER_REASON = /targetDown|connectFailed|broken.*|misdirected/;

/** These depend on the machine's speed; config/prometheus/causeway.rules.test.yml tests them. */
const OF_THE_MACHINE: ReadonlySet<string | undefined> = new Set(['CausewayAdoptionSlow', 'CausewayEventLoopBlocked']);

const WEST_NAME = 'west.test';
const KEY = 'key-of-a-client-beyond-its-quota-0123456789';

/** Clients are anonymous, as the traffic is, or show a token or a key. */
function addIdentity(configDirectory: string, issuer: object): void {
  const file = join(configDirectory, 'keys.yaml');
  const hash = createHash('sha256').update(KEY).digest('hex');
  writeFileSync(file, `- name: limited\n  key: sha256$${hash}\n`, { mode: 0o600 });
  const sections = {
    auth: { anonymous: 'allow', jwt: { issuers: [issuer] }, apiKeys: { file }, metricPrincipals: ['limited'] },
    quotas: { principals: [{ principals: ['limited'], requestsPerSecond: 1 }] },
  };
  const yaml = Object.entries(sections).map(([name, section]) => `${name}: ${JSON.stringify(section)}\n`);
  appendFileSync(join(configDirectory, 'tier1.yaml'), yaml.join(''));
}

/** The tier-1 gateway finds west by a name. */
function addDiscovery(configDirectory: string, dns: DnsServer): void {
  dns.set(WEST_NAME, ['127.0.0.1']);
  const file = join(configDirectory, 'tier1.yaml');
  const text = readFileSync(file, 'utf8');
  const byName = text
    .replace(/url: http:\/\/127\.0\.0\.1:(\$\{WEST_GATEWAY_PORT\S+)/, `dns: ${WEST_NAME}.\n        port: $1`)
    .replace(/adminUrl: http:\/\/127\.0\.0\.1:(\$\{WEST_GATEWAY_ADMIN_PORT)/, 'adminPort: $1');
  expect(byName).toContain('adminPort');
  writeFileSync(file, `${byName}discovery: { servers: [${JSON.stringify(dns.address)}] }\n`);
}

describe.skipIf(!hasPrometheus)(`Prometheus over the running system${PROMETHEUS_NOTE}`, () => {
  let system: TestStack;
  let provider: OpenIdProvider;
  let dns: DnsServer;
  let traffic: Traffic;
  let prometheus: TestPrometheus;
  let gateways: string[];
  let bridges: string[];

  beforeAll(async () => {
    const bootstrap = inject('kafkaBootstrap');
    provider = await OpenIdProvider.start({ clients: [{ id: 'alice' }] });
    dns = await DnsServer.start();
    const prepare = (directory: string): void => {
      addDiscovery(directory, dns);
      addIdentity(directory, provider.issuerYaml);
    };
    system = await startTestStack(bootstrap, { prepare });
    const { tier1, regions } = system.stack;
    gateways = [tier1.admin, regions.east.gateway.admin, regions.west.gateway.admin];
    bridges = [regions.east.bridge.url, regions.west.bridge.url];
    prometheus = await startPrometheus({
      'causeway-gateway': gateways.map((url) => new URL(url).host),
      'causeway-bridge': bridges.map((url) => new URL(url).host),
    });
    await system.untilWell();
    traffic = new Traffic({ url: system.url, kafka: bootstrap, topic: 'orders', recordsPerSecond: 5 });
    await traffic.start();
  });
  afterAll(async () => {
    await traffic?.finish();
    await prometheus?.close();
    await system?.close();
    await provider?.close();
    await dns?.close();
  });

  const exposed = async (url: string): Promise<string> => (await request(`${url}/metrics`)).body.text();

  /** Names of firing alerts, with their region or instance. */
  async function firing(): Promise<string[]> {
    const alerts = (await prometheus.firing()).filter(({ alertname }) => !OF_THE_MACHINE.has(alertname));
    return alerts.map(({ alertname, region, instance }) => `${alertname} ${region ?? instance}`).sort();
  }

  async function untilFiring(what: string, isSo: (names: string[]) => boolean): Promise<void> {
    let names: string[] = [];
    const check = async (): Promise<boolean> => {
      names = await firing();
      return isSo(names);
    };
    await until(what, check, { timeoutMs: ALERT_TIMEOUT_MS }).catch((cause: unknown) => {
      throw new Error(`${what}: these fire: ${names.join(', ') || 'none'}`, { cause });
    });
  }

  async function retryCount(): Promise<number> {
    const families = parseExposition(await exposed(gateways[0] as string));
    const samples = families.get('causeway_retries_total')?.samples ?? [];
    return samples.reduce(
      (sum, { labels, value }) => sum + (FAILOVER_REASON.test(labels['reason'] ?? '') ? value : 0),
      0,
    );
  }

  /** Requests without a pause, which may fail. */
  function keepSending(): { stop: () => Promise<void> } {
    let isStopped = false;
    const send = async (): Promise<void> => {
      while (!isStopped) {
        const { body } = await request(`${system.url}/topics/orders`);
        await body.dump();
      }
    };
    const running = Promise.all([send(), send(), send()]);
    return {
      stop: async () => {
        isStopped = true;
        await running;
      },
    };
  }

  test('promtool accepts the metrics of gateways and bridges', async () => {
    for (const url of [...gateways, ...bridges]) {
      expect(promtool(['check', 'metrics'], await exposed(url))).toEqual({ isGood: true, output: '' });
    }
  });

  test('gateways and bridges expose exactly the metrics of docs/metrics.md', async () => {
    const names = async (url: string): Promise<string[]> =>
      [...parseExposition(await exposed(url)).keys()].filter((name) => name.startsWith('causeway_')).sort();
    const declared = (metrics: readonly { name: string }[]): string[] => metrics.map(({ name }) => name).sort();
    for (const url of gateways) expect(await names(url)).toEqual(declared(GATEWAY_METRICS));
    for (const url of bridges) expect(await names(url)).toEqual(declared(BRIDGE_METRICS));
  });

  test('no label contains a name that a client chose', async () => {
    for (const url of [...gateways, ...bridges]) {
      const text = await exposed(url);
      for (const name of [traffic.group, traffic.topic, 'consumer-1']) expect(text).not.toContain(name);
    }
  });

  test('a killed region fires its alerts during traffic, and they resolve when it returns', async () => {
    await until('every instance is scraped', async () => (await prometheus.query('up == 1')).length === 5);
    await untilFiring('nothing fires', (names) => names.length === 0);
    const [east] = bridges.map((url) => new URL(url).host);
    // Until the gateway knows that east is down, some of its requests meet that, and are sent again.
    const sending = keepSending();
    await system.stack.killRegion('east');
    await until('tier-1 sends requests again', async () => (await retryCount()) > 0);
    await sending.stop();
    await untilFiring('the alert on east fires', (names) =>
      ['CausewayRegionDown east', `CausewayInstanceDown ${east}`].every((name) => names.includes(name)),
    );
    expect((await firing()).filter((name) => name.includes('west'))).toEqual([]);
    await system.stack.restoreRegion('east');
    await untilFiring('nothing fires any more', (names) => names.length === 0);
  });

  test('a refused reload fires its alert until the file is repaired', async () => {
    system.edit('tier1.yaml', 'regions:', 'region:');
    await untilFiring('the alert on the reload fires', (names) =>
      names.includes(`CausewayReloadRefused ${new URL(system.admin).host}`),
    );
    system.edit('tier1.yaml', 'region:', 'regions:');
    await untilFiring('nothing fires any more', (names) => names.length === 0);
  });

  describe('the dashboard, afterwards', () => {
    const dashboard = readDashboard();

    /** A rate needs two scrapes after the first request. */
    beforeAll(async () => {
      const authorization = `Bearer ${await provider.token('alice')}`;
      const statusOf = async (headers: Record<string, string>): Promise<number> => {
        const { statusCode, body } = await request(`${system.url}/topics/orders`, { headers });
        await body.dump();
        return statusCode;
      };
      await until('a request is beyond its quota, and Prometheus knows it', async () => {
        expect(await statusOf({ authorization })).toBe(200);
        expect([200, 429]).toContain(await statusOf({ 'x-api-key': KEY }));
        return (await prometheus.query('rate(causeway_quota_refused_total[1m]) > 0')).length > 0;
      });
    });
    const known = async (): Promise<KnownMetrics> => {
      const labelsByName = new Map<string, Set<string>>();
      for (const url of [...gateways, ...bridges]) {
        for (const { samples } of parseExposition(await exposed(url)).values()) {
          for (const { name, labels } of samples) {
            const all = labelsByName.get(name) ?? new Set();
            labelsByName.set(name, all);
            for (const label of Object.keys(labels)) all.add(label);
          }
        }
      }
      return labelsByName;
    };

    // This system has one Kafka cluster. What those of two are called is compared with their declarations in test/dashboard.test.ts.
    const queriesHere = dashboardQueries(dashboard).filter(
      ({ query }) => !/_cluster(?:_|\b)|_replication_/.test(query),
    );

    test('every query names metrics and labels that the running system exposes', async () => {
      const there = await known();
      const unknown = queriesHere.flatMap(({ query }) => unknownIn(query, there));
      expect(unknown).toEqual([]);
    });

    test('Prometheus answers every query', async () => {
      const empty: string[] = [];
      for (const { panel, query } of queriesHere) {
        const samples = await prometheus.query(query);
        if (samples.length === 0) empty.push(`${panel}: ${query}`);
      }
      expect(empty).toEqual([]);
    });

    test('panels of traffic show traffic, and panels of failover show the failover', async () => {
      const amount = async (query: string): Promise<number> => Number((await prometheus.query(query))[0]?.value[1]);
      // The last minute may begin before the region was back.
      await until('the traffic of a minute', async () => {
        const sent = await amount('sum(rate(causeway_requests_total{operation="send"}[1m]))');
        return sent > 1 && (await amount('sum(rate(causeway_bridge_records_delivered_total[1m]))')) > 1;
      });
      expect(await amount('sum(causeway_bridge_sessions)')).toBe(2);
      expect(await amount(`sum(causeway_retries_total{reason=~"${FAILOVER_REASON.source}"})`)).toBeGreaterThan(0);
    });

    test('its variables list the running instances and regions', async () => {
      for (const { query, label } of variableQueries(dashboard)) {
        expect((await prometheus.query(`count by (${label}) (${query})`)).length).toBeGreaterThan(1);
      }
    });
  });
});
