/** The schedule of kills and restores, and of changes of clusters. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RegionName } from '../stack/regions.ts';

export interface RegionAtSecond {
  region: RegionName;
  /** From the start of the traffic. */
  atSecond: number;
}

export interface ScheduledAction extends RegionAtSecond {
  /** The last two: of the region's own cluster. */
  action: 'kill' | 'restore' | 'promote' | 'rejoin';
}

/** Chronological; at the same second a kill comes before a restore. */
export function buildSchedule({
  kills,
  restores,
  promotions = [],
  rejoins = [],
}: {
  kills: readonly RegionAtSecond[];
  restores: readonly RegionAtSecond[];
  promotions?: readonly RegionAtSecond[];
  rejoins?: readonly RegionAtSecond[];
}): ScheduledAction[] {
  return [
    ...kills.map((entry): ScheduledAction => ({ action: 'kill', ...entry })),
    ...restores.map((entry): ScheduledAction => ({ action: 'restore', ...entry })),
    ...rejoins.map((entry): ScheduledAction => ({ action: 'rejoin', ...entry })),
    ...promotions.map((entry): ScheduledAction => ({ action: 'promote', ...entry })),
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
