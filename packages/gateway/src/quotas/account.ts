/** What one principal, or one address without a principal, uses now. */
import type { Usage } from '../exchange/admission.ts';
import type { Remembered } from './accounts.ts';
import type { Limits, QuotaLimit } from './limits.ts';
import { type Rate, TokenBucket, wholeSeconds } from './token-bucket.ts';

/** Which limit is used up, and when the next request has room. */
export interface Excess {
  readonly limit: QuotaLimit;
  readonly value: number;
  /** Whole seconds: a request after them succeeds, unless others of the same account come before it. */
  readonly retryAfterSeconds: number;
}

/** When a request ends that is in flight now is unknown. */
const IN_FLIGHT_RETRY_SECONDS = 1;

export class Account implements Remembered {
  /** A principal's name, or an address. */
  readonly key: string;
  wasUsed = false;
  inFlightCount = 0;
  #limits: Limits;
  #requests: TokenBucket | undefined;
  #bytes: TokenBucket | undefined;

  constructor(key: string, limits: Limits, nowMs: number) {
    this.key = key;
    this.#limits = limits;
    this.#requests = limits.requests && new TokenBucket(limits.requests, nowMs);
    this.#bytes = limits.bytes && new TokenBucket(limits.bytes, nowMs);
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** Takes over other limits: after a reload, or for other roles of the same principal. */
  configure(limits: Limits, nowMs: number): void {
    if (limits === this.#limits) return;
    this.#limits = limits;
    this.#requests = configured(this.#requests, limits.requests, nowMs);
    this.#bytes = configured(this.#bytes, limits.bytes, nowMs);
  }

  isForgettable(nowMs: number): boolean {
    return this.inFlightCount === 0 && this.#requests?.isFull(nowMs) !== false && this.#bytes?.isFull(nowMs) !== false;
  }

  /** Takes what a request costs, or nothing. */
  take(nowMs: number): Excess | undefined {
    const excess = this.#excess(nowMs);
    if (excess !== undefined) return excess;
    this.#requests?.take(1, nowMs);
    this.inFlightCount += 1;
    return undefined;
  }

  /** `bytes` of bodies went through. */
  pay(bytes: number, nowMs: number): void {
    this.#bytes?.take(bytes, nowMs);
  }

  /** A request that took its place has ended. */
  end(): void {
    this.inFlightCount -= 1;
  }

  /** draft-ietf-httpapi-ratelimit-headers-11 §4: what is left, and how many seconds it has to last at least. */
  rateLimit(nowMs: number): string {
    const items: string[] = [];
    if (this.#requests !== undefined) items.push(`"requests";${serviceLimit(this.#requests, nowMs)}`);
    if (this.#bytes !== undefined) items.push(`"bytes";${serviceLimit(this.#bytes, nowMs)}`);
    const { maxInFlight } = this.#limits;
    if (maxInFlight !== undefined) items.push(`"inFlight";r=${Math.max(0, maxInFlight - this.inFlightCount)}`);
    return items.join(', ');
  }

  /** The limit that stays exceeded for the longest time. */
  #excess(nowMs: number): Excess | undefined {
    const { requests, bytes, maxInFlight } = this.#limits;
    const requestWaitMs = this.#requests?.waitMs(nowMs) ?? 0;
    const byteWaitMs = this.#bytes?.waitMs(nowMs) ?? 0;
    if (requests !== undefined && requestWaitMs > 0 && requestWaitMs >= byteWaitMs) {
      return { limit: 'requestsPerSecond', value: requests.perSecond, retryAfterSeconds: wholeSeconds(requestWaitMs) };
    }
    if (bytes !== undefined && byteWaitMs > 0) {
      return { limit: 'bytesPerSecond', value: bytes.perSecond, retryAfterSeconds: wholeSeconds(byteWaitMs) };
    }
    if (maxInFlight !== undefined && this.inFlightCount >= maxInFlight) {
      return { limit: 'maxInFlight', value: maxInFlight, retryAfterSeconds: IN_FLIGHT_RETRY_SECONDS };
    }
    return undefined;
  }
}

/** The usage of one request. */
export class RequestUsage implements Usage {
  readonly #account: Account;
  readonly #now: () => number;

  constructor(account: Account, now: () => number) {
    this.#account = account;
    this.#now = now;
  }

  moved(bytes: number): void {
    if (bytes > 0) this.#account.pay(bytes, this.#now());
  }

  end(): void {
    this.#account.end();
  }
}

function configured(bucket: TokenBucket | undefined, rate: Rate | undefined, nowMs: number): TokenBucket | undefined {
  if (rate === undefined) return undefined;
  if (bucket === undefined) return new TokenBucket(rate, nowMs);
  bucket.configure(rate, nowMs);
  return bucket;
}

/** The window is one second, or the time until a bucket in debt has a token. */
function serviceLimit(bucket: TokenBucket, nowMs: number): string {
  const left = Math.max(0, Math.floor(bucket.tokens(nowMs)));
  return `r=${left};t=${Math.max(1, wholeSeconds(bucket.waitMs(nowMs)))}`;
}
