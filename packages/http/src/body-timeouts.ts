/** Refuses requests whose bodies stall: nothing arrives although the process reads. */
import type { ServerResponse } from 'node:http';
import type { Connection } from './connection.ts';
import { probeUnread } from './half-closed.ts';
import type { OpenConnections } from './open-connections.ts';

export interface BodyTimeoutsOptions {
  connections: OpenConnections;
  /** How long a body may stall. */
  timeoutMs: number;
  onStalled: (connection: Connection) => void;
}

/** How often bodies are checked, at most and at least. */
const MAX_SWEEP_MS = 1_000;
const MIN_SWEEP_MS = 25;

export class BodyTimeouts {
  readonly #options: BodyTimeoutsOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: BodyTimeoutsOptions) {
    this.#options = options;
    const sweepMs = Math.min(MAX_SWEEP_MS, Math.max(MIN_SWEEP_MS, options.timeoutMs / 4));
    this.#timer = setInterval(() => this.#sweep(), sweepMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const nowMs = performance.now();
    this.#options.connections.forEach((connection) => {
      this.#check(connection, nowMs);
    });
  }

  #check(connection: Connection, nowMs: number): void {
    const { last } = connection;
    if (last === undefined || connection.isEnding) return;
    probeUnread(connection);
    if (last.req.complete) {
      // The request is no longer needed.
      if (last.writableFinished) connection.last = undefined;
    } else if (last.socket === null && !last.writableFinished) {
      // Not read until its turn.
      connection.progressAtMs = nowMs;
    } else this.#watch(connection, last, nowMs);
  }

  #watch(connection: Connection, { req }: ServerResponse, nowMs: number): void {
    const { bytesRead } = connection.socket;
    // Bytes that arrived and were not read yet are not the client's delay.
    if (bytesRead !== connection.bytesRead || req.readableLength > 0) {
      connection.bytesRead = bytesRead;
      connection.progressAtMs = nowMs;
    } else if (nowMs - connection.progressAtMs >= this.#options.timeoutMs) this.#options.onStalled(connection);
  }
}
