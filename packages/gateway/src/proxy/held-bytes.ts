/**
 * The bytes of bodies and answers that a gateway holds: counted over all clients, bounded, and taken back from clients that
 * stand still. A few clients that stop within a body, or never read an answer, must not use up the memory of all.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { breakOff, takenBytesOf } from '@causeway/http/reading-timeouts.ts';

export interface HeldBytesLimits {
  /** Of all clients together. */
  maxInFlightBytes: number;
}

/** A client for whose next bytes, or for whose reading, the gateway waits. */
export interface HeldClient {
  /** When it last made progress, in milliseconds. */
  progressMs: number;
  /** Its memory is needed for others: it gives back what it holds. */
  onEvicted(): void;
}

/** Up to here a request or an answer is small: it may use the last quarter of the budget, which large ones leave free. */
const SMALL_BYTES = 65_536;
const LARGE_SHARE = 0.75;
/** Clients that made no progress for so long make room for others when the budget is used up. */
const EVICTABLE_AFTER_MS = 1_000;

/** What has become of the budget, for metrics. */
export interface HeldBytesCounts {
  refused: number;
  /** Clients that stood still while others needed the memory. */
  evicted: number;
  /** Clients that took no byte of an answer in time. */
  unread: number;
}

export class HeldBytes {
  readonly counts: HeldBytesCounts = { refused: 0, evicted: 0, unread: 0 };
  readonly #limits: () => HeldBytesLimits;
  readonly #now: () => number;
  /** The one that has stood still for longest comes first. */
  readonly #waiting = new Set<HeldClient>();
  #bytes = 0;

  constructor({ limits, now }: { limits: () => HeldBytesLimits; now: () => number }) {
    this.#limits = limits;
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts so many more; `heldBytes` are what this client holds already. `false`: there is no room. */
  take(bytes: number, heldBytes: number): boolean {
    const { maxInFlightBytes } = this.#limits();
    const limitBytes = bytes + heldBytes > SMALL_BYTES ? maxInFlightBytes * LARGE_SHARE : maxInFlightBytes;
    if (this.#bytes + bytes > limitBytes && !this.#makeRoom(limitBytes - bytes)) {
      this.counts.refused += 1;
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** The client has made progress, and is waited for. */
  awaiting(client: HeldClient): void {
    client.progressMs = this.#now();
    this.#waiting.delete(client);
    this.#waiting.add(client);
  }

  /** It is not waited for any more. */
  arrived(client: HeldClient): void {
    this.#waiting.delete(client);
  }

  /** The answer was written: gives `bytes` back when the system has taken it. */
  giveWhenRead(response: ServerResponse, bytes: number): void {
    const { socket } = response;
    if (socket === null || socket.writableLength === 0 || response.closed) {
      this.#bytes -= bytes;
      return;
    }
    const unread = new UnreadAnswer(socket);
    this.awaiting(unread);
    let isSettled = false;
    const settle = (): void => {
      if (isSettled) return;
      isSettled = true;
      this.#waiting.delete(unread);
      this.#bytes -= bytes;
    };
    response.once('finish', settle);
    response.once('close', settle);
  }

  #makeRoom(wantedBytes: number): boolean {
    const latestMs = this.#now() - EVICTABLE_AFTER_MS;
    for (const client of this.#waiting) {
      if (client.progressMs > latestMs) break;
      this.#waiting.delete(client);
      if (client instanceof UnreadAnswer && client.hasProgressed()) {
        this.awaiting(client);
        continue;
      }
      this.counts.evicted += 1;
      client.onEvicted();
      if (this.#bytes <= wantedBytes) return true;
    }
    return false;
  }
}

/** A written answer of which the client has not taken all. */
class UnreadAnswer implements HeldClient {
  progressMs = 0;
  readonly #socket: Socket;
  #takenBytes: number;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#takenBytes = takenBytesOf(socket);
  }

  /** Whether the client has taken something since the last look. */
  hasProgressed(): boolean {
    const before = this.#takenBytes;
    this.#takenBytes = takenBytesOf(this.#socket);
    return this.#takenBytes !== before;
  }

  onEvicted(): void {
    breakOff(this.#socket);
  }
}
