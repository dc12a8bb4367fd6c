/** The admin API: schemas and types of its responses, bodies and queries. */
import { type Static, type TSchema, Type } from 'typebox';
import {
  CLUSTER_MODES,
  LossReport,
  PROMOTION_KINDS,
  PromoteResponse,
  PromotionSchema,
  ReplicationStatus,
} from '../clusters.ts';
import { EventSchema } from './events.ts';

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const OneOf = <const Words extends readonly string[]>(words: Words, description: string) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: words, description });
/** Responses have no other properties. */
const Closed = { additionalProperties: false };

export const STATES = ['up', 'degraded', 'down'] as const;
export type State = (typeof STATES)[number];

export const Rates = Type.Object(
  {
    requestsPerSecond: Type.Number({ description: 'Over the last ten seconds.' }),
    errorsPerSecond: Type.Number({ description: 'Responses with 5xx, from a region or from the gateway itself.' }),
    p50Ms: Nullable(
      Type.Number({ description: 'Half of the requests took no longer; polls excluded. null without requests.' }),
    ),
    p99Ms: Nullable(
      Type.Number({ description: '99 % of the requests took no longer; polls excluded. null without requests.' }),
    ),
  },
  { $id: 'Rates', ...Closed },
);
export type Rates = Static<typeof Rates>;

const targetProperties = {
  url: Type.String(),
  discoveredBy: Nullable(
    Type.String({
      description: 'The DNS name that gave its address; null for a target with a URL in the configuration.',
    }),
  ),
  name: Nullable(
    Type.String({ description: '`region/bridge` for a bridge; null before the first response to a probe.' }),
  ),
  kind: OneOf(['gateway', 'bridge', 'unknown'], 'From responses to probes, or from the configuration.'),
  isAvailable: Type.Boolean({ description: 'Whether the gateway sends requests to it now.' }),
  inFlight: Count('Requests in flight.'),
  rates: Rates,
  health: Type.Object(
    {
      status: OneOf(['unknown', 'healthy', 'unhealthy'], 'The result of probes.'),
      since: Time('When the status last changed.'),
      reason: Type.String(),
    },
    Closed,
  ),
  breaker: Type.Object({ state: OneOf(['closed', 'open', 'halfOpen'], ''), since: Time('') }, Closed),
  kafkaRates: Type.Union([Rates, Type.Null()], {
    description:
      "A bridge's own requests to Kafka, of all kinds. Errors are requests that failed or that Kafka refused, except in the normal course of groups. Percentiles cover produce requests only, since fetches wait for records. null if no bridge reports them.",
  }),
  behindError: Nullable(Type.String({ description: 'Why `behind` is out of date; null while it is current.' })),
  behindAt: Nullable(Time('When `behind` was received.')),
};

export const BehindTarget = Type.Object(
  { ...targetProperties, behind: Type.Null() },
  { $id: 'BehindTarget', ...Closed },
);
export type BehindTarget = Static<typeof BehindTarget>;

export const Target = Type.Object(
  {
    ...targetProperties,
    behind: Nullable(
      Type.Array(BehindTarget, {
        description:
          "A regional gateway's own targets, from the last response of its admin API; null before the first.",
      }),
    ),
  },
  { $id: 'Target', ...Closed },
);
export type Target = Static<typeof Target>;

export const DnsName = Type.Object(
  {
    name: Type.String({ description: 'As in the configuration.' }),
    addressCount: Count('Its addresses in use.'),
    problem: Nullable(
      Type.String({
        description:
          'Why DNS gives no addresses, so that those of the last answer are in use, or too many; null if it does.',
      }),
    ),
    since: Nullable(Time('When the problem began; null without one.')),
  },
  { $id: 'DnsName', ...Closed },
);
export type DnsName = Static<typeof DnsName>;

export const Region = Type.Object(
  {
    name: Type.String(),
    weight: Count('The weight in effect: 0 while the region is drained, or its Kafka cluster stands by.'),
    configuredWeight: Count('The weight in the configuration file.'),
    weightIsOverridden: Type.Boolean({ description: 'An operator has set another weight, until the next reload.' }),
    shareRatio: Nullable(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: "The region's share of all requests that regions served; null without requests.",
      }),
    ),
    priority: Type.Integer(),
    isDrained: Type.Boolean({ description: 'An operator has drained it, until the next reload.' }),
    cluster: Nullable(
      Type.String({ description: 'The Kafka cluster of its bridges; null without the section `clusters`.' }),
    ),
    standsBy: Type.Boolean({ description: 'Its Kafka cluster is not the active one: it gets no requests of clients.' }),
    isLocal: Type.Boolean({ description: "Whether it is this gateway's own region." }),
    state: OneOf(STATES, '`up`: all targets are available; `degraded`: some are; `down`: no target is.'),
    since: Time('When the state last changed.'),
    reason: Type.String({ description: 'The reason for the state, in words.' }),
    inFlight: Count('Requests in flight.'),
    consumerCount: Count('Consumers whose home is there, as far as this gateway knows.'),
    rates: Rates,
    targets: Type.Array(Target),
    dnsNames: Type.Array(DnsName, { description: 'The names by which its targets are found.' }),
  },
  { $id: 'Region', ...Closed },
);
export type Region = Static<typeof Region>;

export const Redirect = Type.Object(
  {
    from: Type.String({ description: 'The region to which the requests belong by weight or home.' }),
    to: Type.String({ description: 'The region that served them.' }),
    requestsPerSecond: Type.Number(),
  },
  { $id: 'Redirect', ...Closed },
);
export type Redirect = Static<typeof Redirect>;

export const Listener = Type.Object(
  {
    name: Type.String(),
    url: Type.String(),
    protocols: Type.Array(OneOf(['h2', 'h2c', 'http/1.1'], ''), {
      description: 'What its clients may speak; h2c is HTTP/2 without TLS.',
    }),
    connectionCount: Count('Its open connections.'),
    tls: Nullable(
      Type.Object(
        {
          notAfter: Time('When the first of its certificates ends.'),
          expiresSoon: Type.Boolean({ description: 'Less than a tenth of the life of one of them is left.' }),
          names: Type.Array(Type.String(), { description: 'Host names and addresses in its certificates.' }),
          problem: Nullable(
            Type.String({
              description: 'Why its changed files are not in use, or that a certificate has expired; null if neither.',
            }),
          ),
        },
        { description: 'null for plain HTTP.', ...Closed },
      ),
    ),
  },
  { $id: 'Listener', ...Closed },
);
export type Listener = Static<typeof Listener>;

export const KafkaCluster = Type.Object(
  {
    name: Type.String(),
    regions: Type.Array(Type.String(), { description: 'The regions whose bridges speak to it.' }),
    isActive: Type.Boolean({ description: 'Whether it serves clients, as far as this gateway knows.' }),
    canServe: Type.Boolean({ description: 'Whether any of its regions has a target that could serve clients.' }),
    mode: OneOf(
      [...CLUSTER_MODES, 'unknown'],
      'By the last probes of its bridges: `pausing` while it is handed over, `fenced` after another one was promoted without it; `unknown` while no bridge of it is available.',
    ),
    promoted: Nullable(
      Type.Object(
        { kind: OneOf(PROMOTION_KINDS, ''), at: Time(''), by: Type.String(), reason: Type.String() },
        { description: 'Its last promotion; null if it never was.', ...Closed },
      ),
    ),
    replication: Type.Union([ReplicationStatus, Type.Null()], {
      description:
        'What would be lost if the active cluster died now, as a bridge of this one measures it; the 10 topics that are furthest behind. null without a report.',
    }),
    report: Type.Union([LossReport, Type.Null()], { description: 'Of its last forced promotion: what was lost.' }),
    reportedAt: Nullable(Time('When one of its bridges last responded.')),
    problem: Nullable(Type.String({ description: 'Why its report is out of date; null while it is current.' })),
  },
  { $id: 'KafkaCluster', ...Closed },
);
export type KafkaCluster = Static<typeof KafkaCluster>;

export const KafkaClusters = Type.Object(
  {
    active: Type.String({ description: 'The cluster that serves clients.' }),
    promotion: Count('The number of the promotion by which it is active; 0 while none is known.'),
    since: Nullable(Time('When it became active; null while unknown.')),
    reason: Type.String({ description: 'Why it is active.' }),
    by: Nullable(Type.String({ description: 'Who promoted it; null while unknown.' })),
    isReplicationEnded: Nullable(
      Type.Boolean({
        description:
          'Whether MirrorMaker has stopped filling the active cluster since its promotion, so that replication from it may begin; null while unknown.',
      }),
    ),
    promoteAfterMs: Nullable(Count('As configured; null: only operators promote.')),
    awaited: Nullable(
      OneOf(
        ['firstProbes', 'switchOver', 'promotion'],
        'Why requests wait: the gateway has just started; no bridge of the active cluster takes requests; it is down, and another one may be promoted.',
      ),
    ),
    waitingCount: Count('Requests that wait.'),
    members: Type.Array(KafkaCluster),
  },
  { $id: 'KafkaClusters', ...Closed },
);
export type KafkaClusters = Static<typeof KafkaClusters>;

/** Body of a promotion. */
export const PromoteOptions = Type.Object(
  {
    force: Type.Optional(
      Type.Boolean({
        description:
          'Whether what was not replicated may be lost, also if replication does not catch up with an active cluster that can be reached. Default: only if its Kafka cannot be reached and no region of it has a healthy target.',
      }),
    ),
  },
  { $id: 'PromoteOptions', ...Closed },
);
export type PromoteOptions = Static<typeof PromoteOptions>;

/** Body of the end of a replication. */
export const ReplicationEndOptions = Type.Object(
  {
    promotion: Type.Optional(
      Count('The number of the promotion since which it has ended. Default: that of the active cluster.'),
    ),
  },
  { $id: 'ReplicationEndOptions', ...Closed },
);
export type ReplicationEndOptions = Static<typeof ReplicationEndOptions>;

/** Response to a promotion: what the bridge says, and the clusters afterwards. */
export const Promoted = Type.Object(
  { ...PromoteResponse.properties, clusters: KafkaClusters },
  { $id: 'Promoted', ...Closed },
);
export type Promoted = Static<typeof Promoted>;

export const Rejoined = Type.Object(
  {
    promotion: PromotionSchema,
    report: Type.Union([LossReport, Type.Null()], {
      description: 'What the cluster has and the active one lacks; null if nothing is known of it.',
    }),
    clusters: KafkaClusters,
  },
  { $id: 'Rejoined', ...Closed },
);
export type Rejoined = Static<typeof Rejoined>;

export const System = Type.Object(
  {
    at: Time('When the gateway took this picture.'),
    gateway: Type.Object({ name: Type.String(), region: Nullable(Type.String()), startedAt: Time('') }, Closed),
    state: OneOf(
      STATES,
      '`up`: everything is healthy; `degraded`: something is not; `down`: no request can be served.',
    ),
    summary: Type.String({
      description: 'One sentence: the region that is down, since when, why, and where its consumers are.',
    }),
    isPanic: Type.Boolean({
      description: 'Too few targets are available: probes are ignored, and all targets get traffic.',
    }),
    clients: Type.Object(
      {
        connectionCount: Count('Open connections of clients.'),
        listeners: Type.Array(Listener, { description: 'Where clients connect, in the order of the configuration.' }),
        rates: Rates,
      },
      Closed,
    ),
    regions: Type.Array(Region),
    redirects: Type.Array(Redirect),
    kafka: Type.Object(
      {
        state: OneOf([...STATES, 'unknown'], 'As the bridges report it.'),
        since: Nullable(Time('')),
        reason: Type.String(),
      },
      Closed,
    ),
    clusters: Type.Union([KafkaClusters, Type.Null()], {
      description: 'Several Kafka clusters, of which one serves clients; null without the section `clusters`.',
    }),
    consumers: Type.Object({ count: Count('Consumers whose home this gateway knows.') }, Closed),
    retryBudget: Type.Object(
      {
        remainingCount: Count('Retries that the budget allows now.'),
        usedCount: Count('Retries in the last ten seconds.'),
      },
      Closed,
    ),
    config: Type.Object(
      {
        file: Type.String(),
        loadedAt: Time(''),
        lastError: Nullable(
          Type.Object(
            { at: Time(''), reason: Type.String() },
            { description: 'The last change that was refused.', ...Closed },
          ),
        ),
      },
      Closed,
    ),
    upstreamTls: Nullable(
      Type.Object(
        {
          notAfter: Nullable(Time('When the certificate that the gateway shows its targets ends; null without one.')),
          expiresSoon: Type.Boolean({ description: 'Less than a tenth of its life is left.' }),
          problem: Nullable(
            Type.String({
              description: 'Why its changed files are not in use, or that it has expired; null if neither.',
            }),
          ),
        },
        { description: 'The files of `upstream.tls`; null if none is configured.', ...Closed },
      ),
    ),
    admin: Listener,
    adminAccess: Type.Object(
      {
        canChange: Type.Boolean({ description: 'Whether an operator has a token, which changes need.' }),
        reason: Type.String({ description: 'How to make changes, or why they are not possible.' }),
      },
      Closed,
    ),
  },
  { $id: 'System', ...Closed },
);
export type System = Static<typeof System>;

/** Response of `/api/access`. */
export const AdminAccess = Type.Object(
  {
    name: Nullable(Type.String({ description: 'The name of the token; null without one.' })),
    role: Nullable(OneOf(['operator', 'viewer'], 'A viewer reads; an operator makes changes, too.')),
    canChange: Type.Boolean({ description: 'Whether this sender may make changes.' }),
    reason: Type.String({ description: 'How to make changes, or why they are not possible.' }),
  },
  { $id: 'AdminAccess', ...Closed },
);
export type AdminAccess = Static<typeof AdminAccess>;

/** The rates of each region at one moment: an event `sample` of the live stream. */
export const Sample = Type.Object(
  { atSeconds: Type.Number({ description: 'Seconds since 1970.' }), regions: Type.Record(Type.String(), Rates) },
  { $id: 'Sample', ...Closed },
);
export type Sample = Static<typeof Sample>;

const Curve = Type.Array(Nullable(Type.Number()));

/** The samples of the last 15 minutes, by column. Each curve is as long as `atSeconds`. */
export const History = Type.Object(
  {
    stepMs: Type.Integer(),
    atSeconds: Type.Array(Type.Number()),
    regions: Type.Record(
      Type.String(),
      Type.Object({ requestsPerSecond: Curve, errorsPerSecond: Curve, p50Ms: Curve, p99Ms: Curve }, Closed),
    ),
  },
  { $id: 'History', ...Closed },
);
export type History = Static<typeof History>;

export const Consumer = Type.Object(
  {
    group: Type.String(),
    instance: Type.String(),
    principal: Nullable(Type.String({ description: 'The principal that created it; null without authentication.' })),
    home: Type.String({ description: 'The owner, as `region/bridge`.' }),
    state: Type.String(),
    since: Time('When the owner got the consumer.'),
    adoptions: Count('How many times another bridge adopted it.'),
    lastPollAt: Nullable(Time('null before the first poll at this owner.')),
    lag: Nullable(Count('Records behind the ends of its partitions; null while unknown.')),
  },
  { $id: 'Consumer', ...Closed },
);
export type Consumer = Static<typeof Consumer>;

export const ConsumerQuery = Type.Object(
  {
    filter: Type.Optional(
      Type.String({ description: 'Part of the group, instance, principal, home or state, case-insensitive.' }),
    ),
    region: Type.Optional(Type.String({ description: 'Only consumers whose home is in this region.' })),
    limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000, default: 200 })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000, default: 0 })),
    scope: Type.Optional(OneOf(['all', 'local'], "`local`: only the bridges of the gateway's own region.")),
  },
  Closed,
);
export type ConsumerQuery = Static<typeof ConsumerQuery>;

export const ConsumerPage = Type.Object(
  {
    total: Count('All known consumers.'),
    matching: Count('Consumers that match the query.'),
    consumers: Type.Array(Consumer),
    incomplete: Type.Array(Type.Object({ region: Type.String(), reason: Type.String() }, Closed), {
      description: 'Regions whose consumers are missing in part, and why.',
    }),
  },
  { $id: 'ConsumerPage', ...Closed },
);
export type ConsumerPage = Static<typeof ConsumerPage>;

export const WeightChange = Type.Object(
  { weight: Type.Integer({ minimum: 0, maximum: 1_000 }) },
  { $id: 'WeightChange', ...Closed },
);
export type WeightChange = Static<typeof WeightChange>;

export const ConfigCheck = Type.Object(
  {
    isValid: Type.Boolean(),
    errors: Type.Array(
      Type.Object(
        {
          message: Type.String(),
          line: Type.Integer({ minimum: 1 }),
          column: Type.Optional(Type.Integer({ minimum: 1 })),
        },
        Closed,
      ),
    ),
  },
  { $id: 'ConfigCheck', ...Closed },
);
export type ConfigCheck = Static<typeof ConfigCheck>;

/** Response of `/api/events` as JSON, oldest first. */
export const EventList = Type.Object({ events: Type.Array(EventSchema) }, { $id: 'EventList', ...Closed });

export type { RecordedEvent } from './events.ts';
