/** Judges probe results, without any I/O: `rise` good ones in a row bring a target up, `fall` bad ones take it down. */

import type { HealthStatus } from '@causeway/protocol/admin/events.ts';
import type { KafkaRatesTold } from '@causeway/protocol/kafka-rates.ts';

/** What a target says of Kafka: a bridge of its own, a regional gateway of what its region's bridges say. */
export interface KafkaTold {
  /** `degraded`: it answers some of the region's bridges. */
  readonly state: KafkaWord;
  readonly reason: string;
  /** The id of its cluster. */
  readonly cluster?: string | undefined;
  /** When it last answered there, on the gateway's clock that never goes back, in milliseconds. */
  readonly answeredMs?: number | undefined;
  /** Of its requests to Kafka; `undefined` until it has measured. */
  readonly rates?: KafkaRatesTold | undefined;
}

export const KAFKA_WORDS = ['up', 'degraded', 'down'] as const;
export type KafkaWord = (typeof KAFKA_WORDS)[number];

/** The same, with since when it says so. */
export interface KafkaReport extends KafkaTold {
  readonly since: Date;
}

/** What one probe found. */
export type ProbeResult =
  /** `bridge`: which bridge answered, as `region/bridge`; a gateway does not say. */
  | { isGood: true; bridge?: string | undefined; kafka?: KafkaTold | undefined }
  /** `isSilent`: no answer at all, as of a process that is frozen or behind a cut. */
  | {
      isGood: false;
      reason: string;
      /** The same for clients: without what the target says in its own words, which may hold addresses. */
      publicReason: string;
      isSilent: boolean;
      /** As in a good one: a bridge says who it is when it is not ready, too. */
      bridge?: string | undefined;
      kafka?: KafkaTold | undefined;
    };

export interface Health {
  readonly status: HealthStatus;
  /** Results in a row that speak against `status`. */
  readonly contraryCount: number;
  /** Why it is so, in words. */
  readonly reason: string;
  /** The same for clients, without addresses. */
  readonly publicReason: string;
  /** Probes get no answer at all: a request would get none either, and wait its whole time for it. */
  readonly isSilent: boolean;
}

export const INITIAL_HEALTH: Health = {
  status: 'unknown',
  contraryCount: 0,
  reason: 'not probed yet',
  publicReason: 'not probed yet',
  isSilent: false,
};

/** The health after one more result. The first result of all decides at once. */
export function judge(
  health: Health,
  result: ProbeResult,
  thresholds: { readonly rise: number; readonly fall: number },
): Health {
  const target: HealthStatus = result.isGood ? 'healthy' : 'unhealthy';
  const reason = result.isGood ? 'probe answered' : result.reason;
  const publicReason = result.isGood ? reason : result.publicReason;
  const isSilent = !result.isGood && result.isSilent;
  if (health.status === 'unknown') return { status: target, contraryCount: 0, reason, publicReason, isSilent };
  if (health.status === target) {
    if (health.contraryCount === 0 && health.isSilent === isSilent) return health;
    return { ...health, contraryCount: 0, isSilent };
  }
  const contraryCount = health.contraryCount + 1;
  const needed = result.isGood ? thresholds.rise : thresholds.fall;
  if (contraryCount < needed) return { ...health, contraryCount };
  const times = needed > 1 ? `, ${needed} in a row` : '';
  return {
    status: target,
    contraryCount: 0,
    isSilent,
    reason: `${reason}${times}`,
    publicReason: `${publicReason}${times}`,
  };
}
