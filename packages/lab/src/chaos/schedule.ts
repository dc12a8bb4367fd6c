/** The schedule of kills and restores. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RegionName } from '../stack/regions.ts';

export interface RegionAtSecond {
  region: RegionName;
  /** From the start of the traffic. */
  atSecond: number;
}

export interface ScheduledAction extends RegionAtSecond {
  action: 'kill' | 'restore';
}

/** Chronological; at the same second a kill comes before a restore. */
export function buildSchedule({
  kills,
  restores,
}: {
  kills: readonly RegionAtSecond[];
  restores: readonly RegionAtSecond[];
}): ScheduledAction[] {
  return [
    ...kills.map((entry): ScheduledAction => ({ action: 'kill', ...entry })),
    ...restores.map((entry): ScheduledAction => ({ action: 'restore', ...entry })),
  ].sort((a, b) => a.atSecond - b.atSecond);
}

/** Performs each action at its second, until the signal. */
export async function runSchedule(
  schedule: readonly ScheduledAction[],
  { perform, signal }: { perform: (action: ScheduledAction) => void; signal: AbortSignal },
): Promise<void> {
  const startedAtMs = performance.now();
  for (const action of schedule) {
    const waitMs = Math.max(0, startedAtMs + action.atSecond * 1_000 - performance.now());
    try {
      await delay(waitMs, undefined, { signal });
    } catch {
      return;
    }
    perform(action);
  }
}
