/** Whether the good clients and the processes were unhurt by an attack. Pure. */
import type { AttackAllowance } from './attack.ts';
import type { Window } from './good-books.ts';
import type { Vitals } from './watch.ts';

/** Of the longest gap, on top of that without an attack. */
export const DEFAULT_EXTRA_GAP_MS = 1_500;
/** Of a process's memory: a heap that is not collected yet, and buffers up to their budget. */
export const DEFAULT_GROWTH_BYTES = 300 * 2 ** 20;
/** Of an event loop: no request may hold it longer than 50 ms, and several may come in a row. */
const LATE_MS = 250;
/** How much later than this process's own loop any other may be: all of them share the machine. */
const LATE_RATIO = 4;

export interface Measured {
  window: Window;
  vitals: readonly Vitals[];
  /** How late this process's own event loop was at most in the same time: what the machine does to everyone. */
  ownLateMs: number;
}

/** What does not hold, a sentence each; none for an attack that hurt no other client. `calm` is measured without an attack. */
export function damageOf(
  { window, vitals, ownLateMs }: Measured,
  calm: Window,
  allowed: AttackAllowance = {},
): string[] {
  const {
    extraGapMs = DEFAULT_EXTRA_GAP_MS,
    growthBytes = DEFAULT_GROWTH_BYTES,
    consumerStatuses = [],
    incidents: known = [],
  } = allowed;
  const allowedKinds = consumerStatuses.map((status) => `HTTP ${status}`);
  const errors = window.errors.filter(({ operation, kind }) => operation === 'send' || !allowedKinds.includes(kind));
  const maxGapMs = calm.longestGapMs + extraGapMs + LATE_RATIO * ownLateMs;
  const maxLateMs = LATE_MS + LATE_RATIO * ownLateMs;
  return [
    ...(window.acknowledged === 0 ? ['nothing of the good producer was acknowledged'] : []),
    ...errors.map(({ operation, kind, message, count }) => {
      return `good client: ${count} × ${operation}: ${kind}${message === undefined ? '' : ` (${message})`}`;
    }),
    ...(window.longestGapMs > maxGapMs
      ? [`a good group waited ${Math.round(window.longestGapMs)} ms (allowed ${Math.round(maxGapMs)})`]
      : []),
    ...vitals.flatMap(({ name, isRestarted, growthBytes: grewBytes, lateMs, incidents }) => [
      ...(isRestarted ? [`${name}: ended`] : []),
      ...(grewBytes > growthBytes ? [`${name}: grew by ${inMib(grewBytes)} (allowed ${inMib(growthBytes)})`] : []),
      ...(lateMs > maxLateMs
        ? [`${name}: stood still for ${Math.round(lateMs)} ms (allowed ${Math.round(maxLateMs)})`]
        : []),
      ...Object.entries(incidents)
        .filter(([what]) => !known.some((incident) => incident === what))
        .map(([what, count]) => `${name}: ${what}, ${count} ×`),
    ]),
  ];
}

export function inMib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
