/** How a bridge reaches Kafka: the keys below `kafka`, their bounds and defaults, and what they need of each other. */

import { isIP } from 'node:net';
import { Choice, Entry, HttpUrl, Section, type Static, Type } from '@causeway/config/schema.ts';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { CLUSTER_NAME_PATTERN } from '@causeway/protocol/clusters.ts';

/** A time of at least a millisecond. */
export const milliseconds = (options: { description: string; default: number; minimum?: number; maximum?: number }) =>
  Type.Integer({ minimum: 1, ...options });

const text = (description: string, example: string) =>
  Type.Optional(Type.String({ description, minLength: 1, examples: [example] }));

const secret = (description: string, example: string) =>
  Type.Optional(Type.String({ description, minLength: 1, examples: [example], writeOnly: true }));

export const ClusterName = (description: string, example: string) =>
  Type.String({ description, pattern: `^${CLUSTER_NAME_PATTERN}$`, examples: [example] });

export const KafkaTlsConfig = Section(
  {
    isEnabled: Type.Boolean({ description: 'Whether connections to brokers use TLS.', default: false }),
    caFile: text(
      "PEM file with the authorities that sign brokers' certificates. Default: the authorities that Node.js trusts.",
      '/etc/causeway/kafka-ca.pem',
    ),
    certFile: text(
      "PEM file with the bridge's own certificate and its chain, for brokers that ask for one.",
      '/etc/causeway/bridge.pem',
    ),
    keyFile: text("PEM file with that certificate's private key.", '/etc/causeway/bridge.key'),
    keyPassphrase: secret('Passphrase of the private key.', '${KAFKA_KEY_PASSPHRASE}'),
    keyPassphraseFile: text('File with the passphrase, in place of keyPassphrase.', '/run/secrets/key-passphrase'),
    serverName: text(
      "Name that is asked for (SNI) and that brokers' certificates must have. Default: the host of each broker.",
      'kafka.example',
    ),
    isBrokerVerified: Type.Boolean({
      description: "Whether brokers' certificates are verified. Without verification, anyone can impersonate a broker.",
      default: true,
    }),
  },
  {
    description:
      'TLS to the brokers. The bridge reads the files at the start, and again when they change, for new connections.',
  },
);

const OAuthConfig = Entry(
  {
    tokenEndpointUrl: HttpUrl(
      {
        description: 'URL that grants access tokens for client credentials (RFC 6749, section 4.4).',
        examples: ['https://identity.example/oauth2/token'],
      },
      { hasPath: true },
    ),
    clientId: Type.String({ description: 'Client id at that endpoint.', minLength: 1, examples: ['causeway'] }),
    clientSecret: secret('Client secret.', '${KAFKA_CLIENT_SECRET}'),
    clientSecretFile: text('File with the client secret, in place of clientSecret.', '/run/secrets/kafka-client'),
    scope: text('Scope that is asked for.', 'kafka'),
  },
  {
    description:
      'Tokens from an OAuth 2 endpoint, in place of token and tokenFile. The bridge renews them after four fifths of their lifetime.',
  },
);

export const KafkaSaslConfig = Section(
  {
    mechanism: Choice(['none', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'], {
      description: 'How the bridge authenticates to brokers.',
      default: 'none',
    }),
    username: text('For PLAIN and SCRAM.', 'causeway'),
    password: secret('For PLAIN and SCRAM.', '${KAFKA_PASSWORD}'),
    passwordFile: text(
      'File with the password, in place of password; read for each new connection.',
      '/run/secrets/kafka-password',
    ),
    token: secret('Access token, for OAUTHBEARER.', '${KAFKA_TOKEN}'),
    tokenFile: text('File with the access token; read for each new connection.', '/run/secrets/kafka-token'),
    oauth: Type.Optional(OAuthConfig),
    extensions: Type.Record(Type.String({ pattern: '^[A-Za-z]+$' }), Type.String(), {
      description: 'SASL extensions sent with the token (RFC 7628), such as {logicalCluster: lkc-1}.',
      default: {},
    }),
  },
  {
    description:
      'Authentication to the brokers. Put secrets into files or environment variables ("${NAME}", in quotes); they are never logged.',
  },
);

const CLIENT_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

const KafkaClientsConfig = Section(
  {
    mechanisms: Type.Array(Choice(CLIENT_MECHANISMS, { description: 'A mechanism.', default: 'SCRAM-SHA-512' }), {
      description:
        'Mechanisms by which clients authenticate: OAUTHBEARER for tokens, and at most one of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 for passwords.',
      default: ['SCRAM-SHA-512', 'OAUTHBEARER'],
      minItems: 1,
    }),
    principalClaim: Type.String({
      description: 'Claim of a token that names the client, as brokers read it (sasl.oauthbearer.sub.claim.name).',
      default: 'sub',
      minLength: 1,
    }),
    maxCount: Type.Integer({
      description:
        'Most identities that have connections at a time; those that no request or consumer uses are closed for others, and the bridge refuses more with 503.',
      default: 1000,
      minimum: 1,
    }),
    idleMs: milliseconds({
      description:
        'Time without requests and consumers after which the connections of an identity are closed, in milliseconds.',
      default: 120_000,
    }),
  },
  { description: 'Identities of clients, for identity client.' },
);

/** Brokers as host:port. */
export const bootstrapServers = (description: string, example: string) =>
  Type.Array(Type.String({ pattern: '^(?:\\[[^\\]]+\\]|[^:\\s]+):[0-9]+$' }), {
    description,
    minItems: 1,
    examples: [[example]],
  });

export const KafkaConfig = Entry(
  {
    bootstrapServers: bootstrapServers('Brokers that the bridge contacts first, as host:port.', '127.0.0.1:9092'),
    cluster: Type.Optional(
      ClusterName(
        'Name of this Kafka, where there are two that stand in for each other (section clusters). Without it, the bridge knows no other Kafka.',
        'east',
      ),
    ),
    clientId: Type.String({
      description: 'Name of the bridge in the logs and quotas of brokers.',
      default: 'causeway',
    }),
    connectTimeoutMs: milliseconds({
      description: 'How long connecting to a broker may take, in milliseconds.',
      default: 3000,
    }),
    requestTimeoutMs: milliseconds({
      description: 'How long a request to Kafka may take, including retries, in milliseconds.',
      default: 10_000,
    }),
    metadataMaxAgeMs: milliseconds({
      description: 'Age at which the metadata of topics are fetched again, in milliseconds.',
      default: 30_000,
    }),
    retryBackoffMinMs: milliseconds({
      description: 'Pause before a failed connection or request is retried, in milliseconds; it doubles each time.',
      default: 25,
    }),
    retryBackoffMaxMs: milliseconds({ description: 'Longest such pause, in milliseconds.', default: 250 }),
    clientRack: text(
      'Rack of the bridge, as brokers name it (broker.rack): consumers read from a replica in it. Brokers need the rack-aware replica.selector.class (KIP-392).',
      'zone-a',
    ),
    tls: KafkaTlsConfig,
    sasl: KafkaSaslConfig,
    identity: Choice(['bridge', 'client'], {
      description:
        "As whom requests of clients reach Kafka: as the bridge (sasl), or as the client, by the user and password (Basic) or the token (Bearer) of its Authorization header, so that Kafka's ACLs decide. Gateways pass that header on with auth.forwardCredentials.",
      default: 'bridge',
    }),
    clients: KafkaClientsConfig,
    sessionTimeoutMs: milliseconds({
      description:
        "Time without heartbeats after which Kafka assigns a consumer's partitions to others, in milliseconds. The brokers limit it (group.min.session.timeout.ms, 6000, and group.max.session.timeout.ms).",
      default: 30_000,
    }),
    heartbeatIntervalMs: milliseconds({
      description:
        'Pause between the heartbeats of a consumer, in milliseconds; a new member waits about this long to join. On a bridge with more than 100 consumers it is longer, up to a third of the session timeout.',
      default: 1000,
    }),
    rebalanceTimeoutMs: milliseconds({
      description: 'How long Kafka waits for the other members when a group is rebalanced, in milliseconds.',
      default: 60_000,
    }),
  },
  { description: 'The Kafka cluster.' },
);

export type KafkaConfig = Static<typeof KafkaConfig>;
export type KafkaTlsConfig = Static<typeof KafkaTlsConfig>;
export type KafkaSaslConfig = Static<typeof KafkaSaslConfig>;
export type KafkaClientsConfig = KafkaConfig['clients'];

/** Something that a file has wrong: the key, and why. */
export interface ConfigFinding {
  path: (string | number)[];
  reason: string;
}

/** What the schema cannot say. */
export function checkKafkaConfig(config: KafkaConfig): ConfigFinding[] {
  const problems: ConfigFinding[] = [];
  if (config.heartbeatIntervalMs * 3 > config.sessionTimeoutMs) {
    problems.push({
      path: ['kafka', 'heartbeatIntervalMs'],
      reason: 'must be at most a third of kafka.sessionTimeoutMs, or one lost heartbeat ends a consumer',
    });
  }
  if (config.retryBackoffMinMs > config.retryBackoffMaxMs) {
    problems.push({
      path: ['kafka', 'retryBackoffMinMs'],
      reason: 'must not be greater than kafka.retryBackoffMaxMs',
    });
  }
  problems.push(...checkConnection(config, ['kafka']));
  if (config.identity === 'client') problems.push(...checkClients(config));
  return problems;
}

/** TLS and SASL of the section at `place`. */
export function checkConnection(
  { tls, sasl }: { tls: KafkaTlsConfig; sasl: KafkaSaslConfig },
  place: readonly string[],
): ConfigFinding[] {
  return [...(tls.isEnabled ? checkTls(tls, [...place, 'tls']) : []), ...checkSasl(sasl, [...place, 'sasl'])];
}

function checkTls(
  { certFile, keyFile, keyPassphrase, keyPassphraseFile, serverName }: KafkaTlsConfig,
  place: readonly string[],
): ConfigFinding[] {
  const problems: ConfigFinding[] = [];
  const section = place.join('.');
  const add = (key: string, reason: string): void => {
    problems.push({ path: [...place, key], reason });
  };
  if (certFile !== undefined && keyFile === undefined) add('certFile', `needs ${section}.keyFile`);
  if (keyFile !== undefined && certFile === undefined) add('keyFile', `needs ${section}.certFile`);
  if (keyPassphrase !== undefined && keyPassphraseFile !== undefined) {
    add('keyPassphraseFile', `is given beside ${section}.keyPassphrase: one of them is too many`);
  }
  if (serverName !== undefined && isIP(serverName) !== 0) add('serverName', 'must be a host name, not an address');
  return problems;
}

function checkSasl(sasl: KafkaSaslConfig, place: readonly string[]): ConfigFinding[] {
  const problems: ConfigFinding[] = [];
  const section = place.join('.');
  const add = (reason: string, ...keys: string[]): void => {
    problems.push({ path: [...place, ...keys], reason });
  };
  const { mechanism, oauth } = sasl;
  switch (mechanism) {
    case 'none':
      break;
    case 'PLAIN':
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      if (sasl.username === undefined) add(`${mechanism} needs ${section}.username`);
      if (countGiven(sasl.password, sasl.passwordFile) !== 1) {
        add(`${mechanism} needs either ${section}.password or ${section}.passwordFile`);
      }
      break;
    case 'OAUTHBEARER':
      if (countGiven(sasl.token, sasl.tokenFile, oauth) !== 1) {
        add(`OAUTHBEARER needs one of ${section}.token, ${section}.tokenFile and ${section}.oauth`);
      }
      if (oauth !== undefined && countGiven(oauth.clientSecret, oauth.clientSecretFile) !== 1) {
        add(`needs either ${section}.oauth.clientSecret or ${section}.oauth.clientSecretFile`, 'oauth');
      }
      break;
    default:
      assertNever(mechanism);
  }
  return problems;
}

function checkClients({ sasl, clients }: KafkaConfig): ConfigFinding[] {
  const problems: ConfigFinding[] = [];
  if (sasl.mechanism === 'none') {
    const reason = 'client needs kafka.sasl: brokers that authenticate clients authenticate the bridge, too';
    problems.push({ path: ['kafka', 'identity'], reason });
  }
  if (clients.mechanisms.filter((mechanism) => mechanism !== 'OAUTHBEARER').length > 1) {
    const reason = 'has more than one mechanism for passwords: brokers know each user by one of them';
    problems.push({ path: ['kafka', 'clients', 'mechanisms'], reason });
  }
  return problems;
}

function countGiven(...values: unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}
