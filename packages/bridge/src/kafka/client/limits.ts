/** Time limits of calls to Kafka: passed along with each call, never stored. */
import { setTimeout as delay } from 'node:timers/promises';
import { BridgeError } from '../../errors.ts';

export interface Limits {
  /** On the clock of `performance.now()`. */
  deadlineAtMs: number;
  /** Ends the call at once; it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The limits of a call that may take `timeoutMs` from now. */
export function within(timeoutMs: number, signal?: AbortSignal): Limits {
  return { deadlineAtMs: performance.now() + timeoutMs, signal };
}

export function remainingMs(limits: Limits): number {
  return Math.max(0, limits.deadlineAtMs - performance.now());
}

/** Errors of calls that reached their limits, and which. The clock does not tell them: a timer of a busy process may fire some milliseconds early. */
const outOfTime = new WeakMap<object, Limits>();

/** Settles like `promise`, unless the limits are reached first. Errors: `kafkaUnavailable`, or the signal's reason. */
export function bounded<T>(promise: Promise<T>, limits: Limits): Promise<T> {
  const { signal } = limits;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      const error = new BridgeError('kafkaUnavailable');
      outOfTime.set(error, limits);
      reject(error);
    }, remainingMs(limits));
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

/** Pauses between attempts. */
export interface Backoff {
  minMs: number;
  maxMs: number;
}

const DEFAULT_BACKOFF: Backoff = { minMs: 25, maxMs: 1000 };

/** Pause before the attempt after attempt number `attempt` (from 0): doubling. */
export function backoffMs(attempt: number, { minMs, maxMs } = DEFAULT_BACKOFF): number {
  return Math.min(maxMs, minMs * 2 ** attempt);
}

/**
 * Repeats `operation` while `isRetriable` says so, with doubling pauses, until the limits are reached.
 * Errors: the last one of the operation, rather than that its next attempt ran out of time; the signal's reason.
 */
export async function retrying<T>(
  operation: (attempt: number) => Promise<T>,
  limits: Limits,
  isRetriable: (error: unknown) => boolean,
  backoff: Backoff = DEFAULT_BACKOFF,
): Promise<T> {
  let failure: { error: unknown } | undefined;
  for (let attempt = 0; ; attempt += 1) {
    limits.signal?.throwIfAborted();
    try {
      return await bounded(operation(attempt), limits);
    } catch (error) {
      if (limits.signal?.aborted === true) throw limits.signal.reason;
      if (failure !== undefined && outOfTime.get(error as object) === limits) throw failure.error;
      failure = { error };
      const pauseMs = backoffMs(attempt, backoff);
      if (!isRetriable(error) || remainingMs(limits) <= pauseMs) throw error;
      await delay(pauseMs, undefined, limits.signal === undefined ? {} : { signal: limits.signal });
    }
  }
}
