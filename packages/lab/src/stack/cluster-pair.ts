/** The Kafkas of a stack with two clusters, one in each region, and the replication from one to the other. */
import { join } from 'node:path';
import { LabError } from '../errors.ts';
import { type KafkaCluster, type KafkaOptions, startKafka } from './kafka.ts';
import { type BrokerProperties, DEFAULT_CLUSTER_ID } from './kafka-broker.ts';
import { resolveMirrorRuntime } from './kafka-runtime.ts';
import type { Direction } from './mirror-maker.ts';
import { type PeerPorts, peerAddress, peerProperties } from './peer-link.ts';
import { REGION_NAMES, type RegionName } from './regions.ts';
import { Replication } from './replication.ts';

/** The cluster that is active at first: `clusters.active` in the YAML. */
export const FIRST_ACTIVE: RegionName = 'east';
/** `causeway-lab-002`. */
const WEST_CLUSTER_ID = 'Y2F1c2V3YXktbGFiLTAwMg';

export type PeerPortsOf = Readonly<Record<RegionName, PeerPorts>>;

export interface ClusterPairOptions extends Omit<KafkaOptions, 'ports' | 'clusterName' | 'clusterId' | 'properties'> {
  ports: Readonly<Record<RegionName, readonly number[]>>;
  properties?: BrokerProperties | undefined;
  /** Given: the other region reaches each Kafka over a `PeerLink`, which the caller starts. With one broker each. */
  peerPorts?: PeerPortsOf | undefined;
}

export class ClusterPair {
  readonly kafkas: Readonly<Record<RegionName, KafkaCluster>>;
  readonly replication: Replication;

  readonly #peerPorts: PeerPortsOf | undefined;

  private constructor(
    kafkas: Record<RegionName, KafkaCluster>,
    { replication, peerPorts }: { replication: Replication; peerPorts: PeerPortsOf | undefined },
  ) {
    this.kafkas = kafkas;
    this.replication = replication;
    this.#peerPorts = peerPorts;
  }

  /** Starts both; nothing is replicated yet. Errors: those of `startKafka` and `resolveMirrorRuntime`. */
  static async start(options: ClusterPairOptions): Promise<ClusterPair> {
    const { ports, peerPorts, directory, logDirectory, reaper, onEvent } = options;
    const runtime = await resolveMirrorRuntime(options);
    const start = (name: RegionName): Promise<KafkaCluster> =>
      startKafka({
        ...options,
        ports: ports[name],
        properties: { ...options.properties, ...(peerPorts && peerProperties(ports[name], peerPorts[name])) },
        clusterName: `${name} Kafka`,
        clusterId: name === 'east' ? DEFAULT_CLUSTER_ID : WEST_CLUSTER_ID,
        directory: join(directory, name),
      });
    const [east, west] = await bothOrNone(REGION_NAMES.map(start));
    const replication = new Replication({ directory, logDirectory, runtime, reaper, onEvent });
    return new ClusterPair({ east, west }, { replication, peerPorts });
  }

  get addresses(): Record<RegionName, string> {
    return { east: this.kafkas.east.bootstrap, west: this.kafkas.west.bootstrap };
  }

  /** MirrorMaker runs beside its target. */
  direction(source: RegionName): Direction {
    const target = otherThan(source);
    const peer = this.#peerPorts?.[source];
    return {
      source: { name: source, bootstrap: peer === undefined ? this.kafkas[source].bootstrap : peerAddress(peer) },
      target: { name: target, bootstrap: this.kafkas[target].bootstrap },
    };
  }

  isUp(region: RegionName): boolean {
    return this.kafkas[region].brokers.every((broker) => broker.isRunning);
  }

  /** SIGKILL to every broker of the region. */
  async kill(region: RegionName): Promise<void> {
    await Promise.all(this.kafkas[region].brokers.map((broker) => broker.kill()));
  }

  /** Starts its brokers again, with their data. */
  async restore(region: RegionName): Promise<void> {
    await Promise.all(this.kafkas[region].brokers.map((broker) => broker.start()));
  }

  async stop(): Promise<void> {
    await this.replication.stop();
    await Promise.all(REGION_NAMES.map((name) => this.kafkas[name].stop()));
  }
}

export function otherThan(region: RegionName): RegionName {
  return region === 'east' ? 'west' : 'east';
}

/** Kills the one that started if the other one did not. */
async function bothOrNone(starts: Promise<KafkaCluster>[]): Promise<[KafkaCluster, KafkaCluster]> {
  const results = await Promise.allSettled(starts);
  const [first, second] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (first !== undefined && second !== undefined) return [first, second];
  await first?.kill();
  const failed = results.find((result) => result.status === 'rejected');
  throw failed?.reason ?? new LabError('startFailed', 'Two clusters need two regions.');
}
