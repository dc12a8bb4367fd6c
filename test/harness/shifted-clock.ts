/**
 * Preloaded (`--import`) into a process to make its wall clock wrong: adds `CAUSEWAY_CLOCK_SHIFT_MS` to every reading. The
 * monotonic clock is unchanged, as on a real machine with a wrong time.
 */
import process from 'node:process';

const shiftMs = Number(process.env['CAUSEWAY_CLOCK_SHIFT_MS'] ?? 0);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...args: unknown[]) {
    if (args.length === 0) super(RealDate.now() + shiftMs);
    else super(...(args as [number]));
  }

  static override now(): number {
    return RealDate.now() + shiftMs;
  }
} as DateConstructor;
