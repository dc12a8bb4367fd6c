/** A Kafka for a test that knows clients by SASL and decides by ACLs what they may do. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { entriesOf, type Operation } from '@causeway/lab/stack/kafka-rights.ts';
import { findFreePorts, LAB_HOST } from '@causeway/lab/stack/ports.ts';
import { type ScramMechanism, setScramUser } from './kafka-settings.ts';
import { KafkaView } from './kafka-view.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from './own-kafka.ts';

/** Listeners for clients; each has every mechanism. Without TLS: `packages/bridge/test/security.test.ts` has that. */
const LISTENERS = ['sasl', 'brief', 'signed'] as const;
export type IdentityListener = (typeof LISTENERS)[number];

/** On the listener `brief`, clients authenticate again within this time (KIP-368). */
export const BRIEF_SESSION_MS = 2000;
/** On the listener `signed`, tokens need a signature by {@link IdentityKafka.signToken} and this audience. */
export const TOKEN_AUDIENCE = 'kafka';
const KEY_ID = 'key-1';
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

export class IdentityKafka {
  /** With all rights. */
  readonly view: KafkaView;
  readonly #own: OwnKafka;
  readonly #ports: Readonly<Record<IdentityListener, number>>;
  readonly #signingKey: KeyObject;

  /** Of the tokens' keys, which the broker reads again and again. */
  readonly #directory: string;

  private constructor(parts: {
    own: OwnKafka;
    view: KafkaView;
    ports: Readonly<Record<IdentityListener, number>>;
    signingKey: KeyObject;
    directory: string;
  }) {
    this.#own = parts.own;
    this.view = parts.view;
    this.#ports = parts.ports;
    this.#signingKey = parts.signingKey;
    this.#directory = parts.directory;
  }

  static async start(): Promise<IdentityKafka> {
    const [plain = 0, controller = 0, sasl = 0, brief = 0, signed = 0] = await findFreePorts(5);
    const ports = { sasl, brief, signed };
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const directory = mkdtempSync(join(tmpdir(), 'causeway-jwks-'));
    const jwksFile = join(directory, 'jwks.json');
    const key = Object.assign(publicKey.export({ format: 'jwk' }), { kid: KEY_ID, alg: 'RS256', use: 'sig' });
    writeFileSync(jwksFile, JSON.stringify({ keys: [key] }));
    const jwksUrl = pathToFileURL(jwksFile).href;
    try {
      // Kafka reads tokens' keys from no other place.
      process.env['JAVA_TOOL_OPTIONS'] = `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwksUrl}`;
      const own = await startBroker({ plain, controller, ports, jwksUrl });
      const view = await KafkaView.connect(own.cluster.bootstrap);
      const kafka = new IdentityKafka({ own, view, ports, signingKey: privateKey, directory });
      await kafka.allow(BRIDGE_USER.username, 'TOPIC', '__causeway_sessions', ['ALL']);
      return kafka;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    } finally {
      delete process.env['JAVA_TOOL_OPTIONS'];
    }
  }

  address(listener: IdentityListener = 'sasl'): string {
    return `${LAB_HOST}:${this.#ports[listener]}`;
  }

  async allow(
    user: string,
    resource: 'TOPIC' | 'GROUP',
    name: string,
    operations: readonly Operation[],
  ): Promise<void> {
    await this.view.admin.createAcls({ acl: entriesOf(user, { resource, name, pattern: 'LITERAL', operations }) });
  }

  /** Creates a user, or changes its password. */
  async setPassword(username: string, password: string, mechanism: ScramMechanism = 'SCRAM-SHA-512'): Promise<void> {
    await setScramUser(this.#own.cluster.bootstrap, { username, password, mechanism });
  }

  /** A token for the listener `signed`. `key`: default: the one that brokers know. */
  signToken(claims: object, key: KeyObject = this.#signingKey): string {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const all = Object.assign({ aud: TOKEN_AUDIENCE, iat: nowSeconds, exp: nowSeconds + 60 }, claims);
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    const content = `${encode({ alg: 'RS256', kid: KEY_ID })}.${encode(all)}`;
    return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
  }

  async close(): Promise<void> {
    await this.view.close();
    await this.#own.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

interface BrokerPlan {
  plain: number;
  controller: number;
  ports: Readonly<Record<IdentityListener, number>>;
  jwksUrl: string;
}

async function startBroker({ plain, controller, ports, jwksUrl }: BrokerPlan): Promise<OwnKafka> {
  const clients = Object.entries({ plaintext: plain, ...ports }).map(
    ([name, port]) => `${name.toUpperCase()}://${LAB_HOST}:${port}`,
  );
  return await startOwnKafka({
    brokerCount: 1,
    ports: [plain, controller],
    properties: {
      ...PATIENT_BROKER,
      listeners: [...clients, `CONTROLLER://${LAB_HOST}:${controller}`].join(','),
      'advertised.listeners': clients.join(','),
      'listener.security.protocol.map':
        'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,BRIEF:SASL_PLAINTEXT,SIGNED:SASL_PLAINTEXT',
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
      'listener.name.signed.oauthbearer.sasl.jaas.config':
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
      'listener.name.signed.oauthbearer.sasl.server.callback.handler.class':
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
      'sasl.oauthbearer.jwks.endpoint.url': jwksUrl,
      'sasl.oauthbearer.expected.audience': TOKEN_AUDIENCE,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // The broker itself and the test, over the listener without SASL.
      'super.users': 'User:ANONYMOUS',
    },
  });
}
