/** The whole system on one machine: Kafka, or one for each region, two regions with a bridge and a gateway each, and the tier-1 gateway. */
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Agent } from 'undici';
import { agentFor } from '../secure/client-tls.ts';
import type { Credentials } from '../secure/credentials.ts';
import type { Tenants } from '../tenants/tenants.ts';
import { cacheDirectory } from './cache-directory.ts';
import type { ClusterPair } from './cluster-pair.ts';
import {
  checkOptions,
  configFor,
  credentialsFor,
  repositoryConfig,
  type StackKafka,
  type StackParts,
  startOrUseKafka,
  tenantsFor,
} from './foundation.ts';
import { ensureTopics, type KafkaCluster } from './kafka.ts';
import { allOrNone } from './parallel.ts';
import { assertPortsFree, defaultPorts, type StackPorts } from './ports.ts';
import { Reaper } from './process.ts';
import {
  type Gateway,
  type ProgramContext,
  programEnvironment,
  regionBridge,
  regionGateway,
  secondTier1Gateway,
  tier1Gateway,
} from './programs.ts';
import { REGION_NAMES, type RegionName } from './regions.ts';
import { ReplicationFollower } from './replication-follower.ts';
import type { Service } from './service.ts';
import { type GatewayEntry, type KafkaEntry, StackDirectory, type StackFile } from './stack-directory.ts';
import type { StackEvent, StackOptions } from './stack-options.ts';
import { stackTopics } from './topics.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

const ADMIN_TOKEN_BYTES = 24;
const TRUST_SECRET_BYTES = 32;

export interface Region {
  readonly gateway: Gateway;
  readonly bridge: Service;
}

/**
 * Starts everything and waits until each part is ready; stops everything before it throws.
 * Errors: `alreadyRunning`, `badArguments`, `portInUse`, `kafkaUnreachable`, `noKafkaRuntime`, `downloadFailed`,
 * `startFailed`, `startTimedOut`.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const ports = options.ports ?? defaultPorts(options);
  const directory = new StackDirectory(resolve(options.directory ?? join(ROOT, '.causeway')));
  let reaper: Reaper | undefined;
  let stack: Stack | undefined;
  const onEvent = (event: StackEvent): void => {
    stack?.refreshStackFile();
    options.onEvent?.(event);
  };
  try {
    checkOptions(options);
    await assertPortsFree(options.bootstrap === undefined ? ports : { ...ports, kafka: [] });
    reaper = new Reaper();
    // A killed lab must not leave a file that says that it runs.
    reaper.atEnd(['rm', '-rf', ...directory.claims]);
    const credentials = await credentialsFor(options, directory.path);
    const plain = resolve(options.configDirectory ?? join(ROOT, repositoryConfig(options)));
    const given = configFor(options, { configDirectory: plain, directory: directory.exactlyOnce });
    const tenants = await tenantsFor(options, { directory: directory.tenants, configDirectory: given });
    const configDirectory = tenants?.configDirectory ?? given;
    const kept = { ...options, onEvent };
    const parts: StackParts = { options: kept, ports, directory, reaper, credentials, tenants, configDirectory };
    stack = new Stack(parts, await startOrUseKafka(parts));
    await stack.start(options.signal);
    return stack;
  } catch (error) {
    if (stack !== undefined) {
      await stack.close();
    } else {
      await reaper?.close();
      directory.release();
    }
    throw error;
  }
}

/** A running system. Its creator calls `close`. */
export class Stack {
  readonly kafka: KafkaCluster;
  /** Of a stack with two clusters. */
  readonly pair: ClusterPair | undefined;
  readonly tier1: Gateway;
  /** Present if the ports name it. */
  readonly secondTier1: Gateway | undefined;
  readonly regions: Readonly<Record<RegionName, Region>>;
  readonly ports: StackPorts;
  /** Absolute. */
  readonly configDirectory: string;
  readonly directory: StackDirectory;
  /** The bearer token of every gateway's admin API, generated at each start. */
  readonly adminToken: string;
  /** The secret that gateways show to each other and to bridges, generated at each start. */
  readonly trustSecret = randomBytes(TRUST_SECRET_BYTES).toString('base64url');
  /** Of a secure stack. */
  readonly credentials: Credentials | undefined;
  /** Of a stack with tenants. */
  readonly tenants: Tenants | undefined;
  /** For requests of the lab itself, which every program accepts. */
  readonly agent: Agent;
  /** Of a stack with two clusters. */
  readonly replication: ReplicationFollower | undefined;
  readonly #reaper: Reaper;
  #isUp = false;
  #closing: Promise<void> | undefined;

  /** For {@link startStack}. */
  constructor(parts: StackParts, { kafka, pair }: StackKafka) {
    const { options, ports, directory, reaper, credentials, tenants, configDirectory } = parts;
    this.kafka = kafka;
    this.pair = pair;
    this.ports = ports;
    this.directory = directory;
    this.configDirectory = configDirectory;
    this.credentials = credentials;
    this.tenants = tenants;
    this.adminToken = credentials?.adminTokens.operator ?? randomBytes(ADMIN_TOKEN_BYTES).toString('base64url');
    this.agent = agentFor(credentials?.lab);
    this.#reaper = reaper;
    const context: ProgramContext = {
      ports,
      configDirectory,
      logDirectory: directory.logs,
      regionHosts: options.regionHosts,
      env: {
        // Compiling takes half of a start.
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(cacheDirectory(), 'compiled'),
        ...options.env,
        ...programEnvironment(ports, pair?.addresses ?? kafka.bootstrap),
        CAUSEWAY_ADMIN_TOKEN: this.adminToken,
        ...(credentials === undefined
          ? { CAUSEWAY_TRUST_SECRET: this.trustSecret }
          : { CAUSEWAY_CA: credentials.caFile, CAUSEWAY_TLS: credentials.directory }),
      },
      scheme: credentials === undefined ? 'http' : 'https',
      agent: this.agent,
      reaper,
      onEvent: (event) => options.onEvent?.(event),
    };
    const region = (name: RegionName): Region => ({
      gateway: regionGateway(name, context),
      bridge: regionBridge(name, context),
    });
    this.regions = { east: region('east'), west: region('west') };
    this.tier1 = tier1Gateway(context);
    this.replication =
      pair &&
      new ReplicationFollower({
        pair,
        bridgeUrls: { east: this.regions.east.bridge.url, west: this.regions.west.bridge.url },
        agent: this.agent,
        secret: this.trustSecret,
        onError: (text) => options.onEvent?.({ type: 'progress', text, isUpdate: false }),
      });
    this.secondTier1 = ports.secondTier1 && secondTier1Gateway(ports.secondTier1, context);
  }

  /** The tier-1 gateways, one or two. */
  get tier1s(): Gateway[] {
    return this.secondTier1 === undefined ? [this.tier1] : [this.tier1, this.secondTier1];
  }

  /** Everything except Kafka, tier-1 first. */
  get services(): Service[] {
    return [...this.tier1s, ...this.#regionGateways(), ...this.#bridges()];
  }

  /** For {@link startStack}: starts everything except Kafka, in parallel. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    await allOrNone(
      [
        () => ensureTopics(this.kafka.access, stackTopics(this.tenants)),
        ...this.services.map((service) => (serviceSignal: AbortSignal) => service.start(serviceSignal)),
      ],
      signal,
    );
    await this.replication?.start(signal);
    this.#isUp = true;
    this.refreshStackFile();
  }

  /** For {@link startStack}: writes the file, which exists from the end of the start until `close`. */
  refreshStackFile(): void {
    if (this.#isUp) this.directory.write(this.#describe());
  }

  isRegionUp(name: RegionName): boolean {
    const { gateway, bridge } = this.regions[name];
    return gateway.isRunning && bridge.isRunning && (this.pair?.isUp(name) ?? true);
  }

  /** SIGKILL of a region's gateway, bridge and own Kafka at the same moment; a Kafka that both regions share keeps running. */
  async killRegion(name: RegionName): Promise<void> {
    const { gateway, bridge } = this.regions[name];
    await Promise.all([gateway.kill(), bridge.kill(), this.pair?.kill(name)]);
  }

  /** Starts the parts of a region that do not run, and waits until they are ready. */
  async restoreRegion(name: RegionName): Promise<void> {
    const { gateway, bridge } = this.regions[name];
    await this.pair?.restore(name);
    await allOrNone([gateway, bridge].map((service) => (signal) => service.start(signal)));
  }

  /** Stops everything in order, tier-1 first and Kafka last. May be called again, also while it runs. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isUp = false;
    this.directory.removeStackFile();
    await this.replication?.close();
    await Promise.all(this.tier1s.map((gateway) => gateway.close()));
    await Promise.all(this.#regionGateways().map((gateway) => gateway.close()));
    await Promise.all(this.#bridges().map((bridge) => bridge.close()));
    await this.agent.destroy();
    await (this.pair ?? this.kafka).stop();
    await this.#reaper.close();
    this.directory.release();
  }

  #regionGateways(): Gateway[] {
    return REGION_NAMES.map((name) => this.regions[name].gateway);
  }

  #bridges(): Service[] {
    return REGION_NAMES.map((name) => this.regions[name].bridge);
  }

  #secrets(): Pick<StackFile, 'trustSecret' | 'tls'> {
    const { credentials } = this;
    if (credentials === undefined) return { trustSecret: this.trustSecret };
    return { tls: { caFile: credentials.caFile, ...credentials.labFiles } };
  }

  #describe(): StackFile {
    const gatewayEntry = (gateway: Gateway): GatewayEntry => ({
      url: gateway.url,
      admin: gateway.admin,
      pid: gateway.pid ?? null,
    });
    const regionEntry = ({ gateway, bridge }: Region): StackFile['regions'][RegionName] => ({
      gateway: gatewayEntry(gateway),
      bridge: { url: bridge.url, pid: bridge.pid ?? null },
    });
    return {
      kafka: kafkaEntry(this.kafka),
      ...(this.pair && {
        clusters: { east: kafkaEntry(this.pair.kafkas.east), west: kafkaEntry(this.pair.kafkas.west) },
      }),
      tier1: { ...gatewayEntry(this.tier1), adminToken: this.adminToken },
      regions: { east: regionEntry(this.regions.east), west: regionEntry(this.regions.west) },
      config: this.configDirectory,
      ...(this.tenants && { tenants: this.tenants.clients.map(({ name, tokenFile }) => ({ name, tokenFile })) }),
      ...this.#secrets(),
    };
  }
}

function kafkaEntry({ bootstrap, brokers }: KafkaCluster): KafkaEntry {
  return { bootstrap, pids: brokers.filter((broker) => broker.isRunning).map((broker) => broker.process.pid) };
}
