/** How Kafka is, as bridges tell it: each bridge's own word, joined. Pure. */
import type { System } from './model.ts';

export type KafkaState = System['kafka'];

export const UNKNOWN_KAFKA: KafkaState = { state: 'unknown', since: null, reason: 'no bridge has told' };

/** `up`: it answers all that tell; `down`: none of them; `degraded`: some. Those who know nothing do not count. */
export function joinKafka(reports: readonly KafkaState[]): KafkaState {
  const known = reports.filter(({ state }) => state !== 'unknown');
  const ill = known.filter(({ state }) => state !== 'up');
  if (known.length === 0) return UNKNOWN_KAFKA;
  if (ill.length === 0) return { state: 'up', since: latest(known), reason: 'it answers the bridges' };
  const reason = [...new Set(ill.map((report) => report.reason))].join('; ');
  const isDown = known.every(({ state }) => state === 'down');
  return { state: isDown ? 'down' : 'degraded', since: earliest(ill), reason };
}

function latest(reports: readonly KafkaState[]): string | null {
  return sinces(reports).at(-1) ?? null;
}

function earliest(reports: readonly KafkaState[]): string | null {
  return sinces(reports)[0] ?? null;
}

/** ISO 8601 of one zone sorts as text. */
function sinces(reports: readonly KafkaState[]): string[] {
  return reports.flatMap(({ since }) => (since === null ? [] : [since])).sort();
}
