/** What the gateway of a region reports about itself, checked: a response of another program must not break this gateway's own. */
import { EventSchema, type RecordedEvent } from '@causeway/protocol/admin/events.ts';
import type { BehindTarget } from '@causeway/protocol/admin/model.ts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';

export interface RegionReport {
  gateway: { name: string; region: string | null; startedAt: string };
  /** Of the gateway's own region. */
  targets: BehindTarget[];
}

const Since = { since: Type.String() };
/** What every version reports, and pages read. Newer ones may report more. */
const Reported = Type.Object({
  gateway: Type.Object({
    name: Type.String(),
    region: Type.Union([Type.String(), Type.Null()]),
    startedAt: Type.String(),
  }),
  regions: Type.Array(
    Type.Object({
      name: Type.String(),
      isLocal: Type.Optional(Type.Boolean()),
      targets: Type.Array(
        Type.Object({
          url: Type.String(),
          kind: Type.String(),
          name: Type.Union([Type.String(), Type.Null()]),
          isAvailable: Type.Boolean(),
          inFlight: Type.Number(),
          rates: Type.Object({ requestsPerSecond: Type.Number(), errorsPerSecond: Type.Number() }),
          health: Type.Object({ status: Type.String(), reason: Type.String(), ...Since }),
          breaker: Type.Object({ state: Type.String(), ...Since }),
        }),
      ),
    }),
  ),
});
const reported = Compile(Reported);
const events = Compile(Type.Object({ events: Type.Array(Type.Unknown()) }));
const event = Compile(EventSchema);

/** Errors: `Error` for what no gateway reports. */
export function readRegionReport(response: unknown): RegionReport {
  if (!reported.Check(response)) throw new Error('its response is not that of a gateway');
  const { gateway, regions } = response;
  const own = regions.filter(({ name, isLocal }) => isLocal === true || name === gateway.region);
  // An older version of the gateway reports no rates of Kafka, and has no targets by DNS.
  const targets = own.flatMap((region) =>
    (region.targets as unknown as BehindTarget[]).map((target) => ({
      ...target,
      discoveredBy: target.discoveredBy ?? null,
      kafkaRates: target.kafkaRates ?? null,
      behind: null,
    })),
  );
  return { gateway, targets };
}

/** Those that pages of this version can show. Errors: `Error` for what no gateway reports. */
export function readRegionEvents(response: unknown): RecordedEvent[] {
  if (!events.Check(response)) throw new Error('its response is not a list of events');
  return response.events.filter((one) => event.Check(one));
}
