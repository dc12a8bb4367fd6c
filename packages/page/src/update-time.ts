/** Measures updates: the time from a message of the gateway to the paint, without the wait for frames. */

/** For tests, and for the browser's console. */
export interface UpdateTimes {
  count: number;
  lastMs: number;
  maxMs: number;
  /** The last thousand. */
  recentMs: number[];
}

declare global {
  interface Window {
    __causewayUpdateMs: UpdateTimes;
  }
}

const KEPT_TIMES = 1_000;

export function startUpdateTimes(): UpdateTimes {
  const times: UpdateTimes = { count: 0, lastMs: 0, maxMs: 0, recentMs: [] };
  window.__causewayUpdateMs = times;
  return times;
}

/** Adds `readMs` (reading messages), and the time from now (the frame begins) to after its paint. */
export function measureFrame(times: UpdateTimes, readMs: number): void {
  const startMs = performance.now();
  // A message posted in a frame is handled after the frame's paint.
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    const updateMs = readMs + performance.now() - startMs;
    times.count += 1;
    times.lastMs = updateMs;
    times.maxMs = Math.max(times.maxMs, updateMs);
    times.recentMs.push(updateMs);
    if (times.recentMs.length > KEPT_TIMES) times.recentMs.shift();
  };
  port2.postMessage(null);
}
