/** How Kafka is, as each target's own region tells it, joined. Pure. */
import type { System } from '@causeway/protocol/admin/model.ts';

export type KafkaState = System['kafka'];

export const UNKNOWN_KAFKA: KafkaState = { state: 'unknown', since: null, reason: 'no bridge has told' };

/**
 * `up`: it answers all that tell; `down`: none of them; `degraded`: some. Those who know nothing do not count. `since`:
 * the earliest of those that say so, of `degraded` and `down` of those it does not answer. A bridge that was restarted
 * tells only of its own time, and takes nothing away from what the others have seen.
 */
export function joinKafka(reports: readonly KafkaState[]): KafkaState {
  const known = reports.filter(({ state }) => state !== 'unknown');
  const ill = known.filter(({ state }) => state !== 'up');
  if (known.length === 0) return UNKNOWN_KAFKA;
  if (ill.length === 0) return { state: 'up', since: earliest(known), reason: 'it answers the bridges' };
  const reason = [...new Set(ill.map((report) => report.reason))].join('; ');
  const isDown = known.every(({ state }) => state === 'down');
  return { state: isDown ? 'down' : 'degraded', since: earliest(ill), reason };
}

/** ISO 8601 of one zone sorts as text. */
function earliest(reports: readonly KafkaState[]): string | null {
  return reports.flatMap(({ since }) => (since === null ? [] : [since])).sort()[0] ?? null;
}
