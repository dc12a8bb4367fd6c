/** Combines the states of Kafka that the targets' own regions report. Pure. */
import type { System } from '@causeway/protocol/admin/model.ts';

export type KafkaState = System['kafka'];

export const UNKNOWN_KAFKA: KafkaState = { state: 'unknown', since: null, reason: 'no bridge has reported it' };

/**
 * `up` if Kafka responds to all reporters, `down` if to none, `degraded` otherwise. Unknown states do not count. `since` is the
 * earliest time of the reporters that agree: for `degraded` and `down`, those without a response. A restarted bridge reports only
 * the time since its start, and does not shorten what others have seen.
 */
export function joinKafka(reports: readonly KafkaState[]): KafkaState {
  const known = reports.filter(({ state }) => state !== 'unknown');
  const failing = known.filter(({ state }) => state !== 'up');
  if (known.length === 0) return UNKNOWN_KAFKA;
  if (failing.length === 0) return { state: 'up', since: earliest(known), reason: 'it responds to the bridges' };
  const reason = [...new Set(failing.map((report) => report.reason))].join('; ');
  const isDown = known.every(({ state }) => state === 'down');
  return { state: isDown ? 'down' : 'degraded', since: earliest(failing), reason };
}

/** ISO 8601 times of one zone sort as text. */
function earliest(reports: readonly KafkaState[]): string | null {
  return reports.flatMap(({ since }) => (since === null ? [] : [since])).sort()[0] ?? null;
}
