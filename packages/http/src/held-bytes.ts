/**
 * The bytes of bodies and answers that a process holds: counted over all clients, bounded, and taken back from slow clients.
 * A few clients that stop within a body, drip it, or hardly read an answer, must not use up the memory of all.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { breakOff, takenBytesOf } from './reading-timeouts.ts';

export interface HeldBytesLimits {
  /** Of all clients together. */
  maxInFlightBytes: number;
}

/** A client for whose next bytes, or for whose reading, the process waits. */
export interface HeldClient {
  /** What it gives back when it is evicted. */
  readonly heldBytes: number;
  /** Until when the bytes that it moved keep it above the minimum rate, in milliseconds; 0: the process never waited for it. */
  pacedUntilMs: number;
  /** Its memory is needed for others: it gives back what it holds. */
  onEvicted(): void;
}

/** Up to here a request or an answer is small: it may use the last quarter of the budget, which large ones leave free. */
const SMALL_BYTES = 65_536;
const LARGE_SHARE = 0.75;
/** When the budget is used up, clients that move fewer bytes make room for others. Holding 192 MiB costs 3 MiB/s. */
const MIN_BYTES_PER_SECOND = 16_384;
/** A client gets so much time at the start, and no burst earns more. */
const MAX_PACE_MS = 1_000;
/** Looking at all clients takes time in proportion to them: no refused byte brings about more looks than these. */
const LOOK_INTERVAL_MS = 100;

/** Pure: a leaky bucket of time. What moved in the last second counts, and nothing before. */
function pacedUntil(pacedUntilMs: number, movedBytes: number, nowMs: number): number {
  const earnedMs = (movedBytes * 1_000) / MIN_BYTES_PER_SECOND;
  return Math.min(nowMs + MAX_PACE_MS, Math.max(nowMs, pacedUntilMs) + earnedMs);
}

/** What has become of the budget, for metrics. */
export interface HeldBytesCounts {
  refused: number;
  /** Clients that were too slow while others needed the memory. */
  evicted: number;
  /** Clients that took no byte of an answer in time. */
  unread: number;
}

export class HeldBytes {
  readonly counts: HeldBytesCounts = { refused: 0, evicted: 0, unread: 0 };
  readonly #limits: () => HeldBytesLimits;
  readonly #now: () => number;
  readonly #waiting = new Set<HeldClient>();
  /** Slow ones that the last look found; the largest comes last. */
  #slow: HeldClient[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
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
    if (!this.#hasRoomFor(bytes, limitBytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Whether there is room for so many more, whatever their size. */
  hasRoomFor(bytes: number): boolean {
    return this.#hasRoomFor(bytes, this.#limits().maxInFlightBytes);
  }

  /** Counts bytes that are there already; fewer, if negative. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  #hasRoomFor(bytes: number, limitBytes: number): boolean {
    if (this.#bytes + bytes <= limitBytes || this.#makeRoom(limitBytes - bytes)) return true;
    this.counts.refused += 1;
    return false;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** The client has moved so many bytes, and the process waits for more. */
  awaiting(client: HeldClient, movedBytes: number): void {
    const nowMs = this.#now();
    const isNew = client.pacedUntilMs === 0;
    client.pacedUntilMs = isNew ? nowMs + MAX_PACE_MS : pacedUntil(client.pacedUntilMs, movedBytes, nowMs);
    this.#waiting.add(client);
  }

  /** It is not waited for any more. */
  arrived(client: HeldClient): void {
    this.#waiting.delete(client);
  }

  /** The answer, or its beginning, was written: gives `bytes` back when the system has taken it. */
  giveWhenRead(response: ServerResponse, bytes: number): void {
    if (!this.#watchReading(response, bytes)) this.#bytes -= bytes;
  }

  /** As {@link giveWhenRead}, of an answer that was not counted: all that the system did not take at once. */
  holdUntilRead(response: ServerResponse, bytes: number): void {
    if (this.#watchReading(response, bytes)) this.#bytes += bytes;
  }

  /** `false`: the system has taken all of the answer. */
  #watchReading(response: ServerResponse, bytes: number): boolean {
    const { socket } = response;
    if (socket === null || socket.writableLength === 0 || response.closed) return false;
    const settle = (): void => {
      this.#waiting.delete(unread);
      this.#bytes -= unread.heldBytes;
      unread.heldBytes = 0;
      socket.off('drain', settle);
    };
    const unread = new UnreadAnswer(socket, { heldBytes: bytes, nowMs: this.#now(), settle });
    this.awaiting(unread, 0);
    response.once('finish', settle);
    response.once('close', settle);
    socket.on('drain', settle);
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
  if (client instanceof UnreadAnswer) client.look(nowMs);
  return client.pacedUntilMs < nowMs && client.heldBytes > 0;
}

/** A written answer of which the client has not taken all. */
class UnreadAnswer implements HeldClient {
  heldBytes: number;
  pacedUntilMs = 0;
  readonly #socket: Socket;
  #takenBytes: number;
  #lookedAtMs: number;

  readonly #settle: () => void;

  constructor(socket: Socket, { heldBytes, nowMs, settle }: { heldBytes: number; nowMs: number; settle: () => void }) {
    this.#socket = socket;
    this.#settle = settle;
    this.heldBytes = heldBytes;
    this.#takenBytes = takenBytesOf(socket);
    this.#lookedAtMs = nowMs;
  }

  /** No event tells that a client takes a part: counts what it has taken since the last look. */
  look(nowMs: number): void {
    if (nowMs === this.#lookedAtMs) return;
    const takenBytes = takenBytesOf(this.#socket);
    const paced = pacedUntil(this.pacedUntilMs, 0, this.#lookedAtMs);
    const movedMs = ((takenBytes - this.#takenBytes) * 1_000) / MIN_BYTES_PER_SECOND;
    this.pacedUntilMs = Math.min(nowMs + MAX_PACE_MS, paced + movedMs);
    this.#takenBytes = takenBytes;
    this.#lookedAtMs = nowMs;
  }

  onEvicted(): void {
    breakOff(this.#socket);
    this.#settle();
  }
}
