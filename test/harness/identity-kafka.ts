/** A Kafka for a test that knows clients by SASL and decides by ACLs what they may do. */
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { findFreePorts, LAB_HOST } from '@causeway/lab/stack/ports.ts';
import { alterUserScramCredentialsV0, ConnectionPool } from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { KafkaView } from './kafka-view.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from './own-kafka.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

/** Listeners for clients; each has every mechanism. Without TLS: `packages/bridge/test/security.test.ts` has that. */
const LISTENERS = ['sasl', 'brief'] as const;
export type IdentityListener = (typeof LISTENERS)[number];

/** On the listener `brief`, clients authenticate again within this time (KIP-368). */
export const BRIEF_SESSION_MS = 2000;
/** The bridge's own user, for PLAIN. */
export const BRIDGE_USER = { mechanism: 'PLAIN', username: 'bridge', password: 'bridge-secret' } as const;
/** A user of PLAIN for clients. */
export const PLAIN_CLIENT = { username: 'plain-client', password: 'plain:secret,=1' } as const;

const JAAS = {
  PLAIN: `org.apache.kafka.common.security.plain.PlainLoginModule required user_${BRIDGE_USER.username}="${BRIDGE_USER.password}" user_${PLAIN_CLIENT.username}="${PLAIN_CLIENT.password}";`,
  'SCRAM-SHA-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'SCRAM-SHA-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  // Without a configured callback handler, brokers accept unsigned tokens.
  OAUTHBEARER:
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
} as const;

const SCRAM = {
  'SCRAM-SHA-256': { code: 1, hash: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { code: 2, hash: 'sha512', bytes: 64 },
} as const;
/** The fewest that brokers accept. */
const ITERATIONS = 4096;

export type AclOperation = 'ALL' | 'READ' | 'WRITE' | 'CREATE' | 'DESCRIBE' | 'DESCRIBE_CONFIGS';

export class IdentityKafka {
  /** With all rights. */
  readonly view: KafkaView;
  readonly #own: OwnKafka;
  readonly #ports: Readonly<Record<IdentityListener, number>>;

  private constructor(own: OwnKafka, view: KafkaView, ports: Readonly<Record<IdentityListener, number>>) {
    this.#own = own;
    this.view = view;
    this.#ports = ports;
  }

  static async start(): Promise<IdentityKafka> {
    const [plain = 0, controller = 0, sasl = 0, brief = 0] = await findFreePorts(4);
    const ports = { sasl, brief };
    const clients = Object.entries({ plaintext: plain, ...ports }).map(
      ([name, port]) => `${name.toUpperCase()}://${LAB_HOST}:${port}`,
    );
    const own = await startOwnKafka({
      brokerCount: 1,
      ports: [plain, controller],
      properties: {
        ...PATIENT_BROKER,
        listeners: [...clients, `CONTROLLER://${LAB_HOST}:${controller}`].join(','),
        'advertised.listeners': clients.join(','),
        'listener.security.protocol.map':
          'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,BRIEF:SASL_PLAINTEXT',
        'listener.name.brief.connections.max.reauth.ms': String(BRIEF_SESSION_MS),
        'sasl.enabled.mechanisms': Object.keys(JAAS).join(','),
        ...Object.fromEntries(
          LISTENERS.flatMap((listener) =>
            Object.entries(JAAS).map(([mechanism, module]) => [
              `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`,
              module,
            ]),
          ),
        ),
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // The broker itself and the test, over the listener without SASL.
        'super.users': 'User:ANONYMOUS',
      },
    });
    const kafka = new IdentityKafka(own, await KafkaView.connect(own.cluster.bootstrap), ports);
    await kafka.allow(BRIDGE_USER.username, 'TOPIC', '__causeway_sessions', ['ALL']);
    return kafka;
  }

  address(listener: IdentityListener = 'sasl'): string {
    return `${LAB_HOST}:${this.#ports[listener]}`;
  }

  async allow(
    user: string,
    resource: 'TOPIC' | 'GROUP',
    name: string,
    operations: readonly AclOperation[],
  ): Promise<void> {
    await this.view.admin.createAcls({
      acl: operations.map((operation) => ({
        resourceType: AclResourceTypes[resource],
        resourceName: name,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: `User:${user}`,
        host: '*',
        operation: AclOperationTypes[operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    });
  }

  /** Creates a user, or changes its password. */
  async setPassword(
    username: string,
    password: string,
    mechanism: keyof typeof SCRAM = 'SCRAM-SHA-512',
  ): Promise<void> {
    const { code, hash, bytes } = SCRAM[mechanism];
    const salt = randomBytes(16);
    const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, bytes, hash);
    const pool = new ConnectionPool('test');
    try {
      const [host = '', port] = this.#own.cluster.bootstrap.split(':');
      const connection = await pool.get({ host, port: Number(port) });
      const user = { name: username, mechanism: code, iterations: ITERATIONS, salt, saltedPassword };
      await alterUserScramCredentialsV0.api.async(connection, [], [user]);
    } finally {
      await pool.close();
    }
  }

  async close(): Promise<void> {
    await this.view.close();
    await this.#own.close();
  }
}
