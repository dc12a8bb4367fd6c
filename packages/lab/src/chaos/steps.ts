/** What scenarios have in common: their allowances, and how their steps are timed. */
import type { Action, Allowance, Plan, ServiceName, Step } from './scenario.ts';

/** Gateways with the default configuration declare a frozen target down within `intervalMs + fall × timeoutMs`. */
export const DETECTION_MS = 1_500;
/** After the detection: adoption, and the first records. */
const AFTER_KILL_MS = 1_000;

export const KILL: Allowance = {
  detectionMs: DETECTION_MS,
  workMs: AFTER_KILL_MS,
  duplicates: 'lastBatch',
  brokenConnections: 'none',
};
export const ORDERLY: Allowance = { ...KILL, duplicates: 'none' };

/** Four seconds pass between two bodies, and each takes its time. */
export const LARGE: Allowance = { ...KILL, workMs: 6_000 };

/** Lost packets are detected by timeouts only. */
export const CUT: Allowance = { ...KILL, workMs: 2_000 };

/** Traffic before the first step and after the last. */
export const WARM_UP_SECONDS = 3;
const AFTERMATH_SECONDS = 6;

export function plan(steps: Step[]): Plan {
  return { steps, endSecond: endOf(steps) };
}

/** The end of the traffic. */
export function endOf(steps: readonly Pick<Step, 'atSecond'>[]): number {
  return Math.max(...steps.map(({ atSecond }) => atSecond)) + AFTERMATH_SECONDS;
}

/** An action, and its reversal `seconds` later. */
export function forSeconds(atSecond: number, seconds: number, [first, second]: readonly [Action, Action]): Step[] {
  return [
    { atSecond, action: first },
    { atSecond: atSecond + seconds, action: second },
  ];
}

export function killed(service: ServiceName): [Action, Action] {
  return [
    { kind: 'kill', service },
    { kind: 'start', service },
  ];
}

/** A random moment after the start, so that each seed meets polls and probes at another moment. */
const SPREAD_SECONDS = 1;

/** The second of the first step. */
export function start(dice: { between(from: number, to: number): number }): number {
  return WARM_UP_SECONDS + dice.between(0, SPREAD_SECONDS);
}
