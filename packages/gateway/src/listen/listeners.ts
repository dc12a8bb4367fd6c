/** All listeners for clients: they start, count, stop and close together. */
import type { HttpServer, ListenAddress } from '@causeway/http/server.ts';
import type { ClientPeer } from '../exchange/client-peer.ts';
import { type ClientServerOptions, createClientServer } from './server.ts';

export interface ListenerSettings extends ListenAddress {
  /** Its place in the configuration, for errors. */
  key: string;
  name: string;
  http2: ClientServerOptions['http2'];
}

/** What all listeners have in common. */
type SharedOptions = Omit<ClientServerOptions, 'http2'>;

/** What operators see of a listener. */
export interface ListenerState {
  readonly name: string;
  /** Empty until it listens. */
  readonly url: string;
  readonly connectionCount: number;
}

export class ClientListener implements ListenerState {
  readonly #settings: ListenerSettings;
  readonly #server: HttpServer<ClientPeer>;
  #url = '';

  constructor(settings: ListenerSettings, options: SharedOptions) {
    this.#settings = settings;
    this.#server = createClientServer({ ...options, http2: settings.http2 });
  }

  get name(): string {
    return this.#settings.name;
  }

  get url(): string {
    return this.#url;
  }

  get connectionCount(): number {
    return this.#server.connections.count;
  }

  /** The bytes of all connections that it ever had. */
  totals(): { receivedBytes: number; sentBytes: number } {
    return this.#server.connections.totals();
  }

  /** Errors: with the listener's key in the configuration, and the error of `net.Server` as cause. */
  async listen(): Promise<void> {
    const { key, host, port, backlog } = this.#settings;
    try {
      const { url } = await this.#server.listen({ host, port, backlog });
      this.#url = url;
    } catch (cause) {
      throw new Error(`${key}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }

  stop(graceMs: number): Promise<void> {
    return this.#server.stop(graceMs);
  }

  close(): void {
    this.#server.close();
  }
}

export class ClientListeners {
  readonly all: readonly ClientListener[];

  constructor(settings: readonly ListenerSettings[], options: SharedOptions) {
    this.all = settings.map((each) => new ClientListener(each, options));
  }

  get connectionCount(): number {
    return this.all.reduce((sum, { connectionCount }) => sum + connectionCount, 0);
  }

  /** Of all connections that clients ever had. */
  totals(): { receivedBytes: number; sentBytes: number } {
    let receivedBytes = 0;
    let sentBytes = 0;
    for (const listener of this.all) {
      const totals = listener.totals();
      receivedBytes += totals.receivedBytes;
      sentBytes += totals.sentBytes;
    }
    return { receivedBytes, sentBytes };
  }

  /** In the order of the configuration. Errors: of the first listener that cannot listen. */
  async listen(): Promise<void> {
    for (const listener of this.all) await listener.listen();
  }

  /** All of them stop to accept at once, and share the grace. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.all.map((listener) => listener.stop(graceMs)));
  }

  close(): void {
    for (const listener of this.all) listener.close();
  }
}
