/** The system for scenarios with two Kafka clusters: two tier-1 gateways, and links between the clusters that can be cut. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import type { ClusterPair, PeerPortsOf } from '../stack/cluster-pair.ts';
import { PeerLink, peerAddress } from '../stack/peer-link.ts';
import { findFreePorts, findStackPorts } from '../stack/ports.ts';
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';
import { type Stack, startStack } from '../stack/stack.ts';
import type { StackEvent } from '../stack/stack-options.ts';
import { PROMOTE_AFTER_MS } from './cluster-scenarios.ts';
import { otherRegion } from './dice.ts';

/** A request for registration takes no longer than this: with the lab's short one, a broker that returns to a busy machine asks again and again. */
const KAFKA_PROPERTIES = { 'broker.heartbeat.interval.ms': '1000' };

const CONFIG = fileURLToPath(new URL('../../../../config/two-clusters', import.meta.url));

export interface ClusterStage {
  stack: Stack;
  pair: ClusterPair;
  /** The way to each cluster from the other region. */
  links: Readonly<Record<RegionName, PeerLink>>;
}

export interface StageOptions {
  /** For logs, YAML and Kafka's data; absolute. */
  directory: string;
  onEvent?: ((event: StackEvent) => void) | undefined;
}

/** Errors: those of `startStack`, and those of `use`; after everything is stopped. */
export async function onClusterStage<Value>(
  { directory, onEvent }: StageOptions,
  use: (stage: ClusterStage) => Promise<Value>,
): Promise<Value> {
  const configDirectory = join(directory, 'config');
  mkdirSync(directory, { recursive: true });
  cpSync(CONFIG, configDirectory, { recursive: true });
  const ports = await findStackPorts({ clusterCount: 2, hasSecondTier1: true });
  const peerPorts = await findPeerPorts();
  for (const name of REGION_NAMES) leadOverLink(join(configDirectory, `${name}-bridge.yaml`), { peerPorts, name });
  const links = { east: await PeerLink.start(peerPorts.east), west: await PeerLink.start(peerPorts.west) };
  try {
    const env = { PROMOTE_AFTER_MS: String(PROMOTE_AFTER_MS) };
    const kafka = { ports, peerPorts, kafkaProperties: KAFKA_PROPERTIES, clusterCount: 2 as const };
    const stack = await startStack({ configDirectory, directory, env, onEvent, ...kafka });
    try {
      const { pair } = stack;
      if (pair === undefined) throw new LabError('startFailed', 'The stack has one cluster.');
      return await use({ stack, pair, links });
    } finally {
      await stack.close();
    }
  } finally {
    await Promise.all(REGION_NAMES.map((name) => links[name].close()));
  }
}

async function findPeerPorts(): Promise<PeerPortsOf> {
  const [eastListener = 0, eastLink = 0, westListener = 0, westLink = 0] = await findFreePorts(4);
  return { east: { listener: eastListener, link: eastLink }, west: { listener: westListener, link: westLink } };
}

/** The bridge reaches its peer over the link. */
function leadOverLink(file: string, { peerPorts, name }: { peerPorts: PeerPortsOf; name: RegionName }): void {
  const peer = otherRegion(name);
  const variable = new RegExp(`\\$\\{${peer.toUpperCase()}_KAFKA[^}]*\\}`, 'g');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(variable, peerAddress(peerPorts[peer])));
}
