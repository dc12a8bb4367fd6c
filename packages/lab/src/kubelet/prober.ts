/** One probe of a container, on its timer: what the kubelet asks, and when it believes the answers. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { PROBE_DEFAULTS, type Probe } from './objects.ts';

/** However short the seconds are: a busy machine responds late. */
const LEAST_TIMEOUT_MS = 1_000;

/** Answers in a row of one kind. */
export interface Streak {
  isSuccess: boolean;
  length: number;
}

export function extend(streak: Streak | undefined, isSuccess: boolean): Streak {
  return { isSuccess, length: streak?.isSuccess === isSuccess ? streak.length + 1 : 1 };
}

/** What the streak says, if it is long enough to say something. */
export function verdictOf({ isSuccess, length }: Streak, probe: Probe): 'success' | 'failure' | undefined {
  const { successThreshold, failureThreshold } = { ...PROBE_DEFAULTS, ...probe };
  if (isSuccess) return length >= successThreshold ? 'success' : undefined;
  return length >= failureThreshold ? 'failure' : undefined;
}

export interface ProberOptions {
  probe: Probe;
  url: string;
  /** What a second of the probe takes. */
  secondMs: number;
  agent: Dispatcher;
  /** Ends the probing. */
  signal: AbortSignal;
  /** Called after each probe that a streak of the needed length ends. */
  onVerdict: (verdict: 'success' | 'failure') => void;
}

/** Probes until `signal` aborts. */
export async function probe({ probe, url, secondMs, agent, signal, onVerdict }: ProberOptions): Promise<void> {
  const { initialDelaySeconds, periodSeconds, timeoutSeconds } = { ...PROBE_DEFAULTS, ...probe };
  let streak: Streak | undefined;
  await pause(initialDelaySeconds * secondMs, signal);
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    const isSuccess = await answers(url, {
      agent,
      signal,
      timeoutMs: Math.max(timeoutSeconds * secondMs, LEAST_TIMEOUT_MS),
    });
    if (signal.aborted) return;
    streak = extend(streak, isSuccess);
    const verdict = verdictOf(streak, probe);
    if (verdict !== undefined) onVerdict(verdict);
    await pause(periodSeconds * secondMs - (performance.now() - startedAtMs), signal);
  }
}

/** The kubelet takes 200 to 399 as success, over a new connection each time. */
async function answers(
  url: string,
  { agent, signal, timeoutMs }: { agent: Dispatcher; signal: AbortSignal; timeoutMs: number },
): Promise<boolean> {
  try {
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      reset: true,
    });
    await body.dump();
    return statusCode >= 200 && statusCode < 400;
  } catch {
    return false;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, ms), undefined, { signal }).catch(() => {});
}
