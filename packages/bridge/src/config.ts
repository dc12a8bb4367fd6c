/** The bridge's configuration: the one place that declares its keys, bounds and defaults. */
import { checkPeers, TrustSection } from '@causeway/config/networks.ts';
import { Choice, Entry, LogSection, Section, type Static, Type } from '@causeway/config/schema.ts';
import { type ConfigFinding, checkKafkaConfig, KafkaConfig, milliseconds } from './kafka-config.ts';
import { originProblem } from './origins.ts';

export type { KafkaConfig } from './kafka-config.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

const ProducerConfig = Section(
  {
    isEnabled: Type.Boolean({
      description: 'Whether records may be produced; 503 otherwise. Topics can be created all the same.',
      default: true,
    }),
    acks: Choice(['all', 'leader'], {
      description: 'Who must have stored a record before the client gets its offset.',
      default: 'all',
    }),
    compression: Choice(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
      description: 'How batches are compressed on their way and in the log.',
      default: 'none',
    }),
    lingerMs: Type.Integer({
      description:
        'How long a record waits for others to share its batch, in milliseconds; a full batch goes at once. With 0, what arrives while a request is on its way is the next batch.',
      default: 0,
      minimum: 0,
    }),
    maxBlockMs: milliseconds({
      description: 'How long a request waits for a topic that is not known (yet), in milliseconds.',
      default: 10_000,
    }),
    deliveryTimeoutMs: milliseconds({
      description: 'How long a record is tried before its entry in the answer is an error, in milliseconds.',
      default: 20_000,
    }),
    maxRequestBytes: Type.Integer({
      description: 'Largest record, in bytes as Kafka stores it (max.request.size).',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxBatchBytes: Type.Integer({
      description: 'Largest request to a broker, in bytes; what arrives beyond it goes out in the next.',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxBatchRecords: Type.Integer({
      description: 'Most records of a request to a broker.',
      default: 10_000,
      minimum: 1,
    }),
    maxQueuedBytes: Type.Integer({
      description: 'Bytes of records that may wait or be on their way; more are refused with 503.',
      default: 67_108_864,
      minimum: 1024,
    }),
  },
  { description: 'Producing.' },
);

const ConsumersConfig = Section(
  {
    isEnabled: Type.Boolean({ description: 'Whether consumers may be created; 503 otherwise.', default: true }),
    maxCount: Type.Integer({
      description: 'Most consumers that live on this bridge; more are refused with 503.',
      default: 10_000,
      minimum: 1,
    }),
    inactivityTimeoutMs: milliseconds({
      description: 'A consumer that no request has touched for this long is closed, in milliseconds.',
      default: 300_000,
    }),
    defaultAutoOffsetReset: Choice(['latest', 'earliest', 'none'], {
      description: 'Where a consumer starts that has nothing committed and did not say.',
      default: 'latest',
    }),
    maxPollRecords: Type.Integer({ description: 'Most records of one answer.', default: 500, minimum: 1 }),
    fetchMaxBytes: Type.Integer({
      description: 'Bytes that one fetch asks of a broker; a consumer holds no more than this for each broker.',
      default: 524_288,
      minimum: 1024,
    }),
    partitionFetchMaxBytes: Type.Integer({
      description: 'Bytes of one partition in such a fetch; a larger batch of records comes all the same, alone.',
      default: 524_288,
      minimum: 1024,
    }),
    defaultFetchMinBytes: Type.Integer({
      description: 'How many bytes a broker waits for before it answers a fetch, for consumers that did not say.',
      default: 1,
      minimum: 0,
      maximum: 2_147_483_647,
    }),
    fetchMaxWaitMs: milliseconds({
      description: 'How long a broker may hold one fetch while there is nothing to read, in milliseconds.',
      default: 5000,
    }),
    isChecksumCompared: Type.Boolean({
      description: 'Whether the checksum of each record batch is compared (check.crcs): damage on a disk is told.',
      default: true,
    }),
    topicRefreshMs: milliseconds({
      description: 'How often a group is checked for new topics and partitions, in milliseconds.',
      default: 5000,
    }),
  },
  { description: 'Consumers.' },
);

const TlsConfig = Entry(
  {
    certFile: Type.String({
      description: 'PEM: the certificate, and those between it and its authority.',
      examples: ['/etc/causeway/tls.crt'],
    }),
    keyFile: Type.String({ description: 'PEM: its private key.', examples: ['/etc/causeway/tls.key'] }),
    keyPassphrase: Type.Optional(
      Type.String({ description: 'Of a key that is encrypted.', examples: ['${KEY_PASSPHRASE}'] }),
    ),
    keyPassphraseFile: Type.Optional(
      Type.String({
        description: 'The same, as a file whose first line it is.',
        examples: ['/etc/causeway/passphrase'],
      }),
    ),
    clientCaFile: Type.Optional(
      Type.String({
        description: 'PEM: clients must show a certificate that one of these authorities signed.',
        examples: ['/etc/causeway/clients.crt'],
      }),
    ),
    minVersion: Choice(['TLSv1.2', 'TLSv1.3'], { description: 'Oldest version of TLS.', default: 'TLSv1.2' }),
  },
  {
    description:
      'HTTPS on the port of the API. Files that change are read again; a certificate that cannot be used changes nothing.',
  },
);

const CorsConfig = Section(
  {
    isEnabled: Type.Boolean({
      description: 'Whether pages of other origins may use the API; Origin is ignored otherwise.',
      default: false,
    }),
    allowedOrigins: Type.Array(Type.String(), {
      description: 'Origins as https://example.com, * for all, or a regular expression between slashes for the whole.',
      default: ['*'],
      minItems: 1,
    }),
    allowedMethods: Type.Array(Choice(METHODS, { description: 'A method.', default: 'GET' }), {
      description: 'Methods that a preflight is told.',
      default: [...METHODS],
      minItems: 1,
    }),
  },
  { description: 'Cross-origin resource sharing, of the API without /healthy, /ready and /metrics.' },
);

const LimitsConfig = Section(
  {
    maxUrlBytes: Type.Integer({
      description: 'Longest URL with its query; longer ones are refused with 414.',
      default: 4096,
      minimum: 256,
      maximum: 1_048_576,
    }),
    maxHeaderBytes: Type.Integer({
      description: 'Longest headers, the URL among them; longer ones are refused with 431.',
      default: 8192,
      minimum: 1024,
      maximum: 1_048_576,
    }),
    maxBodyBytes: Type.Integer({
      description: 'Largest request body; larger ones are refused with 413.',
      default: 16_777_216,
      minimum: 1024,
    }),
    maxRecords: Type.Integer({
      description: 'Most records of one produce request; more are refused with 413.',
      default: 100_000,
      minimum: 1,
    }),
    headersTimeoutMs: milliseconds({
      description: "How long a request's headers may take to arrive, in milliseconds; 408 after it.",
      default: 10_000,
      maximum: 3_600_000,
    }),
    requestTimeoutMs: milliseconds({
      description: 'How long a request may take to arrive with its body, in milliseconds; 408 after it.',
      default: 60_000,
      maximum: 3_600_000,
    }),
    answerTimeoutMs: milliseconds({
      description:
        'How long a client may take to read records that were written to it, in milliseconds; its connection is broken after it, and the records come again.',
      default: 60_000,
      maximum: 3_600_000,
    }),
    maxInFlightRequests: Type.Integer({
      description: 'Requests that may wait for their answers, polls among them; more are refused with 503.',
      default: 20_000,
      minimum: 1,
    }),
    maxInFlightBytes: Type.Integer({
      description:
        'Bytes of request bodies, and of answers that clients have not read, at a time; more are refused with 503.',
      default: 134_217_728,
      minimum: 1024,
    }),
  },
  { description: 'What clients may ask for.' },
);

/** The whole file. */
export const BridgeConfig = Entry(
  {
    bridge: Entry(
      {
        name: Type.String({
          description: 'Unique in its region.',
          pattern: '^[A-Za-z0-9._-]+$',
          examples: ['bridge-1'],
        }),
        region: Type.String({ description: 'Where it runs.', pattern: '^[A-Za-z0-9._-]+$', examples: ['east'] }),
      },
      { description: 'Who this bridge is.' },
    ),
    listen: Section(
      {
        host: Type.String({ description: 'Address to listen on.', default: '127.0.0.1' }),
        port: Type.Integer({
          description: 'Port of the API; 0 lets the system choose.',
          default: 8080,
          minimum: 0,
          maximum: 65_535,
        }),
        tls: Type.Optional(TlsConfig),
      },
      { description: 'Where clients reach it.' },
    ),
    management: Type.Optional(
      Entry(
        {
          port: Type.Integer({
            description: 'Port of /healthy, /ready and /metrics, on the same address; 0 lets the system choose.',
            default: 8081,
            minimum: 0,
            maximum: 65_535,
          }),
        },
        {
          description:
            'Where operators reach it, in plain HTTP. Without this section /healthy, /ready and /metrics are on the port of the API.',
        },
      ),
    ),
    cors: CorsConfig,
    kafka: KafkaConfig,
    producer: ProducerConfig,
    consumers: ConsumersConfig,
    readiness: Section(
      {
        intervalMs: milliseconds({
          description: 'Pause between two questions to Kafka, in milliseconds.',
          default: 500,
        }),
        timeoutMs: milliseconds({ description: 'How long Kafka may take to answer, in milliseconds.', default: 1000 }),
        maxAgeMs: milliseconds({
          description: 'Without an answer for this long the bridge is not ready, in milliseconds.',
          default: 2000,
        }),
      },
      { description: 'What /ready says.' },
    ),
    trust: TrustSection('causeway-* headers (those of gateways)'),
    limits: LimitsConfig,
    shutdown: Section(
      {
        graceMs: milliseconds({
          description: 'How long an orderly stop may take, in milliseconds.',
          default: 10_000,
        }),
      },
      { description: 'SIGTERM and SIGINT.' },
    ),
    log: LogSection(''),
  },
  { description: 'A bridge.' },
);

export type BridgeConfig = Static<typeof BridgeConfig>;
export type ProducerConfig = BridgeConfig['producer'];
export type ConsumersConfig = BridgeConfig['consumers'];
export type LimitsConfig = BridgeConfig['limits'];
export type CorsConfig = BridgeConfig['cors'];
export type TlsConfig = NonNullable<BridgeConfig['listen']['tls']>;
export type ReadinessConfig = BridgeConfig['readiness'];

/** What the schema cannot say. */
export function checkBridgeConfig(config: BridgeConfig): ConfigFinding[] {
  const problems: ConfigFinding[] = [...checkKafkaConfig(config.kafka), ...checkPeers(config.trust.peers)];
  if (config.readiness.maxAgeMs <= config.readiness.intervalMs) {
    problems.push({ path: ['readiness', 'maxAgeMs'], reason: 'must be greater than readiness.intervalMs' });
  }
  if (config.producer.lingerMs >= config.producer.deliveryTimeoutMs) {
    problems.push({ path: ['producer', 'lingerMs'], reason: 'must be less than producer.deliveryTimeoutMs' });
  }
  if (config.producer.maxBatchBytes < config.producer.maxRequestBytes) {
    problems.push({
      path: ['producer', 'maxBatchBytes'],
      reason: 'must not be less than producer.maxRequestBytes, or such a record would never be sent',
    });
  }
  if (config.limits.headersTimeoutMs > config.limits.requestTimeoutMs) {
    problems.push({ path: ['limits', 'headersTimeoutMs'], reason: 'must be at most limits.requestTimeoutMs' });
  }
  if (config.limits.maxInFlightBytes < config.limits.maxBodyBytes) {
    problems.push({
      path: ['limits', 'maxInFlightBytes'],
      reason: 'must not be less than limits.maxBodyBytes, or such a body would never be taken',
    });
  }
  if (config.listen.tls?.keyPassphrase !== undefined && config.listen.tls.keyPassphraseFile !== undefined) {
    problems.push({ path: ['listen', 'tls', 'keyPassphraseFile'], reason: 'keyPassphrase says it already' });
  }
  for (const [index, entry] of config.cors.allowedOrigins.entries()) {
    const reason = originProblem(entry);
    if (reason !== undefined) problems.push({ path: ['cors', 'allowedOrigins', index], reason });
  }
  return problems;
}

/** Opening comment of `config/bridge.yaml`. */
export const BRIDGE_YAML_HEADER =
  'Configuration of a bridge: every key at its default.\nValues may name environment variables: ${NAME} or ${NAME:-default}.';
