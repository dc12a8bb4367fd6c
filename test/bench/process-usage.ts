/** Measures processor time and memory of a process, from /proc. */
import { readFileSync } from 'node:fs';

/** Kernel ticks per second (USER_HZ), the unit of processor time in /proc. */
const TICKS_PER_SECOND = 100;
const MEMORY_SAMPLE_MS = 100;

export interface Usage {
  wallSeconds: number;
  /** NaN without /proc. */
  cpuSeconds: number;
  /** The largest resident set of all samples. */
  residentBytes: number;
}

/** Processor time of a process and its children, in seconds; NaN without /proc. */
export function cpuSeconds(pid: number): number {
  const ticksOf = (id: number): number => {
    try {
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return Number(fields[11]) + Number(fields[12]);
    } catch {
      return Number.NaN;
    }
  };
  let children: number[] = [];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    // Without /proc the figure stays empty.
  }
  return [pid, ...children].reduce((sum, id) => sum + ticksOf(id), 0) / TICKS_PER_SECOND;
}

/** The usage of processes, all of them together, while `run` runs. */
export async function usageOf<T>(
  pids: number | readonly number[],
  run: () => Promise<T>,
): Promise<{ result: T; usage: Usage }> {
  const sumOf = (measure: (pid: number) => number): number => [pids].flat().reduce((sum, pid) => sum + measure(pid), 0);
  let residentBytes = sumOf(readResidentBytes);
  const sampler = setInterval(() => {
    residentBytes = Math.max(residentBytes, sumOf(readResidentBytes));
  }, MEMORY_SAMPLE_MS);
  const startedAtMs = performance.now();
  const cpuBefore = sumOf(cpuSeconds);
  try {
    const result = await run();
    const wallSeconds = (performance.now() - startedAtMs) / 1000;
    return { result, usage: { wallSeconds, cpuSeconds: sumOf(cpuSeconds) - cpuBefore, residentBytes } };
  } finally {
    clearInterval(sampler);
  }
}

function readResidentBytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}
