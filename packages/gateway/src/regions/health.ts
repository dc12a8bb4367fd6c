/** Judges probe results, without any I/O: `rise` good ones in a row bring a target up, `fall` bad ones take it down. */
import type { HealthStatus } from '../events.ts';

/** What one probe found. */
export type ProbeResult = { isGood: true } | { isGood: false; reason: string };

export interface Health {
  readonly status: HealthStatus;
  /** Results in a row that speak against `status`. */
  readonly contraryCount: number;
  /** Why it is so, in words. */
  readonly reason: string;
}

export const INITIAL_HEALTH: Health = { status: 'unknown', contraryCount: 0, reason: 'not probed yet' };

/** The health after one more result. The first result of all decides at once. */
export function judge(
  health: Health,
  result: ProbeResult,
  thresholds: { readonly rise: number; readonly fall: number },
): Health {
  const target: HealthStatus = result.isGood ? 'healthy' : 'unhealthy';
  const reason = result.isGood ? 'probe answered' : result.reason;
  if (health.status === 'unknown') return { status: target, contraryCount: 0, reason };
  if (health.status === target) {
    return health.contraryCount === 0 ? health : { ...health, contraryCount: 0 };
  }
  const contraryCount = health.contraryCount + 1;
  const needed = result.isGood ? thresholds.rise : thresholds.fall;
  if (contraryCount < needed) return { ...health, contraryCount };
  return { status: target, contraryCount: 0, reason: needed > 1 ? `${reason}, ${needed} in a row` : reason };
}
