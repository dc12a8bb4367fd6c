/** The events of a gateway, as in its log and in the admin API. The types follow from the schema. */
import { type Static, type TProperties, Type } from 'typebox';

const Health = Type.Union([Type.Literal('unknown'), Type.Literal('healthy'), Type.Literal('unhealthy')]);
const Breaker = Type.Union([Type.Literal('closed'), Type.Literal('open'), Type.Literal('halfOpen')]);

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
    Event('adoption', {
      consumerCount: Type.Integer({ minimum: 1 }),
      from: Type.String({ description: 'The former owner, as `region/bridge`.' }),
      to: Type.String(),
      consumers: Type.Array(Type.String(), { description: 'The first consumers, as `group/instance`.' }),
    }),
    Event('failover', { ...ofTarget, requestCount: Type.Integer({ minimum: 1 }), reason: Type.String() }),
    Event('reload', { file: Type.String(), changes: Type.Array(Type.String()) }),
    Event('reloadRefused', { file: Type.String(), reason: Type.String() }),
    /** The files of a certificate changed: they are in use, or, with a `problem`, those before stay. */
    Event('certificate', {
      of: Type.String({ description: '`upstream.tls`, or the listener.' }),
      problem: Type.Union([Type.String(), Type.Null()]),
      expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
        description: 'When the certificate in use ends; null without one.',
      }),
    }),
    /** The access log or spans cannot be written; with a `reason` of null, they can be written again. */
    Event('telemetry', {
      part: Type.Union([Type.Literal('accessLog'), Type.Literal('tracing')]),
      reason: Type.Union([Type.String(), Type.Null()]),
    }),
    /** Requests claim to come from a gateway but lack the secret. At most one event a minute. */
    Event('impostor', { address: Type.String(), requestCount: Type.Integer({ minimum: 1 }), reason: Type.String() }),
    Event('started', { url: Type.String(), adminUrl: Type.String() }),
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
