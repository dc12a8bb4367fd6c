/** The events of a gateway, as in its log and in the admin API. The types follow from the schema. */
import { type Static, type TProperties, Type } from 'typebox';
import { CLUSTER_MODES } from '../clusters.ts';

const Health = Type.Union([Type.Literal('unknown'), Type.Literal('healthy'), Type.Literal('unhealthy')]);
const Breaker = Type.Union([Type.Literal('closed'), Type.Literal('open'), Type.Literal('halfOpen')]);

const ClusterMode = Type.Unsafe<(typeof CLUSTER_MODES)[number]>({ type: 'string', enum: [...CLUSTER_MODES] });

function Event<const Name extends string, Properties extends TProperties>(type: Name, properties: Properties) {
  return Type.Object(
    {
      id: Type.Integer({ minimum: 1 }),
      at: Type.String({ format: 'date-time' }),
      type: Type.Literal(type),
      ...properties,
      gateway: Type.Optional(
        Type.String({
          description: 'The regional gateway that sent the event, as `region/name`. Absent in events of this gateway.',
        }),
      ),
    },
    { additionalProperties: false },
  );
}

const ofTarget = { region: Type.String(), target: Type.String() };

export const EventSchema = Type.Union(
  [
    Event('health', { ...ofTarget, from: Health, to: Health, reason: Type.String() }),
    Event('breaker', { ...ofTarget, from: Breaker, to: Breaker, reason: Type.String() }),
    Event('panic', { isPanic: Type.Boolean(), reason: Type.String() }),
    Event('drain', { region: Type.String(), isDrained: Type.Boolean() }),
    Event('weight', { region: Type.String(), from: Type.Integer(), to: Type.Integer() }),
    /** Another Kafka cluster became active: requests of clients go to its regions. */
    Event('promotion', {
      cluster: Type.String({ description: 'The promoted one.' }),
      from: Type.String({ description: 'The one that was active before, as far as this gateway knew.' }),
      promotion: Type.Integer({ minimum: 1, description: 'The number of the promotion.' }),
      reason: Type.String({
        description: 'Which region or gateway reported it, or why this gateway promoted the cluster.',
      }),
    }),
    /** The gateway tried to promote a Kafka cluster by itself. It tries again every second, and reports another reason only. */
    Event('promotionFailed', { cluster: Type.String(), reason: Type.String() }),
    /** The mode of a Kafka cluster changed, as its bridges report it. */
    Event('cluster', { cluster: Type.String(), from: ClusterMode, to: ClusterMode }),
    Event('adoption', {
      consumerCount: Type.Integer({ minimum: 1 }),
      from: Type.String({ description: 'The former owner, as `region/bridge`.' }),
      to: Type.String(),
      consumers: Type.Array(Type.String(), { description: 'The first consumers, as `group/instance`.' }),
    }),
    Event('failover', { ...ofTarget, requestCount: Type.Integer({ minimum: 1 }), reason: Type.String() }),
    Event('reload', { file: Type.String(), changes: Type.Array(Type.String()) }),
    Event('reloadRefused', { file: Type.String(), reason: Type.String() }),
    /** DNS gave a name other addresses: each is a target. */
    Event('discovery', {
      region: Type.String(),
      name: Type.String({ description: 'As in the configuration.' }),
      added: Type.Array(Type.String(), { description: 'URLs of new targets.' }),
      removed: Type.Array(Type.String(), {
        description: 'URLs of targets that get no more work, and finish what they have.',
      }),
      targetCount: Type.Integer({ minimum: 0, description: 'Targets of the name in the region from now on.' }),
    }),
    /** DNS gives no addresses for a name, whose targets stay, or too many; with a `problem` of null, it does again. */
    Event('discoveryProblem', {
      name: Type.String({ description: 'As in the configuration.' }),
      problem: Type.Union([Type.String(), Type.Null()]),
      addressCount: Type.Integer({ minimum: 0, description: 'Addresses in use.' }),
    }),
    /** The files of a certificate changed: they are in use, or, with a `problem`, those before stay. Also when a certificate expires. */
    Event('certificate', {
      of: Type.String({ description: '`upstream.tls`, or `listener NAME`.' }),
      problem: Type.Union([Type.String(), Type.Null()]),
      expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
        description: 'When the certificate in use ends; null without one.',
      }),
    }),
    /** The keys of an issuer of tokens cannot be read: those before stay in use; with a `problem` of null, they can be read again. */
    Event('issuerKeys', { issuer: Type.String(), problem: Type.Union([Type.String(), Type.Null()]) }),
    /** A file of passwords or API keys changed: it is in use, or, with a `problem`, the one before stays. Also a file with dangerous permissions. */
    Event('credentials', {
      file: Type.String(),
      problem: Type.Union([Type.String(), Type.Null()]),
      warning: Type.Union([Type.String(), Type.Null()]),
      principalCount: Type.Integer({ minimum: 0, description: 'Principals of the file in use.' }),
    }),
    /** TLS handshakes of clients failed. At most one event a minute for each listener and kind of reason. */
    Event('handshake', {
      listener: Type.String(),
      address: Type.String({ description: 'Of the last client.' }),
      failureCount: Type.Integer({ minimum: 1, description: 'Since the last event of this kind.' }),
      reason: Type.String(),
    }),
    /** The access log or spans cannot be written; with a `reason` of null, they can be written again. */
    Event('telemetry', {
      part: Type.Union([Type.Literal('accessLog'), Type.Literal('tracing')]),
      reason: Type.Union([Type.String(), Type.Null()]),
    }),
    /** Requests claim to come from a gateway but show neither the secret nor a listed certificate. At most one event a minute. */
    Event('impostor', { address: Type.String(), requestCount: Type.Integer({ minimum: 1 }), reason: Type.String() }),
    /** A target does not apply what this gateway knows of principals; their requests get 502. At most one event a minute for each target. */
    Event('rulesNotEnforced', {
      ...ofTarget,
      requestCount: Type.Integer({ minimum: 1, description: 'Since the event before.' }),
    }),
    /** A change through the admin API, done or refused by its route. */
    Event('audit', {
      who: Type.String({ description: 'The name of the token.' }),
      what: Type.String({ description: 'The change with the values before and after, or the operation that failed.' }),
      request: Type.String({ description: 'Method and path.' }),
      address: Type.String({ description: 'The sender: a client, or the gateway that relayed the request.' }),
      askedBy: Type.Union([Type.String(), Type.Null()], {
        description: 'Who asked the gateway that relayed the request, as that gateway says; null without a relay.',
      }),
      status: Type.Integer({
        description:
          'The status of the response; 499 if the client did not wait for it, so that the change may have been made.',
      }),
      reason: Type.Union([Type.String(), Type.Null()], {
        description: 'Why it failed; null for a change that was made.',
      }),
    }),
    /** The admin API refused requests: of an unknown token, of a viewer, of a page of another origin. At most one event a minute for each reason. */
    Event('accessRefused', {
      who: Type.Union([Type.String(), Type.Null()], {
        description: 'The name of the token; null without a valid one.',
      }),
      request: Type.String({ description: 'Method and path of the last request.' }),
      address: Type.String(),
      requestCount: Type.Integer({ minimum: 1, description: 'Since the event before.' }),
      status: Type.Integer(),
      reason: Type.String(),
    }),
    /** A listener closed connections before their first request. At most one event a minute for each kind of reason. */
    Event('connectionsRefused', {
      listener: Type.String(),
      connectionCount: Type.Integer({ minimum: 1, description: 'Since the event before.' }),
      reason: Type.String(),
    }),
    /** Requests were refused for a quota. At most one event a minute for each quota. */
    Event('quotaExceeded', {
      quota: Type.String({ description: 'As in the configuration: `requestsPerSecond`, `maxInFlight`, …' }),
      who: Type.String({ description: 'The principal, or the address, of the last request.' }),
      requestCount: Type.Integer({
        minimum: 1,
        description: 'Since the event before, of all principals and addresses.',
      }),
    }),
    Event('started', {
      url: Type.String({ description: 'Of the first listener for clients.' }),
      urls: Type.Optional(Type.Array(Type.String(), { description: 'Of all listeners, where there are several.' })),
      adminUrl: Type.String(),
    }),
    Event('stopping', { reason: Type.String() }),
  ],
  { $id: 'Event' },
);

/** The state of a target by its probes. */
export type HealthStatus = Static<typeof Health>;
export type BreakerState = Static<typeof Breaker>;

/**
 * An event with its place in the sequence and its time (ISO 8601). `gateway` names the regional gateway that sent it, as
 * `region/name`; a gateway leaves it out of its own events.
 */
export type RecordedEvent = Static<typeof EventSchema>;

type WithoutRecord<Event> = Event extends unknown ? Omit<Event, 'id' | 'at' | 'gateway'> : never;
/** An event before it is recorded. */
export type GatewayEvent = WithoutRecord<RecordedEvent>;
