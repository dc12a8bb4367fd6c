/**
 * The clusters of the chart's examples, played by the lab: `central` with tier-1, and `region` for east and for west. The rendered
 * objects stay as they are, except for what differs from one site to another, and for the seconds, which may be shorter.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '@causeway/lab/kubelet/cluster.ts';
import type { Workload } from '@causeway/lab/kubelet/workload.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import type { RegionName } from '@causeway/lab/stack/regions.ts';
import { parse, stringify } from 'yaml';
import { goldenFile, type KubernetesObject, objectsOf } from '../kubernetes/chart.ts';
import { DnsServer } from './dns-server.ts';
import { until } from './until.ts';

/** Of the objects; the Service of tier-1 has port 80, which needs root, and gets another one. */
const PORTS = [8080, 8081, 10_080];
/** Of Services, load balancers and DNS: less than the 5 seconds of `preStop`. */
const DATA_PATH_DELAY_SECONDS = 3;
/** A gateway's own; it is as long as a second of the objects. */
const REFRESH_SECONDS = 5;
/** Of gateways. */
const PROBE_TIMEOUT_MS = 2_000;

/** Long enough for a whole update at full length. */
const SETTLED_TIMEOUT_MS = 200_000;

const SECRETS = {
  causeway: {
    'admin-token': 'the-token-of-operators-in-this-test',
    'trust-secret': 'the-secret-of-gateways-and-bridges-in-this-test',
  },
};

export interface RenderedSystem {
  /** Where clients connect: the Service of tier-1. */
  url: string;
  central: Cluster;
  regions: Record<RegionName, Cluster>;
  close(): Promise<void>;
}

export interface RenderedSystemOptions {
  bootstrap: string;
  /** What a second of the objects takes; 1,000 in a real cluster. */
  secondMs: number;
  /** Changes the objects of every cluster before they are applied. */
  prepare?: ((object: KubernetesObject) => void) | undefined;
}

/** Returns when every pod is available, and every gateway ready. */
export async function startRenderedSystem(options: RenderedSystemOptions): Promise<RenderedSystem> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-rollout-'));
  const reaper = new Reaper();
  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((part) => part.close()));
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (name: string): Promise<{ cluster: Cluster; dns: DnsServer }> => {
    const dns = await DnsServer.start();
    const cluster = await Cluster.create({
      directory: join(directory, name),
      namespace: 'kafka',
      secrets: SECRETS,
      secondMs: options.secondMs,
      dataPathDelaySeconds: DATA_PATH_DELAY_SECONDS,
      ports: PORTS,
      zone: dns,
      reaper,
    });
    opened.push(cluster, dns);
    return { cluster, dns };
  };
  try {
    const central = await start('central');
    const east = await start('east');
    const west = await start('west');
    const regions = [
      ['east', east],
      ['west', west],
    ] as const;
    // The load balancers of the regions have addresses before a gateway asks for their names.
    for (const [region, { cluster }] of regions) {
      cluster.apply(rendered('region').filter(({ kind }) => kind === 'Service'));
      for (const each of [central, east, west]) {
        each.dns.set(`gateway.${region}.example`, [cluster.serviceAddress('causeway-gateway')]);
      }
    }
    for (const [region, running] of regions) apply(running, 'region', { ...options, region });
    apply(central, 'central', options);
    const clusters = [central.cluster, east.cluster, west.cluster];
    await untilSettled(clusters.flatMap(({ workloads }) => workloads));
    return {
      url: central.cluster.serviceUrl('causeway-tier1'),
      central: central.cluster,
      regions: { east: east.cluster, west: west.cluster },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits until rolling updates and scaling are over. Errors: with the state and the log of each pod that is not available. */
export async function untilSettled(workloads: readonly Workload[]): Promise<void> {
  try {
    const isSettled = (): boolean => workloads.every((workload) => workload.isSettled);
    await until('every workload is what its object says', isSettled, { timeoutMs: SETTLED_TIMEOUT_MS });
  } catch (error) {
    const pods = workloads.flatMap((workload) => [...workload.pods]);
    const missing = pods.filter(({ isAvailable }) => !isAvailable).map((pod) => pod.describe());
    throw new Error(`${pods.length} pods, not available: ${missing.join('\n')}`, { cause: error });
  }
}

function rendered(example: string): KubernetesObject[] {
  return objectsOf(readFileSync(goldenFile(example), 'utf8'));
}

interface Site extends RenderedSystemOptions {
  region?: RegionName;
}

function apply({ cluster, dns }: { cluster: Cluster; dns: DnsServer }, example: string, site: Site): void {
  const objects = rendered(example);
  for (const object of objects) {
    if (object.kind === 'ConfigMap') atThisSite(object, { ...site, dnsServer: dns.address });
    if (object.kind === 'Deployment' || object.kind === 'StatefulSet') withPodAddress(object);
    // The other region is there to be failed over to.
    if (site.region === 'west' && object['spec']?.replicas !== undefined) object['spec'].replicas = 1;
    site.prepare?.(object);
  }
  cluster.apply(objects);
}

/** What an operator changes in the example's configuration, and the times that must fit the shorter seconds. */
function atThisSite(
  configMap: KubernetesObject,
  { bootstrap, secondMs, region, dnsServer }: Site & { dnsServer: string },
): void {
  for (const [file, text] of Object.entries(configMap['data'] as Record<string, string>)) {
    const config = parse(text);
    // All pods share the network of this machine: each listens at its own address alone.
    config.listen.host = `\${POD_IP}`;
    if (config.admin !== undefined) config.admin.host = `\${POD_IP}`;
    if (config.trust?.peers !== undefined) config.trust.peers = ['127.0.0.0/8'];
    const { delayMs = 0, graceMs = 10_000 } = config.shutdown ?? {};
    config.shutdown = { graceMs: (graceMs / 1_000) * secondMs };
    if (delayMs > 0) config.shutdown.delayMs = (delayMs / 1_000) * secondMs;
    if (config.kafka !== undefined) config.kafka.bootstrapServers = [bootstrap];
    if (config.regions !== undefined) {
      // A busy machine responds late.
      config.healthCheck = { timeoutMs: PROBE_TIMEOUT_MS };
      config.discovery = { servers: [dnsServer], refreshMs: REFRESH_SECONDS * secondMs };
    }
    if (region === 'west') moveWest(config);
    configMap['data'][file] = stringify(config);
  }
}

/** The example is that of east; in west the two regions change places. */
// biome-ignore lint/suspicious/noExplicitAny: Causeway's own schema checks it.
function moveWest(config: any): void {
  const own = config.gateway ?? config.bridge;
  own.region = 'west';
  for (const region of config.regions ?? []) {
    region.name = region.name === 'east' ? 'west' : 'east';
    for (const target of region.targets) {
      if (target.url !== undefined) target.url = target.url.replace('.west.', '.east.');
    }
  }
}

function withPodAddress(workload: KubernetesObject): void {
  for (const container of workload['spec'].template.spec.containers) {
    container.env.push({ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
  }
}
