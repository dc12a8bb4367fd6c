/** Runs an attack's requests in parallel, in loops, and until its time is over. */
import { setTimeout as delay } from 'node:timers/promises';

/** Returns early when aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

/** Parallel loops, each until the signal is aborted. */
export async function untilOver(
  loopCount: number,
  signal: AbortSignal,
  work: (loop: number, round: number) => Promise<unknown>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: loopCount }, async (_, loop) => {
      for (let round = 0; !signal.aborted; round += 1) await work(loop, round);
    }),
  );
}

/** Runs tasks in order, with limited concurrency. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  atATime: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atATime, items.length) }, async () => {
      for (let index = next++; index < items.length; index = next++) {
        results[index] = await work(items[index] as Item, index);
      }
    }),
  );
  return results;
}

/** Makes `count` values by index. */
export function times<Result>(count: number, make: (index: number) => Result): Result[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Summarizes findings: the count of each kind, and the first one in full. */
export class Findings {
  readonly #counts = new Map<string, { count: number; example: string }>();

  add(kind: string, example = ''): void {
    const entry = this.#counts.get(kind);
    if (entry === undefined) this.#counts.set(kind, { count: 1, example });
    else entry.count += 1;
  }

  /** Adds `kind` when the claim does not hold. */
  expect(holds: boolean, kind: string, example = ''): void {
    if (!holds) this.add(kind, example);
  }

  list(): string[] {
    return [...this.#counts].map(
      ([kind, { count, example }]) => `${count} × ${kind}${example === '' ? '' : ` (first: ${example.slice(0, 200)})`}`,
    );
  }
}
