/** The ports of the lab's processes, and whether they are free. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { LabError } from '../errors.ts';
import { REGION_NAMES, type RegionName } from './regions.ts';

/** Every process of the lab listens on loopback. */
export const LAB_HOST = '127.0.0.1';

/**
 * Ports for tests are below the range of outgoing connections (32768 and up on Linux), so that a killed process finds its
 * port free when it starts again.
 */
const TEST_PORT_RANGE = { first: 20_000, last: 31_999 } as const;

/** The default port of tier-1; every other port keeps its distance from it. */
export const DEFAULT_PORT_BASE = 8080;

/** Two for each broker: clients, then controller. */
const PORTS_PER_BROKER = 2;

export interface RegionPorts {
  gateway: number;
  gatewayAdmin: number;
  bridge: number;
}

export interface StackPorts {
  tier1: number;
  tier1Admin: number;
  /** Ports of an optional second tier-1 gateway. */
  secondTier1?: { gateway: number; admin: number };
  regions: Record<RegionName, RegionPorts>;
  /** Two for each broker: clients, then controller. */
  kafka: number[];
  /** The same of west's Kafka, in a stack with two clusters; `kafka` is then east's. */
  westKafka?: number[];
}

/** What a stack is made of, as far as its ports are concerned. */
export interface StackShape {
  brokerCount?: 1 | 3 | undefined;
  clusterCount?: 1 | 2 | undefined;
  hasSecondTier1?: boolean;
}

/** The documented ports, shifted so that tier-1 listens on `portBase`. */
export function defaultPorts(
  { brokerCount = 1, clusterCount = 1 }: StackShape,
  portBase: number = DEFAULT_PORT_BASE,
): StackPorts {
  const shifted = (port: number): number => port - DEFAULT_PORT_BASE + portBase;
  const kafka = (first: number): number[] =>
    Array.from({ length: PORTS_PER_BROKER * brokerCount }, (_, index) => shifted(first) + index);
  return {
    tier1: shifted(8080),
    tier1Admin: shifted(8081),
    regions: {
      east: { gateway: shifted(8180), gatewayAdmin: shifted(8181), bridge: shifted(8282) },
      west: { gateway: shifted(8280), gatewayAdmin: shifted(8281), bridge: shifted(8283) },
    },
    kafka: kafka(9092),
    ...(clusterCount === 2 ? { westKafka: kafka(9192) } : {}),
  };
}

/** Free ports for a whole stack, for tests and chaos. */
export async function findStackPorts({
  brokerCount = 1,
  clusterCount = 1,
  hasSecondTier1 = false,
}: StackShape = {}): Promise<StackPorts> {
  const tier1PortCount = hasSecondTier1 ? 4 : 2;
  const kafkaPortCount = PORTS_PER_BROKER * brokerCount;
  const free = await findFreePorts(tier1PortCount + 3 * REGION_NAMES.length + clusterCount * kafkaPortCount);
  const take = (): number => {
    const port = free.shift();
    if (port === undefined) throw new TypeError('too few ports');
    return port;
  };
  const takeRegion = (): RegionPorts => ({ gateway: take(), gatewayAdmin: take(), bridge: take() });
  return {
    tier1: take(),
    tier1Admin: take(),
    ...(hasSecondTier1 ? { secondTier1: { gateway: take(), admin: take() } } : {}),
    regions: { east: takeRegion(), west: takeRegion() },
    kafka: Array.from({ length: kafkaPortCount }, take),
    ...(clusterCount === 2 ? { westKafka: Array.from({ length: kafkaPortCount }, take) } : {}),
  };
}

/** A free base for `--port-base`, for tests: every port of the stack is free. */
export async function findPortBase(shape: StackShape = {}): Promise<number> {
  const span = Math.max(...describePorts(defaultPorts(shape, 0)).map(({ port }) => port));
  const width = TEST_PORT_RANGE.last - span - TEST_PORT_RANGE.first + 1;
  for (;;) {
    const base = TEST_PORT_RANGE.first + Math.floor(Math.random() * width);
    const ports = describePorts(defaultPorts(shape, base));
    const areFree = await Promise.all(ports.map(({ port }) => isPortFree(port)));
    if (!areFree.includes(false)) return base;
  }
}

/** The purpose of each port, for error messages. */
export function describePorts(ports: StackPorts): { port: number; purpose: string }[] {
  return [
    { port: ports.tier1, purpose: 'the tier-1 gateway' },
    { port: ports.tier1Admin, purpose: "the tier-1 gateway's admin API" },
    ...(ports.secondTier1 === undefined
      ? []
      : [
          { port: ports.secondTier1.gateway, purpose: 'the second tier-1 gateway' },
          { port: ports.secondTier1.admin, purpose: "the second tier-1 gateway's admin API" },
        ]),
    ...REGION_NAMES.flatMap((region) => [
      { port: ports.regions[region].gateway, purpose: `the ${region} gateway` },
      { port: ports.regions[region].gatewayAdmin, purpose: `the ${region} gateway's admin API` },
      { port: ports.regions[region].bridge, purpose: `the ${region} bridge` },
    ]),
    ...kafkaPurposes(ports.kafka, ports.westKafka === undefined ? 'Kafka' : "east's Kafka"),
    ...kafkaPurposes(ports.westKafka ?? [], "west's Kafka"),
  ];
}

function kafkaPurposes(ports: readonly number[], name: string): { port: number; purpose: string }[] {
  return ports.map((port, index) => ({
    port,
    purpose: index % PORTS_PER_BROKER === 0 ? name : `the controller of ${name}`,
  }));
}

/** Errors: `portInUse`, naming every port in use and its purpose. */
export async function assertPortsFree(ports: StackPorts): Promise<void> {
  const checked = await Promise.all(
    describePorts(ports).map(async (entry) => ({ ...entry, isFree: await isPortFree(entry.port) })),
  );
  const taken = checked.filter((entry) => !entry.isFree).map(({ port, purpose }) => `${port} (for ${purpose})`);
  if (taken.length === 0) return;
  const subject = taken.length === 1 ? `Port ${taken[0]} is` : `Ports ${taken.join(', ')} are`;
  throw new LabError(
    'portInUse',
    `${subject} already in use: stop the process that listens there, or move every port of the lab with --port-base N.`,
  );
}

/** Whether nothing listens on `port` of `host` (default loopback). */
export async function isPortFree(port: number, host: string = LAB_HOST): Promise<boolean> {
  // On macOS a listener on all addresses does not prevent one on loopback: only a connection shows it.
  return (await canListen(port, host)) && !(await acceptsConnections(port, host));
}

async function canListen(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Whether a TCP connection is accepted within `timeoutMs` (default 2,000). */
export function acceptsConnections(port: number, host: string = LAB_HOST, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const settle = (isAccepted: boolean): void => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

/** The port that this process found last. */
let lastPort: number | undefined;

/**
 * `count` different free ports on loopback. One after the other from a random one: two processes that look at the same time, before
 * anything listens, rarely get the same port.
 */
export async function findFreePorts(count: number): Promise<number[]> {
  const { first, last } = TEST_PORT_RANGE;
  const width = last - first + 1;
  const ports: number[] = [];
  lastPort ??= first + Math.floor(Math.random() * width);
  while (ports.length < count) {
    lastPort = first + ((lastPort + 1 - first) % width);
    const port = lastPort;
    if (await isPortFree(port)) ports.push(port);
  }
  return ports;
}
