/** How often consumers send heartbeats to their groups, so that many idle consumers cost little. */

/** Heartbeats of all consumers of a bridge: about 1 % of a core. */
const MOST_PER_SECOND = 100;
/** Heartbeats within a session timeout: a lost one ends no consumer. */
const LEAST_PER_SESSION = 3;

export interface HeartbeatTimes {
  heartbeatIntervalMs: number;
  sessionTimeoutMs: number;
}

/** The pause between two heartbeats of one consumer, in milliseconds: as configured, and longer where there are many. */
export function heartbeatPauseMs(times: HeartbeatTimes, consumerCount: number): number {
  const { heartbeatIntervalMs, sessionTimeoutMs } = times;
  const sharedMs = Math.ceil((consumerCount * 1000) / MOST_PER_SECOND);
  const longestMs = Math.floor(sessionTimeoutMs / LEAST_PER_SESSION);
  return Math.max(heartbeatIntervalMs, Math.min(sharedMs, longestMs));
}
