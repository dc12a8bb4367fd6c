/**
 * What a connection passes before a server can read its first request: the bound on open connections, the PROXY header, and the TLS
 * handshake. Owns the connections that are still there.
 */
import type { Server as NetServer, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';
import { plainAddress } from '@causeway/config/networks.ts';
import { announce, copyAnnouncement } from './announced-address.ts';
import { carrierOf } from './carrier.ts';
import { readProxyHeader } from './proxy-protocol.ts';

/** Why a connection was closed before its first request. */
export const DROP_REASONS = ['maxConnections', 'addressQuota', 'unfinished', 'proxyHeader'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export interface Drop {
  reason: DropReason;
  /** Of the connection; empty where the system has closed it already. */
  address: string;
  /** In words. */
  detail: string;
}

export interface EntranceOptions {
  /** Open connections of each address that the server listens on. */
  maxConnections?: number | undefined;
  /** Whether {@link maxConnections} is for all of these addresses together, in equal parts. */
  isMaxShared?: boolean | undefined;
  /** How long a PROXY header may take to arrive. */
  headerTimeoutMs: number;
  /** Read for each connection: whether this address must begin its connections with a PROXY header. Default: no address. */
  isProxySender?: ((address: string) => boolean) | undefined;
  /**
   * Why a connection of this address may not enter, in words; `undefined`: it may. Asked once its address is known, before TLS.
   * Default: all may.
   */
  whyRefused?: ((socket: Socket, address: string) => string | undefined) | undefined;
  onDropped?: ((drop: Drop) => void) | undefined;
}

/**
 * The oldest goes when there are more: an honest client needs some round trips, and one that says nothing takes no place for long.
 * Twice the default `backlog`: when a region dies, all of its clients come at once, and their handshakes proceed side by side.
 */
const MAX_UNFINISHED = 8_192;
const UNFINISHED_SHARE = 0.75;

type Receive = (socket: Socket) => void;

export class Entrance {
  /** Since the start, by reason. */
  readonly dropCounts: Record<DropReason, number> = {
    maxConnections: 0,
    addressQuota: 0,
    unfinished: 0,
    proxyHeader: 0,
  };
  /** Connections without their PROXY header or a finished handshake. */
  readonly maxUnfinished: number;
  readonly #options: EntranceOptions;
  /** From the oldest to the youngest. */
  readonly #unfinished = new Set<Socket>();

  constructor(options: EntranceOptions) {
    const { maxConnections = Number.POSITIVE_INFINITY } = options;
    this.#options = options;
    this.maxUnfinished = Math.min(MAX_UNFINISHED, Math.ceil(maxConnections * UNFINISHED_SHARE));
  }

  get unfinishedCount(): number {
    return this.#unfinished.size;
  }

  /** Stands between the server and its listeners for `connection`: the last step of its construction. */
  guard(server: NetServer): void {
    const { maxConnections, isProxySender, whyRefused } = this.#options;
    if (maxConnections !== undefined) {
      server.maxConnections = maxConnections;
      server.on('drop', (data) => {
        const detail = `${server.maxConnections} connections are open (maxConnections)`;
        this.#report({ reason: 'maxConnections', address: plainAddress(data?.remoteAddress), detail });
      });
    }
    const isSecure = server instanceof TlsServer;
    if (!isSecure && isProxySender === undefined && whyRefused === undefined) return;
    const receivers = server.listeners('connection') as Receive[];
    const receive = (socket: Socket): void => {
      if (!isSecure) this.#unfinished.delete(socket);
      const address = plainAddress(socket.remoteAddress);
      const reason = whyRefused?.(socket, address);
      if (reason !== undefined) this.#drop(socket, 'addressQuota', reason);
      else for (const each of receivers) each.call(server, socket);
    };
    server.removeAllListeners('connection');
    // A plain connection has nothing to finish.
    const isFinished = !isSecure && isProxySender === undefined;
    server.on('connection', isFinished ? receive : (socket) => this.#enter(socket, receive));
    if (isSecure) server.prependListener('secureConnection', (secure) => this.#onSecure(secure));
  }

  /** The servers that listen, one for each address. */
  divide(servers: readonly NetServer[]): void {
    const { maxConnections, isMaxShared = false } = this.#options;
    if (maxConnections === undefined || !isMaxShared) return;
    for (const server of servers) server.maxConnections = Math.max(1, Math.floor(maxConnections / servers.length));
  }

  /** Breaks what has not become a connection of the server yet. */
  close(): void {
    for (const socket of this.#unfinished) socket.destroy();
  }

  #enter(socket: Socket, receive: Receive): void {
    socket.on('error', () => {});
    socket.once('close', () => this.#unfinished.delete(socket));
    this.#unfinished.add(socket);
    this.#makeRoom();
    const { isProxySender } = this.#options;
    if (isProxySender?.(plainAddress(socket.remoteAddress)) === true) this.#readHeader(socket, receive);
    else receive(socket);
  }

  #makeRoom(): void {
    if (this.#unfinished.size <= this.maxUnfinished) return;
    const [oldest] = this.#unfinished;
    if (oldest === undefined) return;
    this.#unfinished.delete(oldest);
    this.#drop(oldest, 'unfinished', `more than ${this.maxUnfinished} connections have not finished their handshake`);
  }

  #readHeader(socket: Socket, receive: Receive): void {
    let bytes: Buffer = Buffer.alloc(0);
    const finish = (): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', finish);
    };
    const refuse = (detail: string): void => {
      finish();
      this.#drop(socket, 'proxyHeader', detail);
    };
    const onReadable = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const header = readProxyHeader(bytes);
        if (header.state === 'incomplete') continue;
        if (header.state === 'invalid') {
          refuse(header.reason);
          return;
        }
        finish();
        // The server reads the client's bytes as if they had just arrived.
        if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
        announce(socket, header.source);
        receive(socket);
        return;
      }
    };
    // A load balancer that only tries whether it can connect sends nothing.
    const onEnd = (): void => {
      if (bytes.length > 0) {
        refuse('it ended within its PROXY header');
        return;
      }
      finish();
      socket.destroy();
    };
    const timer = setTimeout(() => refuse('its PROXY header did not arrive in time'), this.#options.headerTimeoutMs);
    socket.on('readable', onReadable);
    socket.on('end', onEnd);
    socket.on('close', finish);
  }

  #onSecure(secure: TLSSocket): void {
    const carrier = carrierOf(secure);
    if (carrier === secure) return;
    this.#unfinished.delete(carrier);
    copyAnnouncement(carrier, secure);
  }

  #drop(socket: Socket, reason: DropReason, detail: string): void {
    this.#report({ reason, address: plainAddress(socket.remoteAddress), detail });
    socket.destroy();
  }

  #report(drop: Drop): void {
    this.dropCounts[drop.reason] += 1;
    this.#options.onDropped?.(drop);
  }
}
