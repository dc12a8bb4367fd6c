/** One whole scenario: its own stack, the fleet, the steps, the verdict. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FaultyGateway } from '../exactly-once/faulty-gateway.ts';
import type { KeyedSummary } from '../exactly-once/history-check.ts';
import { PlantedFaults } from '../exactly-once/planted-faults.ts';
import { MachinePace } from '../machine-pace.ts';
import { ensureTopics } from '../stack/kafka.ts';
import { findStackPorts } from '../stack/ports.ts';
import { RegionNetwork } from '../stack/region-network.ts';
import { REGION_NAMES } from '../stack/regions.ts';
import { type Stack, startStack } from '../stack/stack.ts';
import type { StackEvent } from '../stack/stack-options.ts';
import { type Adoptions, readAdoptions } from './adoptions.ts';
import { moveEast } from './apart.ts';
import { Dice } from './dice.ts';
import { Fleet, PARTITION_COUNT } from './fleet.ts';
import type { FleetSummary } from './fleet-ledger.ts';
import { Operator } from './operator.ts';
import type { Action, Plan, Scenario } from './scenario.ts';
import { faultsOf } from './verdict.ts';

/** With 20 records a second of each producer, TLS on every hop would keep two cores busy without any failure. */
const SECURE_RATE = 0.5;

const CONFIG = fileURLToPath(new URL('../../../../config', import.meta.url));

export interface RunOptions {
  seed: number;
  isLong: boolean;
  /** TLS on every hop. Default: false. */
  isSecure?: boolean | undefined;
  /** Producers send keys, and gateways make them for requests without one. Default: false. */
  isExactlyOnce?: boolean | undefined;
  /** For logs, YAML and Kafka's data; absolute. */
  directory: string;
  /** An existing Kafka, for scenarios that do not touch Kafka; not with `isSecure`. */
  bootstrap?: string | undefined;
  onAction?: ((action: Action) => void) | undefined;
  onEvent?: ((event: StackEvent) => void) | undefined;
}

export interface ScenarioResult {
  name: string;
  summary: FleetSummary;
  adoptions: Adoptions;
  /** With keys. */
  keyed: KeyedSummary | undefined;
  /** Violated claims. */
  faults: string[];
}

/** Errors: those of `startStack`, of the fleet's start and of the steps; after everything is stopped. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ScenarioResult> {
  return await onStackOf(scenario, options, (play) => play(scenario));
}

/**
 * Starts the stack that `scenario` needs for `use`, which may play it and others with the same needs, one after the other. The bridges
 * continue to count: the adoptions of a result include those before. Errors: as for `runScenario`, and those of `use`.
 */
export async function onStackOf<Value>(
  scenario: Scenario,
  options: RunOptions,
  use: (play: (scenario: Scenario) => Promise<ScenarioResult>) => Promise<Value>,
): Promise<Value> {
  const { directory, bootstrap, isSecure = false, isExactlyOnce } = options;
  const { brokerCount = 1, hasSecondTier1 = false, hasRegionNetwork = false } = scenario;
  const configDirectory = join(directory, 'config');
  mkdirSync(directory, { recursive: true });
  cpSync(join(CONFIG, isSecure ? 'secure' : 'demo'), configDirectory, { recursive: true });
  const ports = await findStackPorts({ brokerCount, hasSecondTier1 });
  const network = hasRegionNetwork ? await RegionNetwork.create() : undefined;
  try {
    const stack = await startStack({
      configDirectory,
      directory,
      brokerCount,
      isSecure,
      isExactlyOnce,
      ports,
      onEvent: options.onEvent,
      ...(network === undefined ? {} : moveEast(network, { configDirectory, ports, isSecure })),
      bootstrap: scenario.brokerCount === undefined && network === undefined && !isSecure ? bootstrap : undefined,
    });
    try {
      return await use((played) => play(played, { stack, network }, options));
    } finally {
      await stack.close();
    }
  } finally {
    await network?.close();
  }
}

interface Running {
  stack: Stack;
  network: RegionNetwork | undefined;
}

async function play(scenario: Scenario, running: Running, options: RunOptions): Promise<ScenarioResult> {
  const { name, plan, allowed } = scenario;
  const steps = plan(new Dice(options.seed), { isLong: options.isLong });
  const { summary, keyed, adoptions, slowness } = await underTraffic(scenario, { ...running, plan: steps }, options);
  return { name, summary, keyed, adoptions, faults: faultsOf({ summary, keyed, slowness }, allowed) };
}

async function startFaulty(urls: readonly string[], { kafka }: Stack, faults: PlantedFaults): Promise<FaultyGateway[]> {
  return await Promise.all(urls.map((url) => FaultyGateway.start(url, { kafka: kafka.access, faults })));
}

async function underTraffic(
  { hasLargeBodies, hasTwins, recordsPerSecond, plants = [] }: Scenario,
  { stack, network, plan }: Running & { plan: Plan },
  { onAction, isExactlyOnce, isSecure = false }: RunOptions,
): Promise<{ summary: FleetSummary; keyed: KeyedSummary | undefined; adoptions: Adoptions; slowness: number }> {
  const operator = new Operator(stack, network);
  const topic = `chaos-${randomBytes(4).toString('hex')}`;
  await ensureTopics(stack.kafka.access, [{ name: topic, partitionCount: PARTITION_COUNT }]);
  await operator.awaitWell();
  const keys = hasTwins ? 'twins' : 'each';
  const planted = new PlantedFaults(plants);
  const urls = stack.tier1s.map(({ url }) => url);
  const faulty = plants.length === 0 ? [] : await startFaulty(urls, stack, planted);
  const fleet = new Fleet({
    urls: faulty.length === 0 ? urls : faulty.map(({ url }) => url),
    tls: stack.credentials?.lab,
    kafka: stack.kafka.access,
    topic,
    hasLargeBodies,
    recordsPerSecond: recordsPerSecond && recordsPerSecond * (isSecure ? SECURE_RATE : 1),
    keys: isExactlyOnce ? keys : undefined,
    lostRecords: planted.lostRecords,
  });
  const pace = new MachinePace();
  try {
    await fleet.start();
    const startedAtMs = performance.now();
    const untilSecond = (second: number) => delay(Math.max(0, startedAtMs + second * 1_000 - performance.now()));
    for (const { atSecond, action } of plan.steps) {
      await untilSecond(atSecond);
      onAction?.(action);
      await operator.perform(action);
    }
    await untilSecond(plan.endSecond);
    await fleet.finish();
  } catch (error) {
    await fleet.abandon();
    throw error;
  } finally {
    pace.close();
    await Promise.all(faulty.map((gateway) => gateway.close()));
  }
  const bridgeUrls = REGION_NAMES.map((name) => stack.regions[name].bridge.url);
  const adoptions = await readAdoptions(bridgeUrls, stack.agent);
  return { summary: fleet.ledger.summarize(), keyed: fleet.keyed, adoptions, slowness: pace.slowness };
}
