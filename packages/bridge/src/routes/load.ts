/** What the bridge has in hand at a time, and where it says no: before memory grows. */
import { BridgeError } from '../errors.ts';

const RETRY_AFTER_SECONDS = 1;

export interface LoadLimits {
  /** Requests without a complete answer, waiting polls among them. */
  maxInFlightRequests: number;
  /** Bytes of request bodies, and of answers whose clients do not read. */
  maxInFlightBytes: number;
}

export class Load {
  readonly #limits: LoadLimits;
  requestCount = 0;
  bytes = 0;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
  }

  /** Errors: `overloaded` when there is a request too many. */
  checkRequests(): void {
    if (this.requestCount > this.#limits.maxInFlightRequests) throw overloaded();
  }

  /** Errors: `overloaded` when so many more bytes would be too many. */
  checkBytes(more: number): void {
    if (this.bytes + more > this.#limits.maxInFlightBytes) throw overloaded();
  }
}

function overloaded(): BridgeError {
  return new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
}
