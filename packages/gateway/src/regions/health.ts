/** Judges probe results, without any I/O: `rise` good ones in a row bring a target up, `fall` bad ones take it down. */
import type { KafkaRatesTold } from '@causeway/protocol/kafka-rates.ts';
import type { HealthStatus } from '../events.ts';

/** What a bridge says of Kafka. */
export interface KafkaTold {
  readonly isUp: boolean;
  readonly reason: string;
  /** Of its requests to Kafka; `undefined` until it has measured. */
  readonly rates?: KafkaRatesTold | undefined;
}

/** The same, with since when it says so. */
export interface KafkaReport extends KafkaTold {
  readonly since: Date;
}

/** What one probe found. */
export type ProbeResult =
  /** `bridge`: which bridge answered, as `region/bridge`; a gateway does not say. */
  | { isGood: true; bridge?: string | undefined; kafka?: KafkaTold | undefined }
  /** `isSilent`: no answer at all, as of a process that is frozen or behind a cut. */
  | { isGood: false; reason: string; isSilent: boolean; kafka?: KafkaTold | undefined };

export interface Health {
  readonly status: HealthStatus;
  /** Results in a row that speak against `status`. */
  readonly contraryCount: number;
  /** Why it is so, in words. */
  readonly reason: string;
  /** Probes get no answer at all: a request would get none either, and wait its whole time for it. */
  readonly isSilent: boolean;
}

export const INITIAL_HEALTH: Health = {
  status: 'unknown',
  contraryCount: 0,
  reason: 'not probed yet',
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
  const isSilent = !result.isGood && result.isSilent;
  if (health.status === 'unknown') return { status: target, contraryCount: 0, reason, isSilent };
  if (health.status === target) {
    if (health.contraryCount === 0 && health.isSilent === isSilent) return health;
    return { ...health, contraryCount: 0, isSilent };
  }
  const contraryCount = health.contraryCount + 1;
  const needed = result.isGood ? thresholds.rise : thresholds.fall;
  if (contraryCount < needed) return { ...health, contraryCount };
  return { status: target, contraryCount: 0, reason: needed > 1 ? `${reason}, ${needed} in a row` : reason, isSilent };
}
