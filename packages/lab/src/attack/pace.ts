/** How an attack repeats what it does: side by side, in a loop, and until its time is over. */
import { setTimeout as delay } from 'node:timers/promises';

/** Aborted or not, it returns. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

/** So many loops side by side, each until the signal is aborted. */
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

/** In order, so many at a time. */
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

/** The same number of times something, told apart by its index. */
export function times<Result>(count: number, make: (index: number) => Result): Result[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Findings of many requests as few sentences: how many of each, and the first one in full. */
export class Findings {
  readonly #counts = new Map<string, { count: number; example: string }>();

  add(kind: string, example = ''): void {
    const entry = this.#counts.get(kind);
    if (entry === undefined) this.#counts.set(kind, { count: 1, example });
    else entry.count += 1;
  }

  /** Adds `kind` where the claim does not hold. */
  expect(holds: boolean, kind: string, example = ''): void {
    if (!holds) this.add(kind, example);
  }

  list(): string[] {
    return [...this.#counts].map(
      ([kind, { count, example }]) => `${count} × ${kind}${example === '' ? '' : ` (first: ${example.slice(0, 200)})`}`,
    );
  }
}
