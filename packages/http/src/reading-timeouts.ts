/** Breaks connections whose clients do not read: unsent bytes take memory until they do. */
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Connection } from './connection.ts';
import type { StreamOutlet } from './message.ts';
import type { OpenConnections } from './open-connections.ts';
import { isUnread, MAX_STEP_MS, NOTHING_WAITS } from './reading-progress.ts';

export interface ReadingTimeoutsOptions {
  connections: OpenConnections;
  /** Read at each sweep: how long a client may read nothing while bytes wait for it. */
  timeoutMs: () => number;
  /** A client read nothing in time, and loses its connection. */
  onTimeout?: (() => void) | undefined;
}

/** How often connections are checked. */
const SWEEP_INTERVAL_MS = 1_000;

export class ReadingTimeouts {
  readonly #options: ReadingTimeoutsOptions;
  readonly #timer: NodeJS.Timeout;
  #sweptAtMs = performance.now();

  constructor(options: ReadingTimeoutsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const nowMs = performance.now();
    const stepMs = Math.min(MAX_STEP_MS, nowMs - this.#sweptAtMs);
    this.#sweptAtMs = nowMs;
    const timeoutMs = this.#options.timeoutMs();
    this.#options.connections.forEach((connection) => {
      const takenBytes = waitingBytesOf(connection) === 0 ? NOTHING_WAITS : takenBytesOf(connection.socket);
      if (!isUnread(connection, takenBytes, { stepMs, timeoutMs })) return;
      this.#options.onTimeout?.();
      breakOff(connection.socket);
    });
  }
}

/** Breaks a connection so that the system releases its buffers for it, too; of HTTP/2, one stream. */
export function breakOff(outlet: Socket | StreamOutlet): void {
  if (!(outlet instanceof Socket) || outlet instanceof TLSSocket) outlet.destroy();
  else outlet.resetAndDestroy();
}

/** How many of the written bytes the system has taken. */
export function takenBytesOf(outlet: Socket | StreamOutlet): number {
  if (!(outlet instanceof Socket)) return outlet.takenBytes;
  const handle = handleOf(outlet);
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
}

/** Bytes that wait for the client. Of HTTP/2, those of its streams come in addition: Node writes past the socket. */
function waitingBytesOf({ socket, isHttp2 }: Connection): number {
  return isHttp2 ? (handleOf(socket)?.writeQueueSize ?? 0) : socket.writableLength;
}

/** Node's own time limit reads the same fields. */
function handleOf(socket: Socket): { bytesWritten?: number; writeQueueSize?: number } | null | undefined {
  return (socket as unknown as { _handle?: { bytesWritten?: number; writeQueueSize?: number } | null })._handle;
}
