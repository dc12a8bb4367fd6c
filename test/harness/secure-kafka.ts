/** A Kafka with TLS and SASL for a test: one broker with a listener for each way to connect. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaCluster, startKafka } from '@causeway/lab/stack/kafka.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { type CertifiedKey, TestAuthority } from './certificates.ts';
import { type ScramMechanism, setScramUser } from './kafka-settings.ts';
import { PATIENT_BROKER } from './own-kafka.ts';

/** What a listener requires of clients. */
const LISTENERS = {
  /** The server's certificate is for this address and for localhost. */
  tls: 'SSL',
  /** The server's certificate is for {@link NAMED_SERVER} alone. */
  named: 'SSL',
  /** Clients must have a certificate. */
  mutual: 'SSL',
  /** Every mechanism. */
  sasltls: 'SASL_SSL',
  /** Every mechanism. */
  sasl: 'SASL_PLAINTEXT',
  /** PLAIN and OAUTHBEARER; clients authenticate again within {@link SESSION_MS}. */
  brief: 'SASL_SSL',
} as const;

export type SecureListener = keyof typeof LISTENERS;

export const NAMED_SERVER = 'kafka.test';
export const SESSION_MS = 2000;
/** For PLAIN. {@link SecureKafka.setScramPassword} creates SCRAM users. */
export const PLAIN_USER = { username: 'plain-user', password: 'plain-secret,=1' } as const;

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
const MODULES = {
  PLAIN: `org.apache.kafka.common.security.plain.PlainLoginModule required user_${PLAIN_USER.username}=${JSON.stringify(PLAIN_USER.password)};`,
  'SCRAM-SHA-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'SCRAM-SHA-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  // Without a configured callback handler, brokers accept unsigned tokens.
  OAUTHBEARER:
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
} as const;

export class SecureKafka {
  /** Signs the brokers' certificates. A client with a certificate from it is accepted. */
  readonly authority: TestAuthority;
  readonly directory: string;
  readonly cluster: KafkaCluster;
  readonly #reaper: Reaper;
  readonly #ports: Readonly<Record<SecureListener, number>>;

  private constructor(parts: {
    authority: TestAuthority;
    directory: string;
    cluster: KafkaCluster;
    reaper: Reaper;
    ports: Readonly<Record<SecureListener, number>>;
  }) {
    this.authority = parts.authority;
    this.directory = parts.directory;
    this.cluster = parts.cluster;
    this.#reaper = parts.reaper;
    this.#ports = parts.ports;
  }

  static async start(): Promise<SecureKafka> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-secure-kafka-'));
    const reaper = new Reaper();
    const authority = await TestAuthority.create(directory);
    const names = Object.keys(LISTENERS) as SecureListener[];
    const [clientPort = 0, controllerPort = 0, ...rest] = await findFreePorts(2 + names.length);
    const ports = Object.fromEntries(names.map((name, index) => [name, rest[index]])) as Record<SecureListener, number>;
    const broker = await authority.certify('broker', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const named = await authority.certify('named-broker', { dns: [NAMED_SERVER] });
    const cluster = await startKafka({
      brokerCount: 1,
      ports: [clientPort, controllerPort],
      directory,
      reaper,
      onProgress: () => {},
      properties: {
        ...PATIENT_BROKER,
        ...listenerProperties({ clientPort, controllerPort, ports }),
        ...keyStore('', join(directory, 'broker.pem'), broker),
        ...keyStore('listener.name.named.', join(directory, 'named.pem'), named),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': authority.certFile,
        'listener.name.mutual.ssl.client.auth': 'required',
        'listener.name.brief.connections.max.reauth.ms': String(SESSION_MS),
        'sasl.enabled.mechanisms': MECHANISMS.join(','),
      },
    });
    return new SecureKafka({ authority, directory, cluster, reaper, ports });
  }

  /** `host:port` of a listener. */
  address(listener: SecureListener): string {
    return `127.0.0.1:${this.#ports[listener]}`;
  }

  /** Creates a SCRAM user, or changes its password. */
  async setScramPassword(mechanism: ScramMechanism, username: string, password: string): Promise<void> {
    await setScramUser(this.cluster.bootstrap, { username, password, mechanism });
  }

  async close(): Promise<void> {
    await this.cluster.kill();
    await this.#reaper.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function listenerProperties({
  clientPort,
  controllerPort,
  ports,
}: {
  clientPort: number;
  controllerPort: number;
  ports: Readonly<Record<SecureListener, number>>;
}): Record<string, string> {
  const clients = { PLAINTEXT: clientPort, ...ports };
  const protocols = { PLAINTEXT: 'PLAINTEXT', CONTROLLER: 'PLAINTEXT', ...LISTENERS };
  const list = (entries: object, write: (name: string, value: unknown) => string): string =>
    Object.entries(entries)
      .map(([name, value]) => write(name.toUpperCase(), value))
      .join(',');
  const properties: Record<string, string> = {
    listeners: list({ ...clients, CONTROLLER: controllerPort }, (name, port) => `${name}://127.0.0.1:${port}`),
    // One by its name, the others by their address.
    'advertised.listeners': list(
      clients,
      (name, port) => `${name}://${name === 'TLS' ? 'localhost' : '127.0.0.1'}:${port}`,
    ),
    'listener.security.protocol.map': list(protocols, (name, protocol) => `${name}:${protocol}`),
  };
  for (const [name, protocol] of Object.entries(LISTENERS)) {
    if (!protocol.startsWith('SASL')) continue;
    for (const mechanism of MECHANISMS) {
      properties[`listener.name.${name}.${mechanism.toLowerCase()}.sasl.jaas.config`] = MODULES[mechanism];
    }
  }
  return properties;
}

/** Kafka reads a key and its certificate from one file. */
function keyStore(prefix: string, file: string, { key, cert }: CertifiedKey): Record<string, string> {
  writeFileSync(file, `${key}${cert}\n`);
  return { [`${prefix}ssl.keystore.type`]: 'PEM', [`${prefix}ssl.keystore.location`]: file };
}
