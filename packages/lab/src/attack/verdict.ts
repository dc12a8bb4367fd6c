/** Decides whether an attack hurt the good clients or the processes. Pure. */
import type { AttackAllowance } from './attack.ts';
import type { Window } from './good-books.ts';
import type { Vitals } from './watch.ts';

/** Allowed gap, added to the longest gap without an attack. */
export const DEFAULT_EXTRA_GAP_MS = 1_500;
/** Allowed growth of a process's memory: uncollected heap, and buffers up to their budget. */
export const DEFAULT_GROWTH_BYTES = 300 * 2 ** 20;
/** Allowed delay of an event loop: a request may hold it for 50 ms, and several may follow each other. */
const LATE_MS = 250;
/** Allowed ratio to the delay of this process's own loop: all processes share the machine. */
const LATE_RATIO = 4;

export interface Measured {
  window: Window;
  vitals: readonly Vitals[];
  /** The longest delay of this process's own event loop in the same time, caused by the machine. */
  ownLateMs: number;
}

/** Violations, a sentence each; empty when no other client was hurt. `calm` is measured without an attack. */
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
    ...(window.acknowledged === 0 ? ['no record of the good producer was acknowledged'] : []),
    ...errors.map(({ operation, kind, message, count }) => {
      return `good client: ${count} × ${operation}: ${kind}${message === undefined ? '' : ` (${message})`}`;
    }),
    ...(window.longestGapMs > maxGapMs
      ? [`a good group waited ${Math.round(window.longestGapMs)} ms (allowed ${Math.round(maxGapMs)})`]
      : []),
    ...vitals.flatMap(({ name, isRestarted, growthBytes: grewBytes, lateMs, incidents }) => [
      ...(isRestarted ? [`${name}: exited`] : []),
      ...(grewBytes > growthBytes ? [`${name}: grew by ${inMib(grewBytes)} (allowed ${inMib(growthBytes)})`] : []),
      ...(lateMs > maxLateMs
        ? [`${name}: stalled for ${Math.round(lateMs)} ms (allowed ${Math.round(maxLateMs)})`]
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
