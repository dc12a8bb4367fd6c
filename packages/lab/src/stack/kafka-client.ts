/** A kafkajs client: the independent reader that the lab and the tests check the bridge against. */
import { Kafka, logLevel } from 'kafkajs';

/** How clients reach a Kafka: `host:port,…` for one in plain text that asks no names, or also who they are. */
export type KafkaAccess = string | SecureAccess;

export interface SecureAccess {
  bootstrap: string;
  /** The authority that signs brokers' certificates, as PEM. */
  ca: string;
  /** For SCRAM-SHA-512. */
  username: string;
  password: string;
}

export function independentClient(access: KafkaAccess): Kafka {
  return new Kafka({
    clientId: 'causeway-lab',
    brokers: bootstrapOf(access).split(','),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 20 },
    ...securityOf(access),
  });
}

export function bootstrapOf(access: KafkaAccess): string {
  return typeof access === 'string' ? access : access.bootstrap;
}

function securityOf(access: KafkaAccess) {
  if (typeof access === 'string') return {};
  const { ca, username, password } = access;
  return { ssl: { ca }, sasl: { mechanism: 'scram-sha-512' as const, username, password } };
}
