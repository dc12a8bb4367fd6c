/** Ends connections whose clients do not read: what was written for them takes memory until they do. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface ReadingTimeoutsOptions {
  /** Read at each look: how long a client may take no byte while bytes wait for it. */
  timeoutMs: () => number;
  /** A client took nothing in time, and loses its connection. */
  onTimeout?: () => void;
}

interface Wait {
  takenBytes: number;
  /** For how long the client has taken nothing. */
  stillMs: number;
}

/** How often connections are looked at. */
const SWEEP_INTERVAL_MS = 1_000;
/** A process that stood still itself does not blame its clients for longer than this. */
const MAX_STEP_MS = 2_000;

export class ReadingTimeouts {
  readonly #options: ReadingTimeoutsOptions;
  readonly #open = new Set<Socket>();
  /** Of connections with unsent bytes, as the last look found them. */
  readonly #waits = new Map<Socket, Wait>();
  readonly #timer: NodeJS.Timeout;
  #sweptAtMs = performance.now();

  constructor(options: ReadingTimeoutsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
  }

  /** Watches all connections that a server accepts from now on. */
  attach(server: Server, { isSecure }: { isSecure: boolean }): void {
    server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.once('close', () => {
        this.#open.delete(socket);
        this.#waits.delete(socket);
      });
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const nowMs = performance.now();
    const stepMs = Math.min(MAX_STEP_MS, nowMs - this.#sweptAtMs);
    this.#sweptAtMs = nowMs;
    const timeoutMs = this.#options.timeoutMs();
    for (const socket of this.#open) {
      if (socket.writableLength === 0) {
        if (this.#waits.size > 0) this.#waits.delete(socket);
        continue;
      }
      const takenBytes = takenBytesOf(socket);
      const wait = this.#waits.get(socket);
      if (wait === undefined || wait.takenBytes !== takenBytes) this.#waits.set(socket, { takenBytes, stillMs: 0 });
      else {
        wait.stillMs += stepMs;
        if (wait.stillMs >= timeoutMs) this.#end(socket);
      }
    }
  }

  #end(socket: Socket): void {
    this.#options.onTimeout?.();
    breakOff(socket);
  }
}

/** Breaks a connection so that the system lets go of what it holds for it, too. */
export function breakOff(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** How much of what was written the system has taken: Node's own time limit looks there, too. */
export function takenBytesOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as {
    _handle?: { bytesWritten?: number; writeQueueSize?: number } | null;
  };
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
}
