/** Requests in flight and bytes held, over all clients: beyond the limits the bridge refuses, before memory grows. */
import type { ServerResponse } from 'node:http';
import { HeldBytes, type HeldClient } from '@causeway/http/held-bytes.ts';
import { BridgeError } from '../errors.ts';

const RETRY_AFTER_SECONDS = 1;

export interface LoadLimits {
  /** Requests without a complete response, waiting polls among them. */
  maxInFlightRequests: number;
  /** Bytes of request bodies, and of responses that clients have not read. */
  maxInFlightBytes: number;
}

export class Load {
  readonly #limits: LoadLimits;
  readonly #held: HeldBytes;
  requestCount = 0;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
    this.#held = new HeldBytes({ limits: () => limits, now: () => performance.now() });
  }

  get bytes(): number {
    return this.#held.bytes;
  }

  hasRoomForRequest(): boolean {
    return this.requestCount < this.#limits.maxInFlightRequests;
  }

  /** Whether more bytes are held than may be; slow clients may still make room. */
  get isFull(): boolean {
    return this.#held.bytes > this.#limits.maxInFlightBytes;
  }

  /** Whether `more` bytes fit; slow clients make room. */
  hasRoomFor(more: number): boolean {
    return this.#held.hasRoomFor(more);
  }

  /** As {@link hasRoomFor}. Errors: `overloaded` when they do not fit. */
  checkBytes(more: number): void {
    if (!this.hasRoomFor(more)) throw overloaded();
  }

  /** Counts `bytes` more; fewer, if negative. */
  hold(bytes: number): void {
    this.#held.add(bytes);
  }

  /** Counts the bytes of a written response until its client has read them. */
  holdUntilRead(response: ServerResponse, bytes: number): void {
    this.#held.holdUntilRead(response, bytes);
  }

  /** The client has sent `movedBytes` of its body, and the bridge waits for more. */
  awaiting(client: HeldClient, movedBytes: number): void {
    this.#held.awaiting(client, movedBytes);
  }

  /** The bridge no longer waits for the client's body. */
  arrived(client: HeldClient): void {
    this.#held.arrived(client);
  }
}

export function overloaded(): BridgeError {
  return new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** Other clients need the memory of an incomplete body. */
export function bodyTooSlow(): BridgeError {
  return new BridgeError('overloaded', {
    message: 'The request body arrived too slowly while the bridge was short of memory; send the request again.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
