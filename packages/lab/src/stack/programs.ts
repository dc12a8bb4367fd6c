/** The gateways and bridges of the demo system: which program, which YAML, which environment. */
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { LAB_HOST, type StackPorts } from './ports.ts';
import type { ProcessEvent, Reaper } from './process.ts';
import type { RegionName } from './regions.ts';
import { Service } from './service.ts';

const GATEWAY_PROGRAM = fileURLToPath(new URL('../../../gateway/src/main.ts', import.meta.url));
const BRIDGE_PROGRAM = fileURLToPath(new URL('../../../bridge/src/main.ts', import.meta.url));

const BROKER_VARIABLE_COUNT = 3;

/** What every program of a stack shares. */
export interface ProgramContext {
  ports: StackPorts;
  configDirectory: string;
  logDirectory: string;
  env: Readonly<Record<string, string>>;
  reaper: Reaper;
  onEvent: (event: ProcessEvent) => void;
}

/** A gateway also has an admin API, on a port of its own. */
export class Gateway extends Service {
  readonly admin: string;

  constructor(admin: string, spec: ConstructorParameters<typeof Service>[0]) {
    super(spec);
    this.admin = admin;
  }
}

export function tier1Gateway(context: ProgramContext): Gateway {
  return gateway('tier-1 gateway', 'tier1', { port: context.ports.tier1, admin: context.ports.tier1Admin }, context);
}

export function regionGateway(region: RegionName, context: ProgramContext): Gateway {
  const ports = context.ports.regions[region];
  return gateway(`${region} gateway`, `${region}-gateway`, { port: ports.gateway, admin: ports.gatewayAdmin }, context);
}

function gateway(
  name: string,
  file: string,
  { port, admin }: { port: number; admin: number },
  context: ProgramContext,
): Gateway {
  const adminUrl = `http://${LAB_HOST}:${admin}`;
  return new Gateway(adminUrl, {
    ...program(name, file, GATEWAY_PROGRAM, context),
    url: `http://${LAB_HOST}:${port}`,
    readyUrl: `${adminUrl}/ready`,
  });
}

export function regionBridge(region: RegionName, context: ProgramContext): Service {
  const url = `http://${LAB_HOST}:${context.ports.regions[region].bridge}`;
  return new Service({
    ...program(`${region} bridge`, `${region}-bridge`, BRIDGE_PROGRAM, context),
    url,
    readyUrl: `${url}/ready`,
  });
}

function program(name: string, file: string, main: string, context: ProgramContext) {
  return {
    name,
    command: process.execPath,
    args: [main, '--config', join(context.configDirectory, `${file}.yaml`)],
    env: context.env,
    logFile: join(context.logDirectory, `${file}.log`),
    reaper: context.reaper,
    onEvent: context.onEvent,
  };
}

/** The variables that the demo YAML names: the lab moves ports and Kafka by them. */
export function programEnvironment(ports: StackPorts, bootstrap: string): Record<string, string> {
  const { east, west } = ports.regions;
  return {
    TIER1_PORT: String(ports.tier1),
    TIER1_ADMIN_PORT: String(ports.tier1Admin),
    EAST_GATEWAY_PORT: String(east.gateway),
    EAST_GATEWAY_ADMIN_PORT: String(east.gatewayAdmin),
    EAST_BRIDGE_PORT: String(east.bridge),
    WEST_GATEWAY_PORT: String(west.gateway),
    WEST_GATEWAY_ADMIN_PORT: String(west.gatewayAdmin),
    WEST_BRIDGE_PORT: String(west.bridge),
    ...brokerVariables(bootstrap),
  };
}

/** The YAML lists a fixed number of brokers: fewer are named repeatedly, and of more the first will do. */
function brokerVariables(bootstrap: string): Record<string, string> {
  const brokers = bootstrap.split(',');
  return Object.fromEntries(
    Array.from({ length: BROKER_VARIABLE_COUNT }, (_, index) => [
      `KAFKA_BROKER_${index + 1}`,
      brokers[index % brokers.length] ?? bootstrap,
    ]),
  );
}
