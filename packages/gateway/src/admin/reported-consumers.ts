/** The consumers that a bridge or the gateway of a region reports, checked: a response of another program must not break the list. */
import type { ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';

/** What every version reports, and the list and pages read. Newer ones may report more. */
const Page = Type.Object({
  total: Type.Number(),
  matching: Type.Number(),
  consumers: Type.Array(
    Type.Object({
      group: Type.String(),
      instance: Type.String(),
      principal: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      home: Type.String(),
      state: Type.String(),
    }),
  ),
  incomplete: Type.Optional(Type.Array(Type.Object({ region: Type.String(), reason: Type.String() }))),
});
const page = Compile(Page);

/** What older bridges do not report. */
const OF_OLDER_BRIDGES = { principal: null };

/** Bridges say nothing of `incomplete`. Errors: `Error` for what neither a bridge nor a gateway reports. */
export function readConsumers(response: unknown): ConsumerPage {
  if (!page.Check(response)) throw new Error('its response is not a list of consumers');
  const { consumers, ...others } = response as Omit<ConsumerPage, 'incomplete'>;
  return { incomplete: [], ...others, consumers: consumers.map((consumer) => ({ ...OF_OLDER_BRIDGES, ...consumer })) };
}
