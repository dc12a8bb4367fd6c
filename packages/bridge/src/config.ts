/** The bridge's configuration: the one place that declares its keys, bounds and defaults. */

import { CorsSection } from '@causeway/config/cors.ts';
import { ListenTls } from '@causeway/config/listen-tls.ts';
import {
  BacklogSetting,
  Choice,
  Entry,
  ListenHost,
  LogSection,
  Section,
  type Static,
  Type,
} from '@causeway/config/schema.ts';
import { checkTrust, TrustSection } from '@causeway/config/trust.ts';
import { LONGEST_POLL_TIMEOUT_MS } from '@causeway/protocol/parameters.ts';
import { AccessLogSection, TracingSection } from '@causeway/telemetry/sections.ts';
import { resetPolicyOf } from './consumers/reset-policy.ts';
import { CompressionConfig, checkHttpConfig, LimitsConfig } from './http-config.ts';
import { type ConfigFinding, checkKafkaConfig, KafkaConfig, milliseconds } from './kafka-config.ts';

export type { CompressionConfig, LimitsConfig } from './http-config.ts';
export type { KafkaConfig } from './kafka-config.ts';

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
    isIdempotent: Type.Boolean({
      description:
        'Whether a batch that is sent again is stored once (enable.idempotence), with acks all; from Kafka 2.8 on it needs no more than the right to write to any topic.',
      default: true,
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
    allowAutoTopicCreation: Type.Boolean({
      description:
        'Whether a record for a topic that does not exist lets Kafka create it (allow.auto.create.topics); the broker decides by its auto.create.topics.enable.',
      default: true,
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
    maxTopics: Type.Integer({
      description: 'Most topics of one subscription; more are refused with 413.',
      default: 5000,
      minimum: 1,
      maximum: 100_000,
    }),
    maxPartitions: Type.Integer({
      description: 'Most entries of one commit, seek or assignment; more are refused with 413.',
      default: 5000,
      minimum: 1,
      maximum: 100_000,
    }),
    inactivityTimeoutMs: milliseconds({
      description:
        'A consumer that no request has touched for this long is closed, in milliseconds. The same on all bridges: each also ends the consumers of bridges that died, after twice that time.',
      default: 300_000,
    }),
    allowAutoTopicCreation: Type.Boolean({
      description:
        'Whether a subscription to a topic that does not exist lets Kafka create it (allow.auto.create.topics); the broker decides by its auto.create.topics.enable.',
      default: true,
    }),
    defaultAutoOffsetReset: Type.String({
      description:
        'Where a consumer starts that has nothing committed and did not say: latest, earliest, none, or by_duration with an ISO-8601 duration before now, as by_duration:PT1H.',
      default: 'latest',
      pattern: '^(?:latest|earliest|none|by_duration:.+)$',
    }),
    maxPollTimeoutMs: milliseconds({
      description: 'Longest time that a poll may ask to wait (timeout), in milliseconds; more is refused with 400.',
      default: 3_600_000,
      maximum: LONGEST_POLL_TIMEOUT_MS,
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
    maxFetchedBytes: Type.Integer({
      description:
        'Bytes that all consumers together hold for clients that have not taken them; beyond it, nothing is fetched ahead, and at most 65536 bytes at a time.',
      default: 67_108_864,
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
      default: 30_000,
    }),
    isChecksumCompared: Type.Boolean({
      description: 'Whether the checksum of each record batch is compared (check.crcs): damage on a disk is told.',
      default: true,
    }),
    excludeInternalTopics: Type.Boolean({
      description:
        "Whether Kafka's internal topics are closed to consumers (exclude.internal.topics): 403. Those of Causeway always are.",
      default: true,
    }),
    topicRefreshMs: milliseconds({
      description: 'How often a group is checked for new topics and partitions, in milliseconds.',
      default: 5000,
    }),
  },
  { description: 'Consumers.' },
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
        host: ListenHost('Address to listen on.'),
        port: Type.Integer({
          description: 'Port of the API; 0 lets the system choose.',
          default: 8080,
          minimum: 0,
          maximum: 65_535,
        }),
        backlog: BacklogSetting(),
        tls: Type.Optional(ListenTls),
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
    cors: CorsSection,
    compression: CompressionConfig,
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
    trust: TrustSection,
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
    accessLog: Type.Optional(AccessLogSection),
    tracing: Type.Optional(TracingSection('causeway-bridge')),
  },
  { description: 'A bridge.' },
);

export type BridgeConfig = Static<typeof BridgeConfig>;
export type ProducerConfig = BridgeConfig['producer'];
export type ConsumersConfig = BridgeConfig['consumers'];
export type ReadinessConfig = BridgeConfig['readiness'];

/** What the schema cannot say. */
export function checkBridgeConfig(config: BridgeConfig): ConfigFinding[] {
  const problems: ConfigFinding[] = [...checkKafkaConfig(config.kafka), ...checkTrust(config.trust)];
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
  if (resetPolicyOf(config.consumers.defaultAutoOffsetReset) === undefined) {
    const reason = 'must be latest, earliest, none, or by_duration:PnDTnHnMn.nS with a duration that is not negative';
    problems.push({ path: ['consumers', 'defaultAutoOffsetReset'], reason });
  }
  const { listen, management } = config;
  if (management !== undefined && management.port !== 0 && management.port === listen.port) {
    problems.push({
      path: ['management', 'port'],
      reason: `${listen.port} is listen.port, too: without the section, both are on one port`,
    });
  }
  problems.push(...checkHttpConfig(config));
  return problems;
}

/** Opening comment of `config/bridge.yaml`. */
export const BRIDGE_YAML_HEADER =
  'yaml-language-server: $schema=bridge.schema.json\nConfiguration of a bridge: every key at its default.\nValues may name environment variables: ${NAME} or ${NAME:-default}.';
