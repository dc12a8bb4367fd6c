/** Checks of passwords, slow by design: a few at a time in threads of their own, and a bounded number that waits. */
import { availableParallelism } from 'node:os';
import { clientNetwork } from '@causeway/config/client-address.ts';
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import { isPassword, type PasswordHash } from './password-hash.ts';

export interface PasswordChecksOptions {
  /** Milliseconds, never going back. */
  now: () => number;
  limits?: PasswordCheckLimits;
}

export interface PasswordCheckLimits {
  /** At the same time. */
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** Of one address, or one network of IPv6, among those that wait. */
  readonly maxWaitingPerAddress: number;
}

/** Node has four threads for this, for names and for files; the event loop needs a processor, too. */
const MAX_RUNNING = Math.max(1, Math.min(2, availableParallelism() - 1));
/** Less than the time that clients wait, at some ten checks a second. */
const LIMITS: PasswordCheckLimits = { maxRunning: MAX_RUNNING, maxWaiting: 128, maxWaitingPerAddress: 64 };

const DURATION_BUCKETS_MS = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/** `full`: too many wait. `failed`: as for a lack of memory. Nothing was compared then. */
export type CheckResult = 'right' | 'wrong' | 'full' | 'failed';

export interface PasswordCheck {
  /** One of them is enough. */
  readonly hashes: readonly PasswordHash[];
  readonly password: string;
  /** The client's, so that one client cannot keep the others waiting. */
  readonly address: string;
}

interface Waiting {
  readonly check: PasswordCheck;
  readonly sinceMs: number;
  readonly settle: (result: Promise<CheckResult>) => void;
}

export class PasswordChecks {
  readonly counts: Record<CheckResult, number> = { right: 0, wrong: 0, full: 0, failed: 0 };
  /** From the request to the result. */
  readonly durations = new Distribution({ bounds: DURATION_BUCKETS_MS, perBaseUnit: MILLISECONDS_PER_SECOND });
  readonly #now: () => number;
  readonly #limits: PasswordCheckLimits;
  /** By address or network; each in turn. */
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingCount = 0;
  #runningCount = 0;

  constructor({ now, limits = LIMITS }: PasswordChecksOptions) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Those that wait or run. */
  get pendingCount(): number {
    return this.#waitingCount + this.#runningCount;
  }

  /** Never rejects. */
  async check(check: PasswordCheck): Promise<CheckResult> {
    const result = await this.#enqueue(check);
    this.counts[result] += 1;
    return result;
  }

  async #enqueue(check: PasswordCheck): Promise<CheckResult> {
    const { maxRunning, maxWaiting, maxWaitingPerAddress } = this.#limits;
    const sinceMs = this.#now();
    if (this.#runningCount < maxRunning) return await this.#run(check, sinceMs);
    const network = clientNetwork(check.address);
    const ofAddress = this.#waiting.get(network) ?? [];
    if (this.#waitingCount >= maxWaiting || ofAddress.length >= maxWaitingPerAddress) return 'full';
    this.#waitingCount += 1;
    return await new Promise<CheckResult>((settle) => {
      ofAddress.push({ check, sinceMs, settle });
      this.#waiting.set(network, ofAddress);
    });
  }

  async #run({ hashes, password }: PasswordCheck, sinceMs: number): Promise<CheckResult> {
    this.#runningCount += 1;
    try {
      for (const hash of hashes) {
        if (await isPassword(hash, password)) return 'right';
      }
      return 'wrong';
    } catch {
      return 'failed';
    } finally {
      this.#runningCount -= 1;
      this.durations.observe(this.#now() - sinceMs);
      this.#runNext();
    }
  }

  #runNext(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [network, ofAddress] = first;
    const next = ofAddress.shift();
    this.#waiting.delete(network);
    if (ofAddress.length > 0) this.#waiting.set(network, ofAddress);
    if (next === undefined) return;
    this.#waitingCount -= 1;
    next.settle(this.#run(next.check, next.sinceMs));
  }
}
