/** Runs tasks in parallel that succeed or fail as a whole. */

/**
 * Runs every task at once. When one fails, aborts the signal of the others and awaits them, so that no start is in progress
 * when this returns; throws the first failure.
 */
export async function allOrNone(
  tasks: readonly ((signal: AbortSignal) => Promise<unknown>)[],
  outerSignal?: AbortSignal | undefined,
): Promise<void> {
  const failed = new AbortController();
  const signal = outerSignal === undefined ? failed.signal : AbortSignal.any([outerSignal, failed.signal]);
  const failures: unknown[] = [];
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task(signal);
      } catch (error) {
        failures.push(error);
        failed.abort(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}
