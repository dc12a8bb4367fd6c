/** Distinguishes HTTP/2 with prior knowledge from HTTP/1.1 on a plain connection, by its first bytes (RFC 9113 §3.3, §3.4). */
import type { Socket } from 'node:net';
import { closeLingering } from '../lingering.ts';
import type { Protocol } from '../peer.ts';
import { refusalText, TOO_SLOW } from '../refusal.ts';

/** What every client of HTTP/2 sends first. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface PrefaceOptions {
  /** How long the first bytes may take to arrive. */
  timeoutMs: number;
  /** Gets the connection with all of its bytes. */
  onProtocol: (socket: Socket, protocol: Protocol) => void;
}

/** The plain connections whose protocol is not known yet. */
export class Prefaces {
  readonly #options: PrefaceOptions;
  readonly #waiting = new Set<Socket>();

  constructor(options: PrefaceOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Reads the first bytes, and puts them back. */
  read(socket: Socket): void {
    const { timeoutMs, onProtocol } = this.#options;
    let received: Buffer | undefined;
    const timer = setTimeout(() => {
      leave();
      socket.on('error', ignore);
      socket.write(refusalText(TOO_SLOW, []));
      closeLingering(socket);
    }, timeoutMs);
    const onData = (chunk: Buffer): void => {
      received = received === undefined ? chunk : Buffer.concat([received, chunk]);
      const isHttp2 = beginsLikePreface(received);
      if (isHttp2 && received.length < PREFACE.length) return;
      leave();
      socket.pause();
      socket.unshift(received);
      onProtocol(socket, isHttp2 ? 'h2' : 'http/1.1');
      if (!isHttp2) socket.resume();
    };
    const onGone = (): void => {
      leave();
      socket.on('error', ignore);
      socket.destroy();
    };
    const leave = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(socket);
      socket.off('data', onData);
      socket.off('end', onGone);
      socket.off('close', onGone);
      socket.off('error', onGone);
    };
    this.#waiting.add(socket);
    socket.on('data', onData);
    socket.on('end', onGone);
    socket.on('close', onGone);
    socket.on('error', onGone);
  }

  /** Breaks the connections that have not said what they speak. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }
}

function beginsLikePreface(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, PREFACE.length);
  return bytes.compare(PREFACE, 0, length, 0, length) === 0;
}

function ignore(): void {}
