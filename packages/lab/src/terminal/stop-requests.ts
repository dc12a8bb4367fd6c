/** The meaning of repeated requests to stop. */

/** npm forwards a Ctrl-C that the terminal has already sent: within this time it is the same one. */
const ECHO_MS = 1_000;

/** `stop` in order, `ignore` a repeated request, `force` an immediate exit. */
export type StopDecision = 'stop' | 'ignore' | 'force';

export function decideStop(firstAtMs: number | undefined, nowMs: number): StopDecision {
  if (firstAtMs === undefined) return 'stop';
  return nowMs - firstAtMs <= ECHO_MS ? 'ignore' : 'force';
}
