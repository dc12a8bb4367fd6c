/** Formats numbers and times for people. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** "12 s", "4 min 5 s", "42 min", "3 h 10 min", "5 days". */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < 10 * MINUTE_MS) return twoUnits(ms, { unitMs: MINUTE_MS, unit: 'min', restMs: SECOND_MS, rest: 's' });
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return twoUnits(ms, { unitMs: HOUR_MS, unit: 'h', restMs: MINUTE_MS, rest: 'min' });
  return `${Math.floor(ms / DAY_MS)} days`;
}

function twoUnits(ms: number, units: { unitMs: number; unit: string; restMs: number; rest: string }): string {
  const rest = Math.floor((ms % units.unitMs) / units.restMs);
  const first = `${Math.floor(ms / units.unitMs)} ${units.unit}`;
  return rest === 0 ? first : `${first} ${rest} ${units.rest}`;
}

/** "12 s", "9 min", "3 h", "5 days": one unit, for columns. */
export function formatAge(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  return ms < 2 * DAY_MS ? `${Math.floor(ms / HOUR_MS)} h` : `${Math.floor(ms / DAY_MS)} days`;
}

export function formatCount(count: number): string {
  return counts.format(count);
}

/** Events per second: one decimal below ten, none above. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0';
  if (perSecond < 0.05) return '<0.1';
  if (perSecond < 9.95) return (Math.round(perSecond * 10) / 10).toString();
  return counts.format(perSecond);
}

/** A percentile; the gateway reports the upper bound of its bucket. */
export function formatMs(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 1_000 ? `≤ ${Math.round(ms * 10) / 10} ms` : `≤ ${Math.round(ms / 100) / 10} s`;
}

export function formatPercent(ratio: number | null): string {
  return ratio === null ? '–' : `${Math.round(ratio * 100)} %`;
}

/** "14:03:27" in the reader's time zone. */
export function formatTime(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** "127.0.0.1:8180" of a URL. */
export function formatHost(url: string): string {
  return url.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

/** "1 consumer", "12 consumers". */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
