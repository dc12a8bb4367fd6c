/** Work done side by side that succeeds or fails as a whole. */

/**
 * Runs every task at once. When one fails, the others are told so by their signal and awaited, so that nothing is still
 * being started when this returns; the first failure is thrown.
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
