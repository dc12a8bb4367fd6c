/** The events of a gateway, as it logs them and as the admin API sends them: one schema, from which the types follow. */
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
        Type.String({ description: 'The regional gateway that told it, as `region/name`; left out for its own.' }),
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
      from: Type.String({ description: 'The bridge that had them, as `region/bridge`.' }),
      to: Type.String(),
      consumers: Type.Array(Type.String(), { description: 'The first of them, as `group/instance`.' }),
    }),
    Event('failover', { ...ofTarget, requestCount: Type.Integer({ minimum: 1 }), reason: Type.String() }),
    Event('reload', { file: Type.String(), changes: Type.Array(Type.String()) }),
    Event('reloadRefused', { file: Type.String(), reason: Type.String() }),
    /** Lines of the access log, or spans, cannot be written; a `reason` of null: they can be again. */
    Event('telemetry', {
      part: Type.Union([Type.Literal('accessLog'), Type.Literal('tracing')]),
      reason: Type.Union([Type.String(), Type.Null()]),
    }),
    /** Requests that claim to come from a gateway and do not carry its secret; at most one event a minute. */
    Event('impostor', { address: Type.String(), requestCount: Type.Integer({ minimum: 1 }), reason: Type.String() }),
    Event('started', { url: Type.String(), adminUrl: Type.String() }),
    Event('stopping', { reason: Type.String() }),
  ],
  { $id: 'Event' },
);

/** A target's state as its probes judge it. */
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
