/** A Kafka that knows its clients: TLS and SCRAM-SHA-512 on the clients' listener, client certificates between controllers, and ACLs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Credentials } from '../secure/credentials.ts';
import { BROKER_NAME, KAFKA_ADMIN } from '../secure/names.ts';
import type { SecureAccess } from './kafka-client.ts';
import { LAB_HOST } from './ports.ts';

const MECHANISM = 'SCRAM-SHA-512';
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule';
/** The protocol and the name of the clients' listener. */
export const SECURE_PROTOCOL = 'SASL_SSL';
const SECRET_MODE = 0o600;

/** The lab's access to its own Kafka: it may do everything. */
export function adminAccess(bootstrap: string, { lab, kafkaPasswords }: Credentials): SecureAccess {
  return { bootstrap, ca: lab.ca, username: KAFKA_ADMIN, password: kafkaPasswords[KAFKA_ADMIN] ?? '' };
}

/** Replaces the listeners in plain text. Brokers speak to each other as clients do, as the user `admin`. */
export function securityProperties(
  credentials: Credentials,
  { id, clientPort, controllerPort }: { id: number; clientPort: number; controllerPort: number },
): Record<string, string> {
  const password = credentials.kafkaPasswords[KAFKA_ADMIN];
  const listener = `listener.name.${SECURE_PROTOCOL.toLowerCase()}`;
  return {
    listeners: `${SECURE_PROTOCOL}://${LAB_HOST}:${clientPort},CONTROLLER://${LAB_HOST}:${controllerPort}`,
    'advertised.listeners': `${SECURE_PROTOCOL}://${LAB_HOST}:${clientPort}`,
    // Controllers cannot use SCRAM among themselves: its users are in the metadata that they replicate.
    'listener.security.protocol.map': `${SECURE_PROTOCOL}:${SECURE_PROTOCOL},CONTROLLER:SSL`,
    'listener.name.controller.ssl.client.auth': 'required',
    'inter.broker.listener.name': SECURE_PROTOCOL,
    'sasl.enabled.mechanisms': MECHANISM,
    'sasl.mechanism.inter.broker.protocol': MECHANISM,
    [`${listener}.${MECHANISM.toLowerCase()}.sasl.jaas.config`]: `${SCRAM_MODULE} required username="${KAFKA_ADMIN}" password="${password}";`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': credentials.brokerFile(id),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': credentials.caFile,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': `User:${KAFKA_ADMIN};User:CN=${BROKER_NAME}`,
  };
}

/** Arguments that give a new storage its users. They are in a file: every user of the machine sees a command line. */
export function userArguments({ kafkaPasswords, directory }: Credentials): string[] {
  const lines = Object.entries(kafkaPasswords).flatMap(([user, password]) => [
    '--add-scram',
    `${MECHANISM}=[name=${user},password=${password}]`,
  ]);
  const file = join(directory, 'kafka-users.arguments');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: SECRET_MODE });
  return [`@${file}`];
}
