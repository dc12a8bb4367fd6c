/** What the admin API says: schema and type of each answer, and of the bodies and queries that it takes. */
import { type Static, type TSchema, Type } from 'typebox';
import { EventSchema } from './events.ts';

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const OneOf = <const Words extends readonly string[]>(words: Words, description: string) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: words, description });
/** Closed: what is not described is not answered. */
const Closed = { additionalProperties: false };

export const STATES = ['up', 'degraded', 'down'] as const;
export type State = (typeof STATES)[number];

export const Rates = Type.Object(
  {
    requestsPerSecond: Type.Number({ description: 'Over the last ten seconds.' }),
    errorsPerSecond: Type.Number({ description: 'Answers with 5xx, of a region or of the gateway itself.' }),
    p50Ms: Nullable(Type.Number({ description: 'Half of the requests but polls took no longer; null without any.' })),
    p99Ms: Nullable(Type.Number({ description: '99 % of the requests but polls took no longer; null without any.' })),
  },
  { $id: 'Rates', ...Closed },
);
export type Rates = Static<typeof Rates>;

const targetProperties = {
  url: Type.String(),
  name: Nullable(Type.String({ description: 'Of a bridge, `region/bridge`; null before a probe told.' })),
  kind: OneOf(['gateway', 'bridge', 'unknown'], 'As its probes or the configuration tell it.'),
  isAvailable: Type.Boolean({ description: 'Whether requests are sent there now.' }),
  inFlight: Count('Requests under way.'),
  rates: Rates,
  health: Type.Object(
    {
      status: OneOf(['unknown', 'healthy', 'unhealthy'], 'As probes judge it.'),
      since: Time('When the status last changed.'),
      reason: Type.String(),
    },
    Closed,
  ),
  breaker: Type.Object({ state: OneOf(['closed', 'open', 'halfOpen'], ''), since: Time('') }, Closed),
  kafkaRates: Type.Union([Rates, Type.Null()], {
    description:
      "Of a bridge's own requests to Kafka, of all kinds; errors are those that failed or were refused, without the normal course of groups. Percentiles are of produce requests alone: a fetch waits for records for as long as it may. null where no bridge has told.",
  }),
  behindError: Nullable(Type.String({ description: 'Why `behind` is not known now; it is what was told before.' })),
  behindAt: Nullable(Time('When `behind` was told.')),
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
        description: "A regional gateway's own targets, as its admin API last told them; null before it ever did.",
      }),
    ),
  },
  { $id: 'Target', ...Closed },
);
export type Target = Static<typeof Target>;

export const Region = Type.Object(
  {
    name: Type.String(),
    weight: Count('In force: 0 while it is drained.'),
    configuredWeight: Count('By the configuration file.'),
    weightIsOverridden: Type.Boolean({ description: 'An operator set another weight, until the next reload.' }),
    shareRatio: Nullable(
      Type.Number({ minimum: 0, maximum: 1, description: 'Of the requests that regions answered; null without any.' }),
    ),
    priority: Type.Integer(),
    isDrained: Type.Boolean({ description: 'An operator drains it, until the next reload.' }),
    isLocal: Type.Boolean({ description: 'The region in which this gateway stands.' }),
    state: OneOf(STATES, '`up`: every target is available; `degraded`: some are; `down`: none is.'),
    since: Time('When the state last changed.'),
    reason: Type.String({ description: 'Why it is so, in words.' }),
    inFlight: Count('Requests under way.'),
    consumerCount: Count('Consumers that this gateway remembers there.'),
    rates: Rates,
    targets: Type.Array(Target),
  },
  { $id: 'Region', ...Closed },
);
export type Region = Static<typeof Region>;

export const Redirect = Type.Object(
  {
    from: Type.String({ description: 'The region to which the work belongs by weight or home.' }),
    to: Type.String({ description: 'The region that answered it.' }),
    requestsPerSecond: Type.Number(),
  },
  { $id: 'Redirect', ...Closed },
);
export type Redirect = Static<typeof Redirect>;

export const System = Type.Object(
  {
    at: Time('When this was true.'),
    gateway: Type.Object({ name: Type.String(), region: Nullable(Type.String()), startedAt: Time('') }, Closed),
    state: OneOf(STATES, '`up`: all is well; `degraded`: something is not; `down`: no request can be served.'),
    summary: Type.String({ description: 'One sentence: which region, since when, why, where its consumers are.' }),
    isPanic: Type.Boolean({
      description: 'Too few targets are left: probes are not believed, all of them get traffic.',
    }),
    clients: Type.Object({ connectionCount: Count('Open connections of clients.'), rates: Rates }, Closed),
    regions: Type.Array(Region),
    redirects: Type.Array(Redirect),
    kafka: Type.Object(
      {
        state: OneOf([...STATES, 'unknown'], 'As the bridges tell it.'),
        since: Nullable(Time('')),
        reason: Type.String(),
      },
      Closed,
    ),
    consumers: Type.Object({ count: Count('Consumers whose home this gateway remembers.') }, Closed),
    retryBudget: Type.Object(
      { remainingCount: Count('Retries that are allowed now.'), usedCount: Count('Retries of the last ten seconds.') },
      Closed,
    ),
    config: Type.Object(
      {
        file: Type.String(),
        loadedAt: Time(''),
        lastError: Nullable(
          Type.Object({ at: Time(''), reason: Type.String() }, { description: 'The last refused change.', ...Closed }),
        ),
      },
      Closed,
    ),
    adminAccess: Type.Object(
      {
        canChange: Type.Boolean({ description: 'Whether a token is configured.' }),
        reason: Type.String({ description: 'How changes are made, or why they cannot be.' }),
      },
      Closed,
    ),
  },
  { $id: 'System', ...Closed },
);
export type System = Static<typeof System>;

/** The rates of each region at one moment; an event `sample` of the live stream. */
export const Sample = Type.Object(
  { atSeconds: Type.Number({ description: 'Seconds since 1970.' }), regions: Type.Record(Type.String(), Rates) },
  { $id: 'Sample', ...Closed },
);
export type Sample = Static<typeof Sample>;

const Curve = Type.Array(Nullable(Type.Number()));

/** The samples of the last 15 minutes, in columns: each curve is as long as `atSeconds`. */
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
    home: Type.String({ description: 'The bridge that holds it, as `region/bridge`.' }),
    state: Type.String(),
    since: Time('Since when this bridge holds it.'),
    adoptions: Count('How often it changed its owner.'),
    lastPollAt: Nullable(Time('null before the first poll at this bridge.')),
    lag: Nullable(Count('Records behind the end of its partitions; null while not known.')),
  },
  { $id: 'Consumer', ...Closed },
);
export type Consumer = Static<typeof Consumer>;

export const ConsumerQuery = Type.Object(
  {
    filter: Type.Optional(
      Type.String({ description: 'A part of group, instance, home or state; case does not matter.' }),
    ),
    region: Type.Optional(Type.String({ description: 'Only consumers whose home is there.' })),
    limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000, default: 200 })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000, default: 0 })),
    scope: Type.Optional(OneOf(['all', 'local'], "`local`: only the bridges of the gateway's own region.")),
  },
  Closed,
);
export type ConsumerQuery = Static<typeof ConsumerQuery>;

export const ConsumerPage = Type.Object(
  {
    total: Count('All consumers that are known.'),
    matching: Count('Of them, those that the query asks for.'),
    consumers: Type.Array(Consumer),
    incomplete: Type.Array(Type.Object({ region: Type.String(), reason: Type.String() }, Closed), {
      description: 'Regions that did not tell all of their consumers, and why.',
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

/** Answer of `/api/events` as JSON, oldest first. */
export const EventList = Type.Object({ events: Type.Array(EventSchema) }, { $id: 'EventList', ...Closed });

export type { RecordedEvent } from './events.ts';
