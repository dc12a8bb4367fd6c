/** Loaded into a program under test before its own code: reports its memory and open sockets when asked. */
import process from 'node:process';

export interface Vitals {
  /** After a collection. */
  heapBytes: number;
  /** Sockets, timers and requests that keep the process alive, by kind. */
  resources: Record<string, number>;
}

process.on('message', () => {
  // Twice: weak references and finalizers need a turn between.
  globalThis.gc?.();
  setImmediate(() => {
    globalThis.gc?.();
    const resources: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
    process.send?.({ heapBytes: process.memoryUsage().heapUsed, resources } satisfies Vitals);
  });
});
// A test that was killed leaves no program behind.
process.on('disconnect', () => process.exit());
// The channel must not keep the program alive after its own end.
process.channel?.unref();
