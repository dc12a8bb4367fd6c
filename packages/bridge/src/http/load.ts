/** Requests in flight and bytes held, over all clients: beyond the limits the bridge refuses, before memory grows. */
import type { ServerResponse } from 'node:http';
import { HeldBytes, type HeldClient } from '@causeway/http/held-bytes.ts';
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

  /** Counts so many more, or fewer. */
  hold(bytes: number): void {
    this.#held.add(bytes);
  }

  /** Counts what the client of a written answer has not taken, until it has. */
  holdUntilRead(response: ServerResponse, bytes: number): void {
    this.#held.holdUntilRead(response, bytes);
  }

  /** So many bytes of the client's body have come, and more is to come. */
  awaiting(client: HeldClient, movedBytes: number): void {
    this.#held.awaiting(client, movedBytes);
  }

  /** No more of its body is waited for. */
  arrived(client: HeldClient): void {
    this.#held.arrived(client);
  }
}

export function overloaded(): BridgeError {
  return new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** Others need the memory that an incomplete body takes. */
export function bodyTooSlow(): BridgeError {
  return new BridgeError('overloaded', {
    message: 'The request body came too slowly while the bridge was short of memory; send the request again.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
