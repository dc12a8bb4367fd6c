/** Judges probe results: `rise` successes in a row make a target healthy, `fall` failures unhealthy. Pure. */

import type { HealthStatus } from '@causeway/protocol/admin/events.ts';
import type { ClusterModeReport, Promotion } from '@causeway/protocol/clusters.ts';
import type { KafkaRatesTold } from '@causeway/protocol/kafka-rates.ts';

/** What a target reports about Kafka: a bridge about its own, a regional gateway about that of its region's bridges. */
export interface KafkaReport {
  /** `degraded`: Kafka responds to some of the region's bridges. */
  readonly state: KafkaWord;
  readonly reason: string;
  /** Cluster id. */
  readonly cluster?: string | undefined;
  /** When Kafka last responded there, in milliseconds of the gateway's monotonic clock. */
  readonly answeredMs?: number | undefined;
  /** Rates of its requests to Kafka; `undefined` until they are measured. */
  readonly rates?: KafkaRatesTold | undefined;
}

export const KAFKA_WORDS = ['up', 'degraded', 'down'] as const;
export type KafkaWord = (typeof KAFKA_WORDS)[number];

/** A report with the time since which the state is the same. */
export interface DatedKafkaReport extends KafkaReport {
  readonly since: Date;
}

/** What a target reports about Kafka clusters. */
export interface ClusterReport {
  /** The highest promotion that it knows. */
  readonly promotion: Promotion | undefined;
  /** Of its own cluster. */
  readonly mode: ClusterModeReport | undefined;
}

/** The result of one probe. */
export type ProbeResult =
  /** `bridge`: the bridge that responded, as `region/bridge`; gateways do not report one. */
  | {
      isGood: true;
      bridge?: string | undefined;
      kafka?: KafkaReport | undefined;
      /** `undefined`: it reports no cluster. */
      clusters?: ClusterReport | undefined;
    }
  /** `isSilent`: no response, as from a process that is frozen or cut off. */
  | {
      isGood: false;
      reason: string;
      /** The reason for clients, without text of the target, which may contain addresses. */
      publicReason: string;
      isSilent: boolean;
      /** A bridge reports its name also when it is not ready. */
      bridge?: string | undefined;
      kafka?: KafkaReport | undefined;
      clusters?: ClusterReport | undefined;
    };

export interface Health {
  readonly status: HealthStatus;
  /** Results in a row that contradict `status`. */
  readonly contraryCount: number;
  /** Why the status is what it is. */
  readonly reason: string;
  /** The reason for clients, without addresses. */
  readonly publicReason: string;
  /** Probes get no response. A request would get none either, and would wait its whole time. */
  readonly isSilent: boolean;
}

export const INITIAL_HEALTH: Health = {
  status: 'unknown',
  contraryCount: 0,
  reason: 'not probed yet',
  publicReason: 'not probed yet',
  isSilent: false,
};

/** Returns the health after one more result. The first result ever decides alone. */
export function judge(
  health: Health,
  result: ProbeResult,
  thresholds: { readonly rise: number; readonly fall: number },
): Health {
  const target: HealthStatus = result.isGood ? 'healthy' : 'unhealthy';
  const reason = result.isGood ? 'probe succeeded' : result.reason;
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
