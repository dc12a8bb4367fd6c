/** The bridge's configuration: the one place that declares its keys, bounds and defaults. */

import { CorsSection } from '@causeway/config/cors.ts';
import { ListenTls, verifiesClients } from '@causeway/config/listen-tls.ts';
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
import { ISOLATION_LEVELS } from '@causeway/protocol/consumers.ts';
import { LONGEST_POLL_TIMEOUT_MS } from '@causeway/protocol/parameters.ts';
import { AccessLogSection, TracingSection } from '@causeway/telemetry/sections.ts';
import { ClustersConfig, checkClustersConfig, checkTopicPatterns } from './clusters-config.ts';
import { resetPolicyOf } from './consumers/reset-policy.ts';
import { CompressionConfig, checkHttpConfig, LimitsConfig } from './http-config.ts';
import { type ConfigFinding, checkKafkaConfig, KafkaConfig, milliseconds } from './kafka-config.ts';

export type { CompressionConfig, LimitsConfig } from './http-config.ts';
export type { KafkaConfig } from './kafka-config.ts';

const ProducerConfig = Section(
  {
    isEnabled: Type.Boolean({
      description: 'Whether clients may produce records; 503 otherwise. Clients can create topics either way.',
      default: true,
    }),
    acks: Choice(['all', 'leader'], {
      description: 'Which replicas must have stored a record before the client gets its offset.',
      default: 'all',
    }),
    isIdempotent: Type.Boolean({
      description:
        'Whether Kafka stores a batch once even if it is sent again (enable.idempotence), with acks all; from Kafka 2.8 on, the right to write to any topic is enough.',
      default: true,
    }),
    replicatedTopics: Type.Array(Type.String({ minLength: 1 }), {
      description:
        'Regular expressions for topics whose records are acknowledged only when the other Kafka cluster has them, too, as with acks=replicated in a request; each is compared with the whole name. Needs clusters.peer.',
      default: [],
    }),
    compression: Choice(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
      description: 'Compression of batches, in transit and in the log.',
      default: 'none',
    }),
    lingerMs: Type.Integer({
      description:
        'How long a record waits for others to share its batch, in milliseconds; a full batch is sent at once. With 0, records that arrive while a request is in flight form the next batch.',
      default: 0,
      minimum: 0,
    }),
    maxBlockMs: milliseconds({
      description: 'How long a request waits for a topic that does not exist yet, in milliseconds.',
      default: 10_000,
    }),
    allowAutoTopicCreation: Type.Boolean({
      description:
        'Whether a record for a topic that does not exist lets Kafka create it (allow.auto.create.topics); the broker decides by its auto.create.topics.enable.',
      default: true,
    }),
    deliveryTimeoutMs: milliseconds({
      description:
        'How long the bridge tries to store a record before its entry in the response is an error, in milliseconds.',
      default: 20_000,
    }),
    maxRequestBytes: Type.Integer({
      description: 'Largest record, in bytes as Kafka stores it (max.request.size).',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxBatchBytes: Type.Integer({
      description: 'Largest request to a broker, in bytes; further records go into the next one.',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxBatchRecords: Type.Integer({
      description: 'Most records in a request to a broker.',
      default: 10_000,
      minimum: 1,
    }),
    idempotencyKeys: Type.Boolean({
      description:
        'Whether requests with an Idempotency-Key are stored once, however often they are repeated; 501 otherwise. Bridges then need the right to use transactional ids that begin with causeway-answers-.',
      default: true,
    }),
    idempotencyRetentionMs: milliseconds({
      description:
        'How long an Idempotency-Key and its answer are kept, in milliseconds. The first bridge creates the topic of answers with this retention; use the same value on all bridges.',
      default: 86_400_000,
    }),
    idempotencyMaxKeys: Type.Integer({
      description:
        'Most keys that a bridge keeps, about 45 bytes each; it refuses requests with further keys (503) rather than forget one before its time. Use the same value on all bridges.',
      default: 1_000_000,
      minimum: 1,
      maximum: 200_000_000,
    }),
    maxQueuedBytes: Type.Integer({
      description: 'Bytes of records that may wait or be in flight; the bridge refuses more with 503.',
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
      description: 'Most consumers of this bridge; it refuses more with 503.',
      default: 10_000,
      minimum: 1,
    }),
    maxTopics: Type.Integer({
      description: 'Most topics in one subscription; the bridge refuses more with 413.',
      default: 5000,
      minimum: 1,
      maximum: 100_000,
    }),
    maxPartitions: Type.Integer({
      description: 'Most entries in one commit, seek or assignment; the bridge refuses more with 413.',
      default: 5000,
      minimum: 1,
      maximum: 100_000,
    }),
    inactivityTimeoutMs: milliseconds({
      description:
        'Time without requests after which the bridge deletes a consumer, in milliseconds. Use the same value on all bridges: each also deletes the consumers of bridges that died, after twice this time.',
      default: 300_000,
    }),
    allowAutoTopicCreation: Type.Boolean({
      description:
        'Whether a subscription to a topic that does not exist lets Kafka create it (allow.auto.create.topics); the broker decides by its auto.create.topics.enable.',
      default: true,
    }),
    defaultAutoOffsetReset: Type.String({
      description:
        'Where a consumer without committed offsets starts, unless it sets auto.offset.reset: latest, earliest, none, or by_duration with an ISO-8601 duration before now, such as by_duration:PT1H.',
      default: 'latest',
      pattern: '^(?:latest|earliest|none|by_duration:.+)$',
    }),
    defaultIsolationLevel: Choice(ISOLATION_LEVELS, {
      description:
        'What a consumer that does not set isolation.level reads of transactions: all records as they are written, or only those of committed ones. A consumer keeps the level with which it was created. Use the same value on all bridges.',
      default: 'read_uncommitted',
    }),
    maxPollTimeoutMs: milliseconds({
      description: 'Longest timeout of a poll, in milliseconds; the bridge refuses more with 400.',
      default: 3_600_000,
      maximum: LONGEST_POLL_TIMEOUT_MS,
    }),
    maxPollBytes: Type.Integer({
      description:
        'Bytes of JSON at which a response to a poll ends, before compression; a single record that is longer comes alone. Gateways may ask for less (response.bufferBytes), and clients (max_bytes).',
      default: 8_388_608,
      minimum: 1024,
    }),
    maxPollRecords: Type.Integer({
      description: 'Most records in one response; by default its bytes alone are limited.',
      default: 2_147_483_647,
      minimum: 1,
    }),
    fetchMaxBytes: Type.Integer({
      description: 'Bytes of one fetch from a broker; a consumer holds no more than this for each broker.',
      default: 1_048_576,
      minimum: 1024,
    }),
    partitionFetchMaxBytes: Type.Integer({
      description: 'Bytes of one partition in such a fetch; a larger batch of records comes nevertheless, alone.',
      default: 1_048_576,
      minimum: 1024,
    }),
    maxFetchedBytes: Type.Integer({
      description:
        'Bytes that all consumers together hold until clients poll them, or fetch at the moment; beyond this, consumers do not fetch ahead, and fetch at most 65536 bytes at a time.',
      default: 134_217_728,
      minimum: 1024,
    }),
    defaultFetchMinBytes: Type.Integer({
      description:
        'Bytes that a broker waits for before it responds to a fetch, for consumers that do not set fetch.min.bytes.',
      default: 1,
      minimum: 0,
      maximum: 2_147_483_647,
    }),
    fetchMaxWaitMs: milliseconds({
      description: 'How long a broker may hold a fetch while there are no records, in milliseconds.',
      default: 30_000,
    }),
    isChecksumCompared: Type.Boolean({
      description:
        'Whether the bridge verifies the checksum of each record batch (check.crcs), to report damage on a disk.',
      default: true,
    }),
    excludeInternalTopics: Type.Boolean({
      description:
        "Whether consumers are refused Kafka's internal topics (exclude.internal.topics), with 403. They are always refused those of Causeway.",
      default: true,
    }),
    topicRefreshMs: milliseconds({
      description: 'How often a group looks for new topics and partitions, in milliseconds.',
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
        region: Type.String({
          description: 'The region where it runs.',
          pattern: '^[A-Za-z0-9._-]+$',
          examples: ['east'],
        }),
      },
      { description: 'The identity of this bridge.' },
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
      { description: 'The address for clients and gateways.' },
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
          tls: Type.Optional(ListenTls),
        },
        {
          description:
            'A port for operators and probes, in plain HTTP without tls. Without this section, /healthy, /ready and /metrics are on the port of the API.',
        },
      ),
    ),
    cors: CorsSection,
    compression: CompressionConfig,
    kafka: KafkaConfig,
    clusters: ClustersConfig,
    producer: ProducerConfig,
    consumers: ConsumersConfig,
    readiness: Section(
      {
        intervalMs: milliseconds({
          description: 'Pause between two checks of Kafka, in milliseconds.',
          default: 500,
        }),
        timeoutMs: milliseconds({ description: 'How long Kafka may take to respond, in milliseconds.', default: 1000 }),
        maxAgeMs: milliseconds({
          description: 'Time without a response from Kafka after which the bridge is not ready, in milliseconds.',
          default: 2000,
        }),
      },
      { description: 'When /ready reports that the bridge can serve.' },
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
      { description: 'The stop after SIGTERM or SIGINT.' },
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

/** What the schema cannot say. */
export function checkBridgeConfig(config: BridgeConfig): ConfigFinding[] {
  const problems: ConfigFinding[] = [
    ...checkKafkaConfig(config.kafka),
    ...checkClustersConfig(config.clusters, config.kafka.cluster),
    ...checkTopicPatterns(config.producer.replicatedTopics, ['producer', 'replicatedTopics']),
    ...checkTrust(config.trust, {
      // The management port serves probes of gateways, not their requests.
      verifiesClients: verifiesClients(config.listen.tls),
    }),
  ];
  if (config.readiness.maxAgeMs <= config.readiness.intervalMs) {
    problems.push({ path: ['readiness', 'maxAgeMs'], reason: 'must be greater than readiness.intervalMs' });
  }
  if (config.producer.replicatedTopics.length > 0 && config.clusters.peer === undefined) {
    problems.push({
      path: ['producer', 'replicatedTopics'],
      reason: 'needs clusters.peer, the cluster that is to have the records',
    });
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
