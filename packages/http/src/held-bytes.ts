/**
 * Counts the bytes of bodies and responses that a process holds, over all clients, bounds them, and reclaims them from slow
 * clients. A few clients that stop within a body, drip it, or hardly read a response, must not use up the memory of all.
 */
import type { Socket } from 'node:net';
import { defaultInFlightBytes } from './in-flight-bytes.ts';
import type { ResponseMessage, StreamOutlet } from './message.ts';
import { breakOff, takenBytesOf } from './reading-timeouts.ts';
import { RoomQueue } from './room-queue.ts';

export interface HeldBytesLimits {
  /** For all clients together. Default: {@link defaultInFlightBytes}. */
  maxInFlightBytes?: number | undefined;
}

/** A client from which the process expects bytes, or which has not read all of its response. */
export interface HeldClient {
  /** The bytes that its eviction releases. */
  readonly heldBytes: number;
  /** When the client falls below the minimum rate unless it moves more bytes, in milliseconds; 0: never waited for. */
  pacedUntilMs: number;
  /** Other clients need its memory: it releases the bytes that it holds. */
  onEvicted(): void;
}

/** Up to here a request or a response is small: it may use the last quarter of the budget, which large ones leave free. */
const SMALL_BYTES = 65_536;
const LARGE_SHARE = 0.75;
/** When the budget is used up, clients below this rate make room for others. Holding 192 MiB costs 3 MiB/s. */
const MIN_BYTES_PER_SECOND = 16_384;
/** The time that a client has at its start, and the most that a burst earns. */
const MAX_PACE_MS = 1_000;
/** A look over the clients takes time in proportion to their number: refused bytes cause no more looks than this. */
const LOOK_INTERVAL_MS = 100;

/** A leaky bucket of time: only bytes of the last second count. */
function pacedUntil(pacedUntilMs: number, movedBytes: number, nowMs: number): number {
  const earnedMs = (movedBytes * 1_000) / MIN_BYTES_PER_SECOND;
  return Math.min(nowMs + MAX_PACE_MS, Math.max(nowMs, pacedUntilMs) + earnedMs);
}

/** A response that was written, as far as its client has read it. */
export type WrittenResponse = Pick<ResponseMessage, 'outlet' | 'socket' | 'closed' | 'once'>;

/** For metrics. */
export interface HeldBytesCounts {
  /** Requests that found no room. */
  refused: number;
  /** Clients that were too slow while others needed the memory. */
  evicted: number;
  /** Clients that read no byte of a response in time. */
  unread: number;
}

export class HeldBytes {
  readonly counts: HeldBytesCounts = { refused: 0, evicted: 0, unread: 0 };
  readonly #limits: () => HeldBytesLimits;
  readonly #now: () => number;
  readonly #defaultBytes = defaultInFlightBytes();
  readonly #queue: RoomQueue;
  readonly #waiting = new Set<HeldClient>();
  /** Slow clients that the last look found; the largest comes last. */
  #slow: HeldClient[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor({ limits, now }: { limits: () => HeldBytesLimits; now: () => number }) {
    this.#limits = limits;
    this.#now = now;
    this.#queue = new RoomQueue(now);
  }

  get #maxBytes(): number {
    return this.#limits().maxInFlightBytes ?? this.#defaultBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What a large body or response finds now; small ones find room beyond it. */
  get roomBytes(): number {
    return Math.max(SMALL_BYTES, this.#maxBytes * LARGE_SHARE - this.#bytes);
  }

  /** Takes `bytes` for a client that holds `heldBytes` already. Returns false when there is no room. */
  take(bytes: number, heldBytes: number): boolean {
    const limitBytes = bytes + heldBytes > SMALL_BYTES ? this.#maxBytes * LARGE_SHARE : this.#maxBytes;
    if (!this.#fits(bytes, limitBytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /**
   * Takes `bytes` as soon as there is room, after those who wait longer, and calls `onEnd(true)`; `onEnd(false)` when there was no room for two
   * seconds. Returns a function that ends the wait.
   */
  takeInTurn(bytes: number, heldBytes: number, onEnd: (hasRoom: boolean) => void): () => void {
    return this.#queue.add({ take: () => this.take(bytes, heldBytes), onEnd });
  }

  /** Whether `bytes` fit, without the share that large requests leave free; otherwise the request is refused. */
  hasRoomFor(bytes: number): boolean {
    const hasRoom = this.#fits(bytes, this.#maxBytes);
    if (!hasRoom) this.counts.refused += 1;
    return hasRoom;
  }

  /** Counts bytes without a check; gives back, if negative. */
  add(bytes: number): void {
    if (bytes < 0) this.give(-bytes);
    else this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    this.#queue.served();
  }

  #fits(bytes: number, limitBytes: number): boolean {
    return this.#bytes + bytes <= limitBytes || this.#makeRoom(limitBytes - bytes);
  }

  /** The client has moved `movedBytes`, and the process waits for more. */
  awaiting(client: HeldClient, movedBytes: number): void {
    const nowMs = this.#now();
    const isNew = client.pacedUntilMs === 0;
    client.pacedUntilMs = isNew ? nowMs + MAX_PACE_MS : pacedUntil(client.pacedUntilMs, movedBytes, nowMs);
    this.#waiting.add(client);
  }

  /** The process no longer waits for the client. */
  arrived(client: HeldClient): void {
    this.#waiting.delete(client);
  }

  /** Gives `bytes` back when the system has taken the written part of the response. */
  giveWhenRead(response: WrittenResponse, bytes: number): void {
    if (!this.#watchReading(response, bytes)) this.give(bytes);
  }

  /** As {@link giveWhenRead}, for a response that was not counted: counts it unless the system took all of it at once. */
  holdUntilRead(response: WrittenResponse, bytes: number): void {
    if (this.#watchReading(response, bytes)) this.#bytes += bytes;
  }

  /** Returns false when the system has taken all of the response. */
  #watchReading(response: WrittenResponse, bytes: number): boolean {
    const outlet = response.outlet ?? response.socket;
    if (outlet === null || outlet.writableLength === 0 || response.closed) return false;
    const settle = (): void => {
      this.#waiting.delete(unread);
      outlet.off('drain', onDrain);
      const { heldBytes } = unread;
      unread.heldBytes = 0;
      if (heldBytes > 0) this.give(heldBytes);
    };
    const onDrain = (): void => {
      if (outlet.writableLength === 0) settle();
    };
    const unread = new UnreadResponse(outlet, { heldBytes: bytes, nowMs: this.#now(), settle });
    this.awaiting(unread, 0);
    response.once('finish', settle);
    response.once('close', settle);
    outlet.on('drain', onDrain);
    return true;
  }

  #makeRoom(wantedBytes: number): boolean {
    const nowMs = this.#now();
    if (this.#slow.length === 0) this.#look(nowMs);
    for (let client = this.#slow.pop(); client !== undefined; client = this.#slow.pop()) {
      if (!this.#waiting.has(client) || !isSlow(client, nowMs)) continue;
      this.#waiting.delete(client);
      this.counts.evicted += 1;
      client.onEvicted();
      if (this.#bytes <= wantedBytes) return true;
    }
    return false;
  }

  #look(nowMs: number): void {
    if (nowMs - this.#lookedAtMs < LOOK_INTERVAL_MS) return;
    this.#lookedAtMs = nowMs;
    for (const client of this.#waiting) if (isSlow(client, nowMs)) this.#slow.push(client);
    this.#slow.sort((one, other) => one.heldBytes - other.heldBytes);
  }
}

function isSlow(client: HeldClient, nowMs: number): boolean {
  if (client instanceof UnreadResponse) client.look(nowMs);
  return client.pacedUntilMs < nowMs && client.heldBytes > 0;
}

/** A written response that the client has not read completely. */
class UnreadResponse implements HeldClient {
  heldBytes: number;
  pacedUntilMs = 0;
  readonly #outlet: Socket | StreamOutlet;
  #takenBytes: number;
  #lookedAtMs: number;

  readonly #settle: () => void;

  constructor(
    outlet: Socket | StreamOutlet,
    { heldBytes, nowMs, settle }: { heldBytes: number; nowMs: number; settle: () => void },
  ) {
    this.#outlet = outlet;
    this.#settle = settle;
    this.heldBytes = heldBytes;
    this.#takenBytes = takenBytesOf(outlet);
    this.#lookedAtMs = nowMs;
  }

  /** No event reports partial progress: counts the bytes that the client has read since the last look. */
  look(nowMs: number): void {
    if (nowMs === this.#lookedAtMs) return;
    const takenBytes = takenBytesOf(this.#outlet);
    const paced = pacedUntil(this.pacedUntilMs, 0, this.#lookedAtMs);
    const movedMs = ((takenBytes - this.#takenBytes) * 1_000) / MIN_BYTES_PER_SECOND;
    this.pacedUntilMs = Math.min(nowMs + MAX_PACE_MS, paced + movedMs);
    this.#takenBytes = takenBytes;
    this.#lookedAtMs = nowMs;
  }

  onEvicted(): void {
    breakOff(this.#outlet);
    this.#settle();
  }
}
