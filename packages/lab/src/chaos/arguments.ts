/** The arguments of `npm run chaos -- …`. */
import { parseArgs } from 'node:util';
import { LabError } from '../errors.ts';
import { PLANTED_FAULTS, type PlantedFault } from '../exactly-once/planted-faults.ts';
import type { ClusterScenario } from './cluster-scenario.ts';
import { CLUSTER_SCENARIOS } from './cluster-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

export interface ChaosOptions {
  scenarios: readonly Scenario[];
  /** Undefined: any. */
  seed: number | undefined;
  isLong: boolean;
  /** TLS on every hop. */
  isSecure: boolean;
  /** Keys, and nothing stored twice. */
  isExactlyOnce: boolean;
  directory: string | undefined;
}

/** Of a run with two Kafka clusters. */
export interface ClusterChaosOptions extends Pick<ChaosOptions, 'seed' | 'directory'> {
  scenarios: readonly ClusterScenario[];
}

export type ChaosArguments =
  | { kind: 'help' }
  | { kind: 'list' }
  | { kind: 'run'; options: ChaosOptions }
  | { kind: 'clusters'; options: ClusterChaosOptions };

export const USAGE = `Usage: npm run chaos -- [options]

Kills, freezes, drains and restarts parts of a running system under traffic, and checks what clients noticed.

  --scenario NAME   only this one; may be repeated
  --seed N          the same victims and moments as in the run with this seed
  --long            more and longer failures, for about an hour
  --tls             with TLS on every hop, half of the clients over HTTP/2
  --exactly-once    producers send keys, some also repeat requests by themselves, and no record may be stored twice
  --plant FAULT     with --exactly-once: clients' way leads over a gateway that commits this fault, which the run must find;
                    ${PLANTED_FAULTS.join(', ')}; may be repeated
  --clusters        two Kafka clusters, of which one is active and the other one is filled by MirrorMaker; with scenarios of its own
  --list            the scenarios
  --directory DIR   for logs, YAML and Kafka's data (default .causeway/chaos in the repository)
  --help            this text`;

/** Errors: `badArguments`, in one sentence. */
export function parseChaosArguments(argv: readonly string[]): ChaosArguments {
  const values = readOptions(argv);
  if (values.help === true) return { kind: 'help' };
  if (values.list === true) return { kind: 'list' };
  const { scenario: names, seed: seedText, directory } = values;
  const seed = seedText === undefined ? undefined : readSeed(seedText);
  if (values.clusters === true) {
    for (const other of ['tls', 'exactly-once', 'plant', 'long'] as const) {
      if (values[other] !== undefined) throw new LabError('badArguments', `--${other} does not work with --clusters.`);
    }
    const scenarios = names === undefined ? CLUSTER_SCENARIOS : names.map(clusterScenarioOf);
    return { kind: 'clusters', options: { scenarios, seed, directory } };
  }
  const plants = readPlants(values);
  const chosen = names === undefined ? SCENARIOS : names.map(scenarioOf);
  return {
    kind: 'run',
    options: {
      scenarios: plants.length === 0 ? chosen : chosen.map((scenario) => ({ ...scenario, plants })),
      seed,
      isLong: values.long === true,
      isSecure: values.tls === true,
      isExactlyOnce: values['exactly-once'] === true,
      directory,
    },
  };
}

function readOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        scenario: { type: 'string', multiple: true },
        seed: { type: 'string' },
        long: { type: 'boolean' },
        tls: { type: 'boolean' },
        'exactly-once': { type: 'boolean' },
        plant: { type: 'string', multiple: true },
        clusters: { type: 'boolean' },
        list: { type: 'boolean' },
        directory: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (cause) {
    throw new LabError('badArguments', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function readPlants({ plant: names = [], tls, ...values }: ReturnType<typeof readOptions>): PlantedFault[] {
  const refuse = (message: string): never => {
    throw new LabError('badArguments', message);
  };
  if (names.length > 0 && values['exactly-once'] !== true) refuse('--plant needs --exactly-once.');
  if (names.length > 0 && tls === true) refuse('--plant does not work with --tls.');
  return names.map(
    (name) =>
      PLANTED_FAULTS.find((fault) => fault === name) ??
      refuse(`--plant ${name}: must be ${PLANTED_FAULTS.join(', ')}.`),
  );
}

/** Errors: `badArguments` for an unknown name. */
export function scenarioOf(name: string): Scenario {
  return named(SCENARIOS, name);
}

/** Of those with two clusters. Errors: `badArguments` for an unknown name. */
export function clusterScenarioOf(name: string): ClusterScenario {
  return named(CLUSTER_SCENARIOS, name);
}

function named<Named extends { name: string }>(scenarios: readonly Named[], name: string): Named {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new LabError('badArguments', `There is no scenario ${name}; --list names them.`);
  return scenario;
}

/** The largest seed of `Dice`. */
const MAX_SEED = 2 ** 32 - 1;

function readSeed(text: string): number {
  const seed = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(seed <= MAX_SEED))
    throw new LabError('badArguments', `--seed ${text}: must be a whole number up to ${MAX_SEED}.`);
  return seed;
}
