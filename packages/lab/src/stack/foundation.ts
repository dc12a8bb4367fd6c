/** What a stack stands on: its credentials, its tenants, and Kafka. */
import { LabError } from '../errors.ts';
import type { Credentials } from '../secure/credentials.ts';
import type { Tenants } from '../tenants/tenants.ts';
import { ClusterPair, FIRST_ACTIVE } from './cluster-pair.ts';
import { copyConfig, EXACTLY_ONCE_SECTION } from './config-copy.ts';
import { type KafkaCluster, startKafka, useKafka } from './kafka.ts';
import type { StackPorts } from './ports.ts';
import type { Reaper } from './process.ts';
import type { StackDirectory } from './stack-directory.ts';
import type { StackOptions } from './stack-options.ts';

/** What a stack is made of, before its programs. */
export interface StackParts {
  options: StackOptions;
  ports: StackPorts;
  directory: StackDirectory;
  reaper: Reaper;
  credentials: Credentials | undefined;
  tenants: Tenants | undefined;
  /** The YAML of gateways and bridges. */
  configDirectory: string;
}

/** Of a secure stack. */
export async function credentialsFor(
  { isSecure = false, addresses = [], brokerCount = 1 }: StackOptions,
  directory: string,
): Promise<Credentials | undefined> {
  if (!isSecure) return undefined;
  // Its library takes a quarter of a second to load.
  const { Credentials } = await import('../secure/credentials.ts');
  return await Credentials.create({ directory, addresses, brokerCount });
}

/** The YAML that the programs read, before tenants are added. */
export function configFor(
  { isExactlyOnce = false }: StackOptions,
  { configDirectory, directory }: { configDirectory: string; directory: string },
): string {
  if (!isExactlyOnce) return configDirectory;
  copyConfig({ from: configDirectory, to: directory, sections: EXACTLY_ONCE_SECTION });
  return directory;
}

/** The tenants that the options ask for, and the YAML without them. */
export async function tenantsFor(
  { tenantCount }: StackOptions,
  paths: { directory: string; configDirectory: string },
): Promise<Tenants | undefined> {
  if (tenantCount === undefined) return undefined;
  const { Tenants } = await import('../tenants/tenants.ts');
  return await Tenants.create({ ...paths, count: tenantCount });
}

/** The Kafka of a stack, or both with what is between them; then `kafka` is that of the region that is active at first. */
export interface StackKafka {
  kafka: KafkaCluster;
  pair: ClusterPair | undefined;
}

/** Errors: see `startKafka`, `useKafka` and `ClusterPair.start`. */
export async function startOrUseKafka({
  options,
  ports,
  directory,
  reaper,
  credentials,
}: StackParts): Promise<StackKafka> {
  if (options.bootstrap !== undefined) return { kafka: await useKafka(options.bootstrap), pair: undefined };
  const common = {
    brokerCount: options.brokerCount ?? 1,
    directory: directory.kafka,
    logDirectory: directory.logs,
    reaper,
    onProgress: (text: string, isUpdate: boolean) => options.onEvent?.({ type: 'progress', text, isUpdate }),
    onEvent: options.onEvent,
    properties: options.kafkaProperties,
    credentials,
    signal: options.signal,
  };
  const { kafka: east, westKafka: west } = ports;
  if (west === undefined) return { kafka: await startKafka({ ...common, ports: east }), pair: undefined };
  const pair = await ClusterPair.start({ ...common, ports: { east, west }, peerPorts: options.peerPorts });
  return { kafka: pair.kafkas[FIRST_ACTIVE], pair };
}

/** The YAML of the repository for a stack. */
export function repositoryConfig({ isSecure = false, clusterCount = 1 }: StackOptions): string {
  if (isSecure) return 'config/secure';
  return clusterCount === 2 ? 'config/two-clusters' : 'config/demo';
}

/** Errors: `badArguments` for what does not go together. */
export function checkOptions({ clusterCount = 1, isSecure = false, bootstrap }: StackOptions): void {
  if (bootstrap !== undefined && isSecure)
    throw new LabError('badArguments', 'A secure lab starts a Kafka of its own.');
  if (bootstrap !== undefined && clusterCount === 2)
    throw new LabError('badArguments', 'A lab with two clusters starts its own.');
  if (isSecure && clusterCount === 2) throw new LabError('badArguments', 'A secure lab has one cluster.');
}
