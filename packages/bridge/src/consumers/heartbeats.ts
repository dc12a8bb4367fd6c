/** How often consumers tell their groups that they live, so that many of them cost little while nothing happens. */

/** Of all consumers of a bridge together: about 1 % of a core. */
const MOST_PER_SECOND = 100;
/** So many fit into a session timeout: one that is lost ends no consumer. */
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
