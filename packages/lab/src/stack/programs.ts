/** The gateways and bridges of the demo system: program, YAML and environment. */
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Dispatcher } from 'undici';
import { LAB_HOST, type StackPorts } from './ports.ts';
import type { ProcessEvent, Reaper } from './process.ts';
import type { RegionName } from './regions.ts';
import { Service } from './service.ts';

const GATEWAY_PROGRAM = fileURLToPath(new URL('../../../gateway/src/main.ts', import.meta.url));
const BRIDGE_PROGRAM = fileURLToPath(new URL('../../../bridge/src/main.ts', import.meta.url));

/** The options of `npm run bridge`. */
export const BRIDGE_NODE_OPTIONS = ['--max-semi-space-size=8'] as const;

const BROKER_VARIABLE_COUNT = 3;

/** Shared by every program of a stack. */
export interface ProgramContext {
  ports: StackPorts;
  configDirectory: string;
  logDirectory: string;
  env: Readonly<Record<string, string>>;
  /** For regions that do not run on loopback. */
  regionHosts?: Readonly<Partial<Record<RegionName, RegionHost>>> | undefined;
  /** Of every API. */
  scheme: 'http' | 'https';
  /** Asks whether programs are ready. */
  agent: Dispatcher;
  reaper: Reaper;
  onEvent: (event: ProcessEvent) => void;
}

/** The host of a region. */
export interface RegionHost {
  address: string;
  /** The prefix of the command line of each of its programs. */
  commandPrefix: readonly [string, ...string[]];
}

/** A gateway also has an admin API, on its own port. */
export class Gateway extends Service {
  readonly admin: string;

  constructor(admin: string, spec: ConstructorParameters<typeof Service>[0]) {
    super(spec);
    this.admin = admin;
  }
}

export function tier1Gateway(context: ProgramContext): Gateway {
  const ports = { port: context.ports.tier1, admin: context.ports.tier1Admin };
  return gateway({ name: 'tier-1 gateway', file: 'tier1', ...ports }, context);
}

/** Another process with the same YAML, on its own ports. */
export function secondTier1Gateway(ports: { gateway: number; admin: number }, context: ProgramContext): Gateway {
  const { gateway: port, admin } = ports;
  return gateway(
    { name: 'second tier-1 gateway', file: 'tier1', log: 'second-tier1', port, admin },
    { ...context, env: { ...context.env, ...tier1Environment(port, admin) } },
  );
}

export function regionGateway(region: RegionName, context: ProgramContext): Gateway {
  const { gateway: port, gatewayAdmin: admin } = context.ports.regions[region];
  const host = context.regionHosts?.[region];
  return gateway({ name: `${region} gateway`, file: `${region}-gateway`, port, admin, host }, context);
}

interface GatewaySpec extends ProgramSpec {
  port: number;
  admin: number;
}

function gateway(spec: GatewaySpec, context: ProgramContext): Gateway {
  const { port, admin, host } = spec;
  const address = host?.address ?? LAB_HOST;
  const adminUrl = `${context.scheme}://${address}:${admin}`;
  return new Gateway(adminUrl, {
    ...program(spec, GATEWAY_PROGRAM, context),
    url: `${context.scheme}://${address}:${port}`,
    readyUrl: `${adminUrl}/ready`,
  });
}

export function regionBridge(region: RegionName, context: ProgramContext): Service {
  const host = context.regionHosts?.[region];
  const url = `${context.scheme}://${host?.address ?? LAB_HOST}:${context.ports.regions[region].bridge}`;
  const spec = { name: `${region} bridge`, file: `${region}-bridge`, host, nodeOptions: BRIDGE_NODE_OPTIONS };
  return new Service({
    ...program(spec, BRIDGE_PROGRAM, context),
    url,
    readyUrl: `${url}/ready`,
  });
}

interface ProgramSpec {
  name: string;
  /** Its YAML, without the extension. */
  file: string;
  /** Its log, without the extension; default: as the YAML. */
  log?: string;
  /** Default: loopback, without a prefix. */
  host?: RegionHost | undefined;
  /** Default: none. */
  nodeOptions?: readonly string[];
}

function program(
  { name, file, log = file, host, nodeOptions = [] }: ProgramSpec,
  main: string,
  context: ProgramContext,
) {
  const [command, ...args] =
    host === undefined ? ([process.execPath] as const) : ([...host.commandPrefix, process.execPath] as const);
  return {
    name,
    command,
    args: [...args, ...nodeOptions, main, '--config', join(context.configDirectory, `${file}.yaml`)],
    env: context.env,
    logFile: join(context.logDirectory, `${log}.log`),
    agent: context.agent,
    reaper: context.reaper,
    onEvent: context.onEvent,
  };
}

/** `host:port,…` of one Kafka, or of each region's own. */
export type KafkaAddresses = string | Readonly<Record<RegionName, string>>;

/** The variables that the demo YAML names: the lab moves ports and Kafka by them. */
export function programEnvironment(ports: StackPorts, kafka: KafkaAddresses): Record<string, string> {
  const { east, west } = ports.regions;
  return {
    ...tier1Environment(ports.tier1, ports.tier1Admin),
    EAST_GATEWAY_PORT: String(east.gateway),
    EAST_GATEWAY_ADMIN_PORT: String(east.gatewayAdmin),
    EAST_BRIDGE_PORT: String(east.bridge),
    WEST_GATEWAY_PORT: String(west.gateway),
    WEST_GATEWAY_ADMIN_PORT: String(west.gatewayAdmin),
    WEST_BRIDGE_PORT: String(west.bridge),
    ...(typeof kafka === 'string' ? brokerVariables(kafka) : { EAST_KAFKA: kafka.east, WEST_KAFKA: kafka.west }),
  };
}

function tier1Environment(port: number, adminPort: number): Record<string, string> {
  return { TIER1_PORT: String(port), TIER1_ADMIN_PORT: String(adminPort) };
}

/** The YAML lists a fixed number of brokers: fewer are repeated, and of more the first ones are enough. */
function brokerVariables(bootstrap: string): Record<string, string> {
  const brokers = bootstrap.split(',');
  return Object.fromEntries(
    Array.from({ length: BROKER_VARIABLE_COUNT }, (_, index) => [
      `KAFKA_BROKER_${index + 1}`,
      brokers[index % brokers.length] ?? bootstrap,
    ]),
  );
}
