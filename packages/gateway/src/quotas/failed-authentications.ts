/** Limits the failed authentications of an address: clients that guess must wait, and cost no more checks of passwords meanwhile. */
import { clientNetwork } from '@causeway/config/client-address.ts';
import { Accounts, type Remembered } from './accounts.ts';
import { type Rate, TokenBucket, wholeSeconds } from './token-bucket.ts';

export interface FailureLimit {
  readonly perMinute: number;
  readonly burst: number;
}

const SECONDS_PER_MINUTE = 60;

/** The failures of one address. */
class Failures implements Remembered {
  readonly key: string;
  readonly bucket: TokenBucket;
  readonly inFlightCount = 0;
  wasUsed = false;

  constructor(key: string, rate: Rate, nowMs: number) {
    this.key = key;
    this.bucket = new TokenBucket(rate, nowMs);
  }

  isForgettable(nowMs: number): boolean {
    return this.bucket.isFull(nowMs);
  }
}

export class FailedAuthentications {
  readonly #failures: Accounts<Failures>;
  #rate: Rate;

  /** `maxCount`: of remembered addresses. */
  constructor(limit: FailureLimit, maxCount?: number) {
    this.#rate = rateOf(limit);
    this.#failures = new Accounts(maxCount);
  }

  /** Takes over another limit; the failures so far still count. */
  configure(limit: FailureLimit, nowMs: number): void {
    const rate = rateOf(limit);
    if (rate.perSecond === this.#rate.perSecond && rate.burst === this.#rate.burst) return;
    this.#rate = rate;
    for (const { bucket } of this.#failures.values()) bucket.configure(rate, nowMs);
  }

  /** Addresses with failures lately. */
  get count(): number {
    return this.#failures.count;
  }

  /** How many seconds no further credentials of the address are looked at; 0: they are. */
  blockedSeconds(address: string, nowMs: number): number {
    const waitMs = this.#failures.find(clientNetwork(address))?.bucket.waitMs(nowMs) ?? 0;
    return wholeSeconds(waitMs);
  }

  failed(address: string, nowMs: number): void {
    const key = clientNetwork(address);
    const { bucket } = this.#failures.find(key) ?? this.#failures.add(new Failures(key, this.#rate, nowMs), nowMs);
    // Requests whose credentials were looked at together may all fail: the debt of all those shuts out no one for long.
    if (bucket.tokens(nowMs) > -this.#rate.burst) bucket.take(1, nowMs);
  }
}

function rateOf({ perMinute, burst }: FailureLimit): Rate {
  return { perSecond: perMinute / SECONDS_PER_MINUTE, burst };
}
