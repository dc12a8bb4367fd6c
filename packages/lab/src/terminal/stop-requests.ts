/** What a request to stop means when it is not the first. */

/** npm hands on a Ctrl-C that the terminal has sent already: within this long it is the same one. */
const ECHO_MS = 1_000;

/** `stop` in order, `ignore` the echo of a request, `force` the end without order. */
export type StopDecision = 'stop' | 'ignore' | 'force';

export function decideStop(firstAtMs: number | undefined, nowMs: number): StopDecision {
  if (firstAtMs === undefined) return 'stop';
  return nowMs - firstAtMs <= ECHO_MS ? 'ignore' : 'force';
}
