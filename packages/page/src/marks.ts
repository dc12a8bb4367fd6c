/** The state of a part, as a mark (icon and colour) and in words. */
import type { BehindTarget, Region, System, Target } from '@causeway/protocol/admin/model.ts';

export type Mark = 'up' | 'degraded' | 'down' | 'drained' | 'unknown';

export interface Condition {
  mark: Mark;
  words: string;
  /** ISO 8601; `null` when unknown. */
  since: string | null;
  /** Empty when healthy. */
  reason: string;
}

export function conditionOfRegion(region: Region): Condition {
  const { state, since, reason, isDrained, standsBy, cluster } = region;
  if (isDrained && state !== 'down') return { mark: 'drained', words: 'drained', since, reason };
  if (standsBy && state !== 'down') {
    const why = `Kafka cluster ${cluster} is not the active one`;
    return { mark: 'drained', words: 'stands by', since: null, reason: state === 'up' ? why : `${why}; ${reason}` };
  }
  return { mark: state, words: state, since, reason: state === 'up' ? '' : reason };
}

export function conditionOfTarget(target: Target | BehindTarget): Condition {
  const { health, breaker } = target;
  if (health.status === 'unhealthy') return { mark: 'down', words: 'down', ...health };
  if (health.status === 'unknown') return { mark: 'unknown', words: 'not probed yet', since: health.since, reason: '' };
  if (breaker.state === 'open') {
    return { mark: 'degraded', words: 'breaker open', since: breaker.since, reason: 'too many of its requests failed' };
  }
  if (breaker.state === 'halfOpen') {
    return { mark: 'degraded', words: 'breaker half open', since: breaker.since, reason: 'one request tries it' };
  }
  if (!target.isAvailable) {
    return { mark: 'degraded', words: 'not used', since: null, reason: 'at its limit of requests in flight' };
  }
  return { mark: 'up', words: 'up', since: health.since, reason: '' };
}

/** This gateway: it responds, so it is up; `down` means that it can serve no request. */
export function conditionOfGateway(system: System): Condition {
  const since = system.gateway.startedAt;
  if (system.state === 'down') return { mark: 'down', words: 'cannot serve', since: null, reason: 'no region is left' };
  if (system.isPanic) return { mark: 'degraded', words: 'panic', since: null, reason: 'probes are ignored' };
  return { mark: 'up', words: 'up', since, reason: '' };
}

export function conditionOfKafka({ kafka }: System): Condition {
  const words = kafka.state === 'unknown' ? 'unknown' : kafka.state;
  return { mark: kafka.state, words, since: kafka.since, reason: kafka.state === 'up' ? '' : kafka.reason };
}

/** One word for a region's breakers: the worst of its targets. */
export function breakerWords({ targets }: Region): { mark: Mark; words: string } {
  const states = targets.map(({ breaker }) => breaker.state);
  const openCount = states.filter((state) => state === 'open').length;
  if (openCount > 0)
    return { mark: 'down', words: states.length === 1 ? 'open' : `${openCount} of ${states.length} open` };
  if (states.includes('halfOpen')) return { mark: 'degraded', words: 'half open' };
  return { mark: 'up', words: 'closed' };
}
