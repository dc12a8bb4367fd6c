/** Notes the processor time of each test file, with that of processes that it started and that ended in it: `SlowestFiles` lists it. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { afterAll } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    processorMs?: number;
  }
}

/** `sysconf(_SC_CLK_TCK)` is 100 on every Linux of today. */
const TICK_MS = 10;

// With the file's imports, which may start servers.
const startedAtMs = processorMs();

// Registered before the hooks of the file, and so run after them.
// biome-ignore lint/correctness/noEmptyPattern: Vitest requires a pattern, which names the fixtures.
afterAll(({}, suite) => {
  suite.meta.processorMs = processorMs() - startedAtMs;
});

/** Of this process and, on Linux, of its children that have ended. */
function processorMs(): number {
  if (process.platform !== 'linux') return process.cpuUsage().user / 1_000 + process.cpuUsage().system / 1_000;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // After the name, which may contain spaces: utime, stime, cutime and cstime (proc_pid_stat(5)) are the fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
}
