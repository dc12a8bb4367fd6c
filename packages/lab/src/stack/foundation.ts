/** What a stack stands on: its credentials, its tenants, and Kafka. */
import { LabError } from '../errors.ts';
import type { Credentials } from '../secure/credentials.ts';
import type { Tenants } from '../tenants/tenants.ts';
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

/** Of a secure stack. Errors: `badArguments` with a Kafka that the lab did not start. */
export async function credentialsFor(
  { isSecure = false, addresses = [], brokerCount = 1, bootstrap }: StackOptions,
  directory: string,
): Promise<Credentials | undefined> {
  if (!isSecure) return undefined;
  if (bootstrap !== undefined) throw new LabError('badArguments', 'A secure lab starts a Kafka of its own.');
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

/** Errors: see `startKafka` and `useKafka`. */
export async function startOrUseKafka({
  options,
  ports,
  directory,
  reaper,
  credentials,
}: StackParts): Promise<KafkaCluster> {
  if (options.bootstrap !== undefined) return await useKafka(options.bootstrap);
  return await startKafka({
    brokerCount: options.brokerCount ?? 1,
    ports: ports.kafka,
    directory: directory.kafka,
    logDirectory: directory.logs,
    reaper,
    onProgress: (text, isUpdate) => options.onEvent?.({ type: 'progress', text, isUpdate }),
    onEvent: options.onEvent,
    properties: options.kafkaProperties,
    credentials,
    signal: options.signal,
  });
}
