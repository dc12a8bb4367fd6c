/** Waits for the first of several promises, up to limits, until it is interrupted. */
import { type Limits, remainingMs } from '../client/limits.ts';

export class InterruptibleWait {
  #wake: (() => void) | undefined;

  /** Resolves when any of the promises does, and at the limits. Returns whether {@link interrupt} ended it. */
  async forAny(promises: readonly Promise<void>[], limits: Limits): Promise<boolean> {
    const { signal } = limits;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const woken = new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(true);
      onAbort = () => resolve(false);
      signal?.addEventListener('abort', onAbort, { once: true });
      timer = setTimeout(() => resolve(false), remainingMs(limits));
    });
    try {
      return await Promise.race([woken, ...promises.map((promise) => promise.then(() => false))]);
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
      this.#wake = undefined;
    }
  }

  interrupt(): void {
    this.#wake?.();
  }
}
